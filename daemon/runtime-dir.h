/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The runtime directory: ours alone, and locked by the one manager that uses it. What others
 * planted or own there is refused, not used. Sockets are bound and reached through its descriptor,
 * so that neither a link put in the way nor a long path matters.
 */
#ifndef NR_DAEMON_RUNTIME_DIR_H
#define NR_DAEMON_RUNTIME_DIR_H

#include <glib.h>
#include <sys/types.h>

typedef struct {
    char *path;
    int fd;        /* the directory; holds the lock */
    int relays_fd; /* its folder of the relays' sockets */
    gboolean made; /* relays_fd was not there: the first manager since the host's boot */
} NrRuntimeDir;

NrRuntimeDir *nr_runtime_dir_open(uid_t uid, GError **error);
/* Are both directories where they were made? */
gboolean nr_runtime_dir_is_there(const NrRuntimeDir *dir);
/* Makes anew what is not, empty and locked. The descriptors keep their numbers, for those who
 * borrow them. */
gboolean nr_runtime_dir_renew(NrRuntimeDir *dir, uid_t uid, GError **error);
void nr_runtime_dir_free(NrRuntimeDir *dir);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(NrRuntimeDir, nr_runtime_dir_free)

/* With what is ours in it; not while something of others is. */
void nr_runtime_dir_remove(const NrRuntimeDir *dir);

/*
 * A close-on-exec, non-blocking SOCK_SEQPACKET socket bound to name, mode 0600, in place of what
 * was there; not listening. Descriptor, or negative errno.
 */
int nr_runtime_bind(int dir_fd, const char *name);
/* The same with SOCK_STREAM. */
int nr_runtime_bind_stream(int dir_fd, const char *name);
/* Is there a socket by that name that somebody has? */
gboolean nr_runtime_has_socket(int dir_fd, const char *name);
/* Connects to name. Descriptor, or negative errno; never waits. */
int nr_runtime_connect(int dir_fd, const char *name);

#endif
