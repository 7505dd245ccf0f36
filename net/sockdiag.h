/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Whose socket is it: sock_diag(7), without any capability. */
#ifndef NR_NET_SOCKDIAG_H
#define NR_NET_SOCKDIAG_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/types.h>

#define SOCKDIAG_HOLDER_MAX 64

struct sockdiag_owner {
    uint64_t inode; /* 0: nobody has it open (waiting in a backlog) */
    uid_t uid;
};

/* The TCP socket whose own address is local and whose peer is remote: one exact request.
 * -ENOENT where there is none. */
int sockdiag_tcp(const struct sockaddr *local, const struct sockaddr *remote,
                 struct sockdiag_owner *ret);
/* The socket that is bound to this address (or to its port on any address) and, for TCP, listens:
 * protocol is IPPROTO_TCP or IPPROTO_UDP. */
int sockdiag_bound(int protocol, const struct sockaddr *local, struct sockdiag_owner *ret);

/* A TCP connection as one of its ends on this host has it. */
struct sockdiag_connection {
    struct sockaddr_storage local, remote;
    uint64_t inode; /* 0: nobody has it open (waiting in a backlog) */
    bool made;      /* else it is still being dialled */
};
typedef int (*sockdiag_connection_fn)(const struct sockdiag_connection *connection, void *userdata);
/* Each one; a negative errno of fn ends it. */
int sockdiag_connections(sockdiag_connection_fn fn, void *userdata);

/* The UNIX socket that was bound to this path, in this very text. -ENOENT where there is none. */
int sockdiag_unix(const char *path, uint64_t *ret_inode);
/* Is there a UNIX socket that was bound to this very file, if only on its way between two
 * processes? 0, -ENOENT where there is none, or negative errno. */
int sockdiag_unix_file(const struct stat *file);

/*
 * The process that has the socket open: every /proc/PID/fd we may read is looked through, so only
 * for messages to a person. Name is its comm. -ENOENT where none is found or may be seen.
 */
int sockdiag_process(uint64_t inode, pid_t *ret_pid, char ret_name[16]);
/* Who has this address, for a message to a person: "nc (pid 4242)", or "a process of user 7" where
 * that is all that may be seen. Negative errno where nobody is found. */
int sockdiag_holder(int protocol, const struct sockaddr *local, char ret[SOCKDIAG_HOLDER_MAX]);
/* The same of a connection that is served at that address, its own and not one of all (0.0.0.0):
 * who is at its other end, or where, if that is another host. */
int sockdiag_served(const struct sockaddr_storage *at, char ret[SOCKDIAG_HOLDER_MAX]);
/*
 * The sockets of one process, ascending by descriptor number: fills inodes[], returns how many
 * there are in all, or negative errno (-EACCES: CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH are
 * missing; -ENOENT: no such process).
 */
int sockdiag_process_sockets(pid_t pid, uint64_t *inodes, unsigned max);

#endif
