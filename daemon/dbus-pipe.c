/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/dbus-pipe.h"

#include <errno.h>
#include <gio/gio.h>
#include <glib-unix.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "common/scope.h"

#define CHUNK   (16 * 1024)
#define HEADER  16 /* of a message: by then its length is known */
#define FDS_MAX 16

/* A socket, and what it is watched for. */
typedef struct {
    int sock;
    guint watch;
    GIOCondition watched;
} End;

struct NrDbusPipe {
    End client, gdbus;
    /* from the client */
    GByteArray *in;
    gsize passed; /* bytes at the front of `in` that may go on */
    gsize left;   /* of a message whose header was looked at */
    gboolean client_is_through;
    /* to the client */
    guint8 out[CHUNK];
    gsize out_start, out_end;
    int fds[FDS_MAX]; /* go with the first byte */
    guint n_fds;
    void (*ended)(gpointer data);
    gpointer data;
};

static gboolean is_later(int errnum)
{
    return errnum == EAGAIN || errnum == EINTR;
}

/* From the client to GDBus */

/* FALSE: a message is too long, or is none. */
static gboolean look_at_messages(NrDbusPipe *pipe)
{
    for (;;) {
        gsize have = pipe->in->len - pipe->passed, n = MIN(have, pipe->left);
        gssize needed;

        pipe->passed += n;
        pipe->left -= n;
        if (pipe->left > 0 || have - n < HEADER)
            return TRUE;
        needed = g_dbus_message_bytes_needed(pipe->in->data + pipe->passed, HEADER, NULL);
        if (needed < HEADER || needed > NR_DBUS_MESSAGE_MAX)
            return FALSE;
        pipe->left = (gsize)needed;
    }
}

static gboolean read_client(NrDbusPipe *pipe)
{
    gsize have = pipe->in->len;
    ssize_t n;

    g_byte_array_set_size(pipe->in, CHUNK);
    n = recv(pipe->client.sock, pipe->in->data + have, CHUNK - have, MSG_DONTWAIT);
    g_byte_array_set_size(pipe->in, (guint)(n > 0 ? have + (gsize)n : have));
    if (n < 0)
        return is_later(errno);
    pipe->client_is_through = n == 0;
    return TRUE;
}

static gboolean write_gdbus(NrDbusPipe *pipe)
{
    ssize_t n = pipe->passed == 0 ? 0
                                  : send(pipe->gdbus.sock, pipe->in->data, pipe->passed,
                                         MSG_DONTWAIT | MSG_NOSIGNAL);

    if (n < 0)
        return is_later(errno);
    if (n > 0)
        g_byte_array_remove_range(pipe->in, 0, (guint)n);
    pipe->passed -= (gsize)n;
    /* GDBus reads what there is and then closes: that ends us. */
    if (pipe->client_is_through && pipe->passed == 0)
        (void)shutdown(pipe->gdbus.sock, SHUT_WR);
    return TRUE;
}

/* From GDBus to the client */

static void close_fds(NrDbusPipe *pipe)
{
    for (guint i = 0; i < pipe->n_fds; i++)
        close(pipe->fds[i]);
    pipe->n_fds = 0;
}

static void take_fds(NrDbusPipe *pipe, struct msghdr *message)
{
    for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c; c = CMSG_NXTHDR(message, c)) {
        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
            continue;
        pipe->n_fds = (guint)((c->cmsg_len - CMSG_LEN(0)) / sizeof(int)); /* into an empty list */
        memcpy(pipe->fds, CMSG_DATA(c), pipe->n_fds * sizeof(int));
    }
}

static gboolean read_gdbus(NrDbusPipe *pipe)
{
    union {
        struct cmsghdr header;
        char room[CMSG_SPACE(sizeof(pipe->fds))];
    } control;
    struct iovec iov = { .iov_base = pipe->out, .iov_len = sizeof(pipe->out) };
    struct msghdr message = {
        .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control)
    };
    ssize_t n = recvmsg(pipe->gdbus.sock, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);

    if (n <= 0)
        return n < 0 && is_later(errno);
    take_fds(pipe, &message);
    pipe->out_start = 0;
    pipe->out_end = (gsize)n;
    return TRUE;
}

