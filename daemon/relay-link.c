/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A link lives from its socket to `ended` or nr_relay_link_free(), whichever comes first; callbacks
 * may free it, so whoever calls one holds a reference and looks at `sock` afterwards (-1: closed).
 */
#include "daemon/relay-link.h"

#include <errno.h>
#include <fcntl.h>
#include <glib-unix.h>
#include <string.h>
#include <unistd.h>
#include "common/ctl-io.h"
#include "common/scope.h"
#include "daemon/relay-model.h"
#include "daemon/relay-requests.h"

#define QUEUE_MAX 4096 /* messages that wait for room in the socket */
#define ROUND_MAX 256  /* messages read before the main loop has its turn */
#define TEXT_MAX  1024

typedef struct {
    struct ctl_msg msg;
    int fd;
} Outgoing;

struct NrRelayLink {
    int sock; /* -1: closed */
    guint watch, write_watch;
    const NrRelayLinkEvents *events;
    gpointer data;
    NrRelayModel *model;
    gboolean ready;
    NrRelayRequests *requests;
    GQueue outgoing;     /* Outgoing */
    guint32 dump_serial; /* of the last dump that was asked for */
};

/* Life */

static void outgoing_free(gpointer p)
{
    Outgoing *out = p;

    closep(&out->fd);
    g_free(out);
}

static void link_close(NrRelayLink *link)
{
    if (link->sock < 0)
        return;
    if (link->watch)
        g_source_remove(link->watch);
    if (link->write_watch)
        g_source_remove(link->write_watch);
    link->watch = link->write_watch = 0;
    closep(&link->sock);
    link->sock = -1;
    g_queue_clear_full(&link->outgoing, outgoing_free);
}

static void link_clear(gpointer p)
{
    NrRelayLink *link = p;

    nr_relay_model_free(link->model);
    nr_relay_requests_free(link->requests);
}

/* The relay is gone, or not to be understood: everybody is told, once. */
static void link_end(NrRelayLink *link, int error)
{
    if (link->sock < 0)
        return;
    link_close(link);
    nr_relay_requests_fail(link->requests, -EPIPE);
    if (link->events)
        link->events->ended(error, link->data);
}

void nr_relay_link_free(NrRelayLink *link)
{
    if (!link)
        return;
    link->events = NULL;
    link_close(link);
    nr_relay_requests_fail(link->requests, -EPIPE);
    g_rc_box_release_full(link, link_clear);
}

/* Sending */

static gboolean on_writable(gint fd, GIOCondition condition, gpointer data)
{
    NrRelayLink *link = data;
    Outgoing *out;

    while ((out = g_queue_peek_head(&link->outgoing))) {
        int r = ctl_io_send(link->sock, &out->msg, out->fd);

        if (r == -EAGAIN)
            return G_SOURCE_CONTINUE;
        if (r < 0)
            break; /* the end of file that comes next says it to everybody */
        outgoing_free(g_queue_pop_head(&link->outgoing));
    }
    link->write_watch = 0;
    return G_SOURCE_REMOVE;
}

static void link_enqueue(NrRelayLink *link, const struct ctl_msg *msg, int pass_fd)
{
    Outgoing *out;

    if (g_queue_get_length(&link->outgoing) >= QUEUE_MAX)
        return; /* its request runs into its deadline */
    out = g_new(Outgoing, 1);
    out->msg = *msg;
    out->fd = pass_fd < 0 ? -1 : fcntl(pass_fd, F_DUPFD_CLOEXEC, 3);
    g_queue_push_tail(&link->outgoing, out);
    if (!link->write_watch)
        link->write_watch = g_unix_fd_add(link->sock, G_IO_OUT, on_writable, link);
}

static void link_send(NrRelayLink *link, struct ctl_msg *msg, int pass_fd)
{
    if (link->sock < 0 || ctl_msg_end(msg) < 0)
        return; /* the request's deadline answers; nothing of ours is that long */
    if (!g_queue_is_empty(&link->outgoing) || ctl_io_send(link->sock, msg, pass_fd) == -EAGAIN)
        link_enqueue(link, msg, pass_fd);
}

/* NULL where the link is closed; then the answer has been given. */
static NrRelayRequest *request_new(NrRelayLink *link, enum ctl_type type, NrReply reply,
                                   gpointer data)
{
    if (link->sock >= 0)
        return nr_relay_requests_add(link->requests, type, reply, data);
    if (reply)
        reply(-EPIPE, "the relay has ended", data);
    return NULL;
}

static NrRelayRequest *request_of(NrRelayLink *link, const struct ctl_msg *msg)
{
    return nr_relay_requests_find(link->requests, ctl_msg_serial(msg));
}

/* Messages */

