/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The network files: *.xml of one directory, loaded and checked; what is good counts, what is not
 * is explained, and a file that became bad leaves its network as it was. */
#ifndef NR_DAEMON_NETWORKS_H
#define NR_DAEMON_NETWORKS_H

#include "xml/network.h"

typedef struct {
    GPtrArray *networks; /* NrNetwork, by name */
    GPtrArray *faults;   /* char *: one sentence for each bad file or name used twice */
    char *stamp;         /* the same as long as no file has changed; NULL: no folder */
} NrNetworks;

/*
 * Reads the directory (missing: empty). Refused: files that are not regular, are larger than
 * NR_NETWORK_XML_MAX, or that others than root and owner_uid own or may write; a name or an address
 * that another file has: one that has a network in `previous` (may be NULL) comes first, then the
 * order of file names counts. For a file that is now bad, the network it had in `previous` is kept.
 */
NrNetworks *nr_networks_load(const char *directory, uid_t owner_uid, const NrNetworks *previous);
void nr_networks_free(NrNetworks *networks);
/* May the network stand beside the others? What is in its own file now does not count. */
gboolean nr_networks_check(const NrNetworks *networks, const NrNetwork *network, GError **error);
/*
 * The names of networks that do not come up with the host: a set. Each is that of a file in the
 * folder NR_NETWORKS_MANUAL, whatever is in it. The exception is written down, not the rule, as in
 * libvirt's autostart folder: a network file that is just put there is to work.
 */
#define NR_NETWORKS_MANUAL "no-autostart"
GHashTable *nr_networks_manual(const char *directory);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(NrNetworks, nr_networks_free)

#endif