static gboolean write_client(NrDbusPipe *pipe)
{
    union {
        struct cmsghdr header;
        char room[CMSG_SPACE(sizeof(pipe->fds))];
    } control = { 0 };
    gsize size = pipe->n_fds * sizeof(int);
    struct iovec iov = { .iov_base = pipe->out + pipe->out_start,
                         .iov_len = pipe->out_end - pipe->out_start };
    struct msghdr message = { .msg_iov = &iov, .msg_iovlen = 1 };
    ssize_t n;

    if (iov.iov_len == 0)
        return TRUE;
    if (size > 0) {
        control.header = (struct cmsghdr){ .cmsg_len = CMSG_LEN(size),
                                           .cmsg_level = SOL_SOCKET,
                                           .cmsg_type = SCM_RIGHTS };
        memcpy(CMSG_DATA(&control.header), pipe->fds, size);
        message.msg_control = &control;
        message.msg_controllen = CMSG_SPACE(size);
    }
    n = sendmsg(pipe->client.sock, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (n < 0)
        return is_later(errno);
    close_fds(pipe);
    pipe->out_start += (gsize)n;
    return TRUE;
}

/* Both */

static void watch(NrDbusPipe *pipe, End *end, GIOCondition wanted);

static void update(NrDbusPipe *pipe)
{
    gboolean answers = pipe->out_end > pipe->out_start;
    gboolean room = !pipe->client_is_through && pipe->in->len < CHUNK;
    gboolean unwritten = pipe->passed > 0 || pipe->in->len >= HEADER; /* the latter: as it began */

    watch(pipe, &pipe->client, (room ? G_IO_IN : 0) | (answers ? G_IO_OUT : 0));
    watch(pipe, &pipe->gdbus, G_IO_HUP | (answers ? 0 : G_IO_IN) | (unwritten ? G_IO_OUT : 0));
}

static gboolean on_ready(gint sock, GIOCondition condition, gpointer data)
{
    NrDbusPipe *pipe = data;
    gboolean of_client = sock == pipe->client.sock;
    End *end = of_client ? &pipe->client : &pipe->gdbus;
    gboolean reads = (end->watched & G_IO_IN) && (condition & ~G_IO_OUT);
    guint source = end->watch;
    gboolean goes_on = TRUE;

    if (reads)
        goes_on = of_client ? read_client(pipe) : read_gdbus(pipe);
    else if (!of_client && (condition & (G_IO_HUP | G_IO_ERR)))
        goes_on = FALSE; /* GDBus has closed, and the client does not take what is left */
    if (!goes_on || !look_at_messages(pipe) || !write_gdbus(pipe) || !write_client(pipe)) {
        pipe->ended(pipe->data); /* and it is freed, this source with it */
        return G_SOURCE_CONTINUE;
    }
    update(pipe);
    return end->watch == source ? G_SOURCE_CONTINUE : G_SOURCE_REMOVE;
}

static void watch(NrDbusPipe *pipe, End *end, GIOCondition wanted)
{
    if (end->watch && end->watched == wanted)
        return;
    g_clear_handle_id(&end->watch, g_source_remove);
    end->watched = wanted;
    if (wanted) /* else a hang-up would be told of again and again */
        end->watch = g_unix_fd_add(end->sock, wanted, on_ready, pipe);
}

NrDbusPipe *nr_dbus_pipe_new(int client, int gdbus, const GByteArray *waiting,
                             void (*ended)(gpointer data), gpointer data)
{
    NrDbusPipe *pipe = g_new0(NrDbusPipe, 1);

    pipe->client.sock = client;
    pipe->gdbus.sock = gdbus;
    pipe->in = g_byte_array_new();
    g_byte_array_append(pipe->in, waiting->data, waiting->len);
    pipe->ended = ended;
    pipe->data = data;
    update(pipe);
    return pipe;
}

void nr_dbus_pipe_free(NrDbusPipe *pipe)
{
    if (!pipe)
        return;
    g_clear_handle_id(&pipe->client.watch, g_source_remove);
    g_clear_handle_id(&pipe->gdbus.watch, g_source_remove);
    close_fds(pipe);
    closep(&pipe->client.sock);
    closep(&pipe->gdbus.sock);
    g_byte_array_unref(pipe->in);
    g_free(pipe);
}