static void dump_begin(NrRelayLink *link, gboolean patient, NrReply reply, gpointer data)
{
    NrRelayRequest *request = request_new(link, CTL_DUMP, reply, data);
    struct ctl_msg msg;

    if (!request)
        return;
    if (patient)
        nr_relay_request_be_patient(request);
    link->dump_serial = request->serial;
    nr_relay_model_dump_begin(link->model);
    ctl_msg_begin(&msg, CTL_DUMP, request->serial);
    link_send(link, &msg, -1);
}

static void on_first_dump(int error, const char *text, gpointer data)
{
    NrRelayLink *link = data;

    if (error < 0)
        return;
    link->ready = TRUE;
    if (link->events)
        link->events->ready(link->data);
}

static int handle_welcome(NrRelayLink *link, const struct ctl_msg *msg)
{
    NrRelayRequest *hello = request_of(link, msg);
    NrActualNetwork *network = nr_relay_model_network(link->model);
    char name[CTL_MSG_MAX];
    uint32_t version = 0, pid = 0;

    if (!hello || hello->type != CTL_HELLO || network->name)
        return -EPROTO;
    ctl_get_u32(msg, CTL_A_VERSION, &version);
    if (version != CTL_VERSION)
        return -EPROTONOSUPPORT;
    if (!ctl_get_str(msg, CTL_A_NETWORK, name, sizeof(name)) || name[0] == '\0')
        return -EPROTO;
    ctl_get_u32(msg, CTL_A_PID, &pid);
    network->name = g_strdup(name);
    network->pid = (pid_t)pid;
    nr_relay_request_finish(hello, 0, NULL);
    dump_begin(link, TRUE, on_first_dump, link);
    return 0;
}

static int handle_done(NrRelayLink *link, const struct ctl_msg *msg)
{
    guint32 serial = ctl_msg_serial(msg);
    NrRelayRequest *request = request_of(link, msg);
    uint32_t forwarder = 0;

    if (!request || request->type != CTL_DUMP)
        return 0; /* a late answer */
    if (serial == link->dump_serial) {
        ctl_get_u32(msg, CTL_A_FORWARDER, &forwarder);
        nr_relay_model_network(link->model)->forwarder = (pid_t)forwarder;
        nr_relay_model_dump_end(link->model);
    }
    nr_relay_request_finish(request, 0, NULL);
    return 0;
}

static int handle_reply(NrRelayLink *link, const struct ctl_msg *msg)
{
    NrRelayRequest *request = request_of(link, msg);
    char text[TEXT_MAX];
    uint32_t error = 0, id = 0;
    gboolean told;

    if (!request)
        return 0; /* a late answer: the events and the next dump tell what became of it */
    ctl_get_u32(msg, CTL_A_ERROR, &error);
    ctl_get_u32(msg, CTL_A_ENDPOINT_ID, &id);
    told = ctl_get_str(msg, CTL_A_ERROR_TEXT, text, sizeof(text)) && text[0];
    if (error == 0 && request->type == CTL_ATTACH && id != 0)
        nr_relay_model_attached(link->model, id, request->text, request->label);
    if (error == 0 && request->type == CTL_DETACH)
        nr_relay_model_detached(link->model, request->id);
    if (error == 0 && request->type == CTL_SET_OPTIONS)
        nr_relay_model_set_options(link->model, request->id, request->text);
    if (error != 0 && (request->type == CTL_LABEL_PORT || request->type == CTL_ADMIT_PORT))
        nr_relay_model_set_label(link->model, request->id, NULL);
    nr_relay_request_finish(request,
                            error > 0 && error < 4096 ? -(int)error : (error ? -EPROTO : 0),
                            error ? (told ? text : g_strerror((int)error)) : NULL);
    return 0;
}

static int handle_forwarder(NrRelayLink *link, const struct ctl_msg *msg)
{
    char how[CTL_LABEL_MAX];

    if (!ctl_get_str(msg, CTL_A_ERROR_TEXT, how, sizeof(how)))
        return -EPROTO;
    if (link->ready && link->events)
        link->events->replaced(how, link->data);
    return 0;
}

static int handle_deposit(NrRelayLink *link, const struct ctl_msg *msg, int *fd)
{
    uint32_t what, id = 0;

    ctl_get_u32(msg, CTL_A_PORT_ID, &id);
    if (!ctl_get_u32(msg, CTL_A_DEPOSIT, &what) || what > CTL_DEPOSIT_PORT || *fd < 0 ||
        (what == CTL_DEPOSIT_PORT) != (id != 0))
        return -EPROTO;
    if (link->events)
        link->events->deposited(what, id, steal_fd(fd), link->data);
    return 0;
}

