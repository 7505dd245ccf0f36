/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The way to the manager: its directory, its control socket, and what to tell a person when it is
 * not there. */
#ifndef NR_CTL_MANAGER_H
#define NR_CTL_MANAGER_H

#include <gio/gio.h>
#include "ctl/command.h"

#define NR_MANAGER_PATH      "/org/netrelay/Manager1"
#define NR_MANAGER_INTERFACE "org.netrelay.Manager1"

/* Opens the runtime directory (O_PATH), which must be root's or ours. Descriptor, or -errno. */
int nr_manager_open_dir(const char *runtime_dir);
/* What a person does about a manager of that user that is not there, or does not answer. */
const char *nr_manager_cure(uid_t uid, gboolean running);

/* Why there is no answer: what is wrong, and what to do about it (or NULL). */
typedef struct {
    NrExit code;
    char *text, *cure;
} NrSilence;

void nr_silence_clear(NrSilence *silence);
/* Says it to a person, in one sentence. */
void nr_silence_say(const NrSilence *silence);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(NrSilence, nr_silence_clear)

/* A name for the manager. What is not UTF-8 is nobody's, and D-Bus carries none of it. Floating. */
GVariant *nr_manager_name(const char *name);
/* Why this went wrong; spoils the error's text. */
void nr_manager_explain(const NrCall *call, GError *error, NrSilence *ret_silence);
/* The D-Bus address of the manager; good as long as *ret_fd, the caller's, is open. New string. */
char *nr_manager_address(const NrCall *call, int *ret_fd, GError **error);
/* A connection of one's own, for what lasts. NULL: *ret_silence says why. */
GDBusConnection *nr_manager_connect(const NrCall *call, NrSilence *ret_silence);
/* Calls a method of org.netrelay.Manager1, and does not wait for ever. NULL: *ret_silence says
 * why. parameters: a tuple, floating; or NULL. */
GVariant *nr_manager_ask(const NrCall *call, const char *method, GVariant *parameters,
                         const char *reply_type, int timeout_ms, NrSilence *ret_silence);
/*
 * The same. NULL after it has said why to a person, and *ret_code is the exit code then. `quiet`
 * says nothing (for completion).
 */
GVariant *nr_manager_call_with(const NrCall *call, const char *method, GVariant *parameters,
                               const char *reply_type, int timeout_ms, gboolean quiet,
                               NrExit *ret_code);
GVariant *nr_manager_call(const NrCall *call, const char *method, const char *reply_type,
                          int timeout_ms, gboolean quiet, NrExit *ret_code);

/* A connection to the relay of this network that looks and changes nothing: a descriptor. -1:
 * *ret_silence says why. */
int nr_manager_open_relay(const NrCall *call, const char *network, NrSilence *ret_silence);

#endif
