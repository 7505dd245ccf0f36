/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The folder of network files, as a person changes it: with that person's rights, since the
 * manager's unit may not write to /etc, and with the manager away, too. A running manager says
 * which folder it is, and reads it anew after each change.
 */
#ifndef NR_CTL_NET_FOLDER_H
#define NR_CTL_NET_FOLDER_H

#include "ctl/command.h"
#include "daemon/networks.h"

typedef struct {
    const NrCall *call;
    char *directory;
    GVariant *live; /* a manager's rows (Networks in manager-dbus.xml); NULL: none is running */
    NrNetworks *networks; /* what the files say */
} NrNetFolder;

/* NULL after it has said why. That no manager runs is said too, and no reason to fail. */
NrNetFolder *nr_net_folder_new(const NrCall *call, NrExit *ret_code);
void nr_net_folder_free(NrNetFolder *folder);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(NrNetFolder, nr_net_folder_free)

/* The path of a network's file: of the one that defines it, else of NAME.xml, which may be faulty
 * or not be there. NULL for a name that no network can have. New string. */
char *nr_net_folder_path(const NrNetFolder *folder, const char *name);

/* The folder with the file of the network that the call is about (its first operand), whose path is
 * a new string in *ret_path; NULL after it has said why. */
NrNetFolder *nr_net_folder_open(const NrCall *call, char **ret_path, NrExit *ret_code);

/* Read, and fit to stand beside the others as the file at path (NULL: where its name says). The
 * network's `file` is that path. `shown` is for messages. */
NrNetwork *nr_net_folder_judge(const NrNetFolder *folder, const char *text, gsize length,
                               const char *shown, const char *path, GError **error);
/* These give FALSE after they have said what is wrong. A file is written as a whole or not at all,
 * also through a crash. */
gboolean nr_net_folder_write(const NrNetFolder *folder, const char *path, const char *text,
                             gsize length);
gboolean nr_net_folder_remove(const NrNetFolder *folder, const char *path);
/* Whether a network comes up with the host; see nr_networks_manual(). */
gboolean nr_net_folder_autostart(const NrNetFolder *folder, const char *name, gboolean on);
/* After each change: a manager that runs has read it when this returns. The file at path is the one
 * whose faults are meant. */
gboolean nr_net_folder_apply(const NrNetFolder *folder, const char *path);

#endif