static int handle_port_gone(NrRelayLink *link, const struct ctl_msg *msg)
{
    int r = nr_relay_model_port_gone(link->model, msg);
    uint32_t id;

    if (r == 0 && link->events && ctl_get_u32(msg, CTL_A_PORT_ID, &id))
        link->events->port_gone(id, link->data);
    return r;
}

/* What is taken of fd is -1 afterwards. */
static int handle_message(NrRelayLink *link, const struct ctl_msg *msg, int *fd)
{
    int r = 0;

    switch (ctl_msg_type(msg)) {
    case CTL_WELCOME:
        return handle_welcome(link, msg);
    case CTL_ENDPOINT:
        return nr_relay_model_endpoint(link->model, msg);
    case CTL_PORT:
        return nr_relay_model_port(link->model, msg);
    case CTL_DONE:
        return handle_done(link, msg);
    case CTL_REPLY:
        return handle_reply(link, msg);
    case CTL_EVENT_ENDPOINT:
        r = nr_relay_model_endpoint(link->model, msg);
        break;
    case CTL_EVENT_PORT:
        r = nr_relay_model_port(link->model, msg);
        break;
    case CTL_EVENT_PORT_GONE:
        r = handle_port_gone(link, msg);
        break;
    case CTL_EVENT_DEPOSIT:
        return handle_deposit(link, msg, fd);
    case CTL_EVENT_FORWARDER:
        return handle_forwarder(link, msg);
    default:
        return 0; /* a newer relay's event */
    }
    if (r == 0 && link->ready && link->events)
        link->events->changed(link->data);
    return r;
}

static void link_read(NrRelayLink *link)
{
    struct ctl_msg msg;

    for (guint i = 0; i < ROUND_MAX && link->sock >= 0; i++) {
        _cleanup_(closep) int fd = -1;
        int r = ctl_io_recv(link->sock, &msg, &fd);

        if (r == -EAGAIN)
            return;
        if (r == 0)
            r = handle_message(link, &msg, &fd);
        if (r < 0)
            link_end(link, r);
    }
}

static gboolean on_readable(gint fd, GIOCondition condition, gpointer data)
{
    NrRelayLink *link = g_rc_box_acquire(data);
    gboolean open;

    link_read(link);
    open = link->sock >= 0;
    g_rc_box_release_full(link, link_clear);
    return open ? G_SOURCE_CONTINUE : G_SOURCE_REMOVE;
}

/* Requests of others */

static void hello(NrRelayLink *link)
{
    NrRelayRequest *request = request_new(link, CTL_HELLO, NULL, NULL);
    struct ctl_msg msg;

    if (!request)
        return;
    nr_relay_request_be_patient(request);
    ctl_msg_begin(&msg, CTL_HELLO, request->serial);
    ctl_put_u32(&msg, CTL_A_VERSION, CTL_VERSION);
    ctl_put_u32(&msg, CTL_A_JUDGES, 1);
    ctl_put_u32(&msg, CTL_A_KEEPS, 1);
    link_send(link, &msg, -1);
}

NrRelayLink *nr_relay_link_new(int sock, const NrRelayLinkEvents *events, gpointer data)
{
    NrRelayLink *link = g_rc_box_new0(NrRelayLink);

    link->sock = sock;
    link->events = events;
    link->data = data;
    link->model = nr_relay_model_new();
    link->requests = nr_relay_requests_new();
    link->watch = g_unix_fd_add(sock, G_IO_IN | G_IO_HUP | G_IO_ERR, on_readable, link);
    hello(link);
    return link;
}

gboolean nr_relay_link_is_ready(const NrRelayLink *link)
{
    return link->ready;
}

const NrActualNetwork *nr_relay_link_network(const NrRelayLink *link)
{
    return nr_relay_model_network(link->model);
}

static void put_admit(struct ctl_msg *msg, const NrAdmit *admit)
{
    for (guint i = 0; i < admit->n_users; i++)
        ctl_put_u32(msg, CTL_A_ADMIT_USER, admit->users[i]);
    for (guint i = 0; admit->hosts && admit->hosts[i]; i++)
        ctl_put_str(msg, CTL_A_ADMIT_HOSTS, admit->hosts[i]);
}

void nr_relay_link_attach(NrRelayLink *link, const char *endpoint, const char *label, int pass_fd,
                          const NrAdmit *admit, NrReply reply, gpointer data)
{
    NrRelayRequest *request = request_new(link, CTL_ATTACH, reply, data);
    struct ctl_msg msg;

    if (!request)
        return;
    request->text = g_strdup(endpoint);
    request->label = g_strdup(label);
    ctl_msg_begin(&msg, CTL_ATTACH, request->serial);
    ctl_put_str(&msg, CTL_A_ENDPOINT, endpoint);
    ctl_put_str(&msg, CTL_A_LABEL, label);
    if (admit)
        put_admit(&msg, admit);
    link_send(link, &msg, pass_fd);
}

