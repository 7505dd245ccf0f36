/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The server's half of D-Bus's authentication, as far as it is for us: EXTERNAL, by the user that
 * the kernel told us, and the wish to be handed descriptors. Pure: bytes in, bytes out.
 */
#ifndef NR_DAEMON_DBUS_HELLO_H
#define NR_DAEMON_DBUS_HELLO_H

#include <glib.h>
#include <sys/types.h>

#define NR_HELLO_MAX 1024 /* bytes of it; a client that is one needs a tenth */

typedef enum {
    NR_HELLO_MORE,
    NR_HELLO_DONE, /* what is left in the buffer are messages */
    NR_HELLO_BAD,  /* no client of D-Bus's, or one that talks for too long */
} NrHelloResult;

typedef struct {
    uid_t uid;        /* set before: who it is */
    const char *guid; /* the same: ours, borrowed */
    gsize taken;      /* bytes so far */
    gboolean expects_data, accepted;
    gboolean takes_fds; /* when done */
} NrHello;

/* Takes whole lines out of `in`, and puts what is to be answered behind `out`. */
NrHelloResult nr_hello_take(NrHello *hello, GByteArray *in, GString *out);
/* All that a client of this user says, to whom nothing needs to be answered meanwhile. */
GByteArray *nr_hello_script(uid_t uid, gboolean takes_fds);

#endif