void nr_relay_link_detach(NrRelayLink *link, guint32 endpoint_id, NrReply reply, gpointer data)
{
    NrRelayRequest *request = request_new(link, CTL_DETACH, reply, data);
    struct ctl_msg msg;

    if (!request)
        return;
    request->id = endpoint_id;
    ctl_msg_begin(&msg, CTL_DETACH, request->serial);
    ctl_put_u32(&msg, CTL_A_ENDPOINT_ID, endpoint_id);
    link_send(link, &msg, -1);
}

void nr_relay_link_close_port(NrRelayLink *link, guint32 port_id, NrReply reply, gpointer data)
{
    NrRelayRequest *request = request_new(link, CTL_CLOSE_PORT, reply, data);
    struct ctl_msg msg;

    if (!request)
        return;
    /* So that nobody judges it again meanwhile. */
    nr_relay_model_set_closing(link->model, port_id);
    ctl_msg_begin(&msg, CTL_CLOSE_PORT, request->serial);
    ctl_put_u32(&msg, CTL_A_PORT_ID, port_id);
    link_send(link, &msg, -1);
}

void nr_relay_link_move_port(NrRelayLink *link, guint32 port_id, int other, NrReply reply,
                             gpointer data)
{
    NrRelayRequest *request = request_new(link, CTL_MOVE_PORT, reply, data);
    struct ctl_msg msg;

    if (!request)
        return;
    ctl_msg_begin(&msg, CTL_MOVE_PORT, request->serial);
    ctl_put_u32(&msg, CTL_A_PORT_ID, port_id);
    link_send(link, &msg, other);
}

static void name_port(NrRelayLink *link, enum ctl_type type, guint32 port_id, const char *label,
                      const char *options, NrReply reply, gpointer data)
{
    NrRelayRequest *request = request_new(link, type, reply, data);
    struct ctl_msg msg;

    if (!request)
        return;
    request->id = port_id;
    /* So that nobody looks for it again meanwhile. */
    nr_relay_model_set_label(link->model, port_id, label);
    ctl_msg_begin(&msg, type, request->serial);
    ctl_put_u32(&msg, CTL_A_PORT_ID, port_id);
    ctl_put_str(&msg, CTL_A_LABEL, label);
    ctl_put_str(&msg, CTL_A_OPTIONS, options);
    link_send(link, &msg, -1);
}

void nr_relay_link_label_port(NrRelayLink *link, guint32 port_id, const char *label, NrReply reply,
                              gpointer data)
{
    name_port(link, CTL_LABEL_PORT, port_id, label, NULL, reply, data);
}

void nr_relay_link_admit_port(NrRelayLink *link, guint32 port_id, const char *label,
                              const char *options, NrReply reply, gpointer data)
{
    name_port(link, CTL_ADMIT_PORT, port_id, label, options, reply, data);
}

void nr_relay_link_set_options(NrRelayLink *link, guint32 port_id, const char *options,
                               NrReply reply, gpointer data)
{
    NrRelayRequest *request = request_new(link, CTL_SET_OPTIONS, reply, data);
    struct ctl_msg msg;

    if (!request)
        return;
    request->id = port_id;
    request->text = g_strdup(options);
    ctl_msg_begin(&msg, CTL_SET_OPTIONS, request->serial);
    ctl_put_u32(&msg, CTL_A_PORT_ID, port_id);
    ctl_put_str(&msg, CTL_A_OPTIONS, options);
    link_send(link, &msg, -1);
}

void nr_relay_link_listen(NrRelayLink *link, int sock, NrReply reply, gpointer data)
{
    NrRelayRequest *request = request_new(link, CTL_LISTEN, reply, data);
    struct ctl_msg msg;

    if (!request)
        return;
    ctl_msg_begin(&msg, CTL_LISTEN, request->serial);
    link_send(link, &msg, sock);
}

void nr_relay_link_stop(NrRelayLink *link, NrReply reply, gpointer data)
{
    NrRelayRequest *request = request_new(link, CTL_STOP, reply, data);
    struct ctl_msg msg;

    if (!request)
        return;
    ctl_msg_begin(&msg, CTL_STOP, request->serial);
    link_send(link, &msg, -1);
}

void nr_relay_link_refresh(NrRelayLink *link, NrReply reply, gpointer data)
{
    dump_begin(link, FALSE, reply, data);
}

void nr_relay_link_probe(NrRelayLink *link, NrReply reply, gpointer data)
{
    dump_begin(link, TRUE, reply, data);
}
