/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A client sends one request and gets answers until the last one; then it is gone. PREPARE waits
 * for partners that are starting, as long as a start may take, then announces the guest, and lasts
 * until a pass has begun after the announcement, its work for this guest is done and the guest's
 * host names are resolved; everything else is answered at once. The number of clients is bounded:
 * more wait in the backlog. Of those that have asked nothing yet there are few: the oldest makes
 * room for the next.
 */
#include "daemon/hook-socket.h"

#include <errno.h>
#include <fcntl.h>
#include <glib-unix.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>
#include "common/hook-proto.h"
#include "common/scope.h"
#include "daemon/acceptor.h"
#include "daemon/barrier.h"
#include "daemon/callers.h"
#include "daemon/log.h"
#include "daemon/partners.h"
#include "daemon/qemu-sockets.h"
#include "daemon/starts.h"
#include "xml/domain-xml.h"

#define CLIENTS_MAX  512
#define SILENT_MAX   64   /* or what a quarter of our descriptors allows */
#define REQUEST_MS   2000 /* for the request of one that has connected */
#define RESOLVING_MS 5000 /* for host names, before the guest may start all the same */
#define LOOK_MS      50   /* between looks whether they are resolved, or up */

struct NrHookSocket {
    NrAcceptor *acceptor;
    guint silent_max;
    const NrWorld *world;
    NrInventory *inventory;
    NrReconcile *reconcile;
    NrGuestSource *source;
    NrNews *news;
    GPtrArray *clients; /* Client, as they came */
    NrStarts *starts;
};

typedef struct {
    NrHookSocket *hooks;
    int sock;
    guint watch;
    guint timer;           /* before the request: its deadline; then: progress */
    guint look;            /* PREPARE: a partner is not up, or a host name not resolved yet */
    char *uuid;            /* PREPARE: being waited for */
    NrGuest *coming;       /* PREPARE: not announced yet */
    GPtrArray *partners;   /* the same: NrPartner that it waits for */
    const NrPartner *told; /* the same: whom we have said that it waits for */
    GBytes *xml;           /* the request's */
    gint64 began_us;
} Client;

static void client_free(Client *client)
{
    NrHookSocket *hooks = client->hooks;

    nr_reconcile_cancel(hooks->reconcile, client);
    if (client->watch)
        g_source_remove(client->watch);
    if (client->timer)
        g_source_remove(client->timer);
    if (client->look)
        g_source_remove(client->look);
    closep(&client->sock);
    nr_guest_unref(client->coming);
    g_clear_pointer(&client->xml, g_bytes_unref);
    g_clear_pointer(&client->partners, g_ptr_array_unref);
    g_free(client->uuid);
    g_free(client);
}

static void client_end(Client *client)
{
    NrHookSocket *hooks = client->hooks;

    g_ptr_array_remove(hooks->clients, client);
    client_free(client);
    nr_acceptor_pause(hooks->acceptor, hooks->clients->len >= CLIENTS_MAX);
}

/* One packet: a code and text. A hook that has gone away learns of it no more. */
static void answer(Client *client, enum hook_answer code, const char *text)
{
    char packet[HOOK_ANSWER_MAX];
    gsize length;

    packet[0] = (char)code;
    length = g_strlcpy(packet + 1, text ? text : "", sizeof(packet) - 1);
    length = MIN(length, sizeof(packet) - 2);
    (void)!send(client->sock, packet, 1 + length, MSG_DONTWAIT | MSG_NOSIGNAL);
}

/* PREPARE */

static void refuse(Client *client, const char *text)
{
    const NrGuest *guest = nr_inventory_find(client->hooks->inventory, client->uuid);

    nr_log(NR_LOG_WARNING, "refused: %s", text);
    nr_news_tell(client->hooks->news, "guest-refused", NULL, guest ? guest->name : NULL, "%s",
                 text);
    answer(client, HOOK_REFUSED, text);
    nr_inventory_release(client->hooks->inventory, client->uuid);
    nr_starts_forget(client->hooks->starts, client->uuid);
    client_end(client);
}

static void on_pass_done(gpointer data);

static gboolean on_look_again(gpointer data)
{
    Client *client = data;

    client->look = 0;
    nr_reconcile_wait_guest(client->hooks->reconcile, client->uuid, on_pass_done, client);
    return G_SOURCE_REMOVE;
}

static void on_pass_done(gpointer data)
{
    Client *client = data;
    NrReconcile *reconcile = client->hooks->reconcile;
    g_autofree char *text = NULL;
    gint64 waited_ms = (g_get_monotonic_time() - client->began_us) / 1000;

    switch (nr_barrier_judge(nr_reconcile_desired(reconcile), nr_reconcile_attempts(reconcile),
                             client->uuid, &text)) {
    case NR_VERDICT_REFUSED:
        refuse(client, text);
        return;
    case NR_VERDICT_RESOLVING:
        if (waited_ms < RESOLVING_MS) {
            client->look = g_timeout_add(LOOK_MS, on_look_again, client);
            return;
        }
        answer(client, HOOK_NOTE, "a host name of it is still being resolved");
        break;
    case NR_VERDICT_OK:
        break;
    }
    nr_log(NR_LOG_DEBUG, "prepare of %s answered after %d ms", client->uuid, (int)waited_ms);
    answer(client, HOOK_OK, NULL);
    client_end(client);
}

static gboolean on_progress(gpointer data)
{
    Client *client = data;

    answer(client, client->coming ? HOOK_WAITING : HOOK_PROGRESS, NULL);
    return G_SOURCE_CONTINUE;
}

static void announce(Client *client)
{
    NrHookSocket *hooks = client->hooks;
    g_autoptr(NrGuest) guest = g_steal_pointer(&client->coming);

    client->began_us = g_get_monotonic_time();
    nr_inventory_announce(hooks->inventory, guest, client->began_us / 1000);
    nr_starts_note(hooks->starts, nr_inventory_find(hooks->inventory, guest->uuid), client->xml);
    nr_reconcile_retry_guest(hooks->reconcile, guest->uuid);
    nr_reconcile_wait_guest(hooks->reconcile, guest->uuid, on_pass_done, client);
}

static gboolean partner_listens(const NrPartner *partner, gpointer data)
{
    const NrHookSocket *hooks = data;

    return nr_qemu_listens(partner->guest, &partner->place, hooks->world->policy->system);
}

/* Borrowed from the client, or NULL. */
static const NrPartner *find_awaited(Client *client)
{
    NrHookSocket *hooks = client->hooks;
    g_autoptr(GPtrArray) guests = nr_inventory_snapshot(hooks->inventory);
    g_autoptr(NrActual) actual = NULL;
    NrPartnerView view = { .guests = guests, .listens = partner_listens, .data = hooks };

    nr_partners_find(client->partners, guests, client->coming,
                     nr_resolver_table(hooks->world->resolver));
    if (client->partners->len == 0)
        return NULL;
    actual = nr_relays_snapshot(hooks->world->relays);
    view.desired = nr_reconcile_desired(hooks->reconcile);
    view.attempts = nr_reconcile_attempts(hooks->reconcile);
    view.actual = actual;
    return nr_partners_awaited(client->partners, &view);
}

static gboolean on_turn(gpointer data)
{
    Client *client = data;
    const NrPartner *awaited = find_awaited(client);
    gint64 waited_ms = (g_get_monotonic_time() - client->began_us) / 1000;

    client->look = 0;
    if (awaited && waited_ms < HOOK_WAITING_MS) {
        if (awaited != client->told)
            nr_log(NR_LOG_INFO, "guest %s waits for guest %s, which it meets, to come up",
                   client->coming->name, awaited->guest->name);
        client->told = awaited;
        client->look = g_timeout_add(LOOK_MS, on_turn, client);
        return G_SOURCE_REMOVE;
    }
    if (awaited)
        nr_log(
            NR_LOG_WARNING,
            "guest %s starts, although guest %s, which it meets, has been starting for %d s; one "
            "of the two may stay deaf",
            client->coming->name, awaited->guest->name, HOOK_WAITING_MS / 1000);
    announce(client);
    return G_SOURCE_REMOVE;
}

static void prepare(Client *client, const NrGuest *guest)
{
    nr_log(NR_LOG_INFO, "guest %s is about to start", guest->name);
    answer(client, HOOK_PROGRESS, NULL);
    client->uuid = g_strdup(guest->uuid);
    client->timer = g_timeout_add(HOOK_PROGRESS_MS, on_progress, client);
    client->coming = nr_guest_copy(guest, NR_GUEST_ANNOUNCED);
    client->partners = nr_partners_new();
    on_turn(client);
}

/* All others: noted, and answered at once */

static void running(Client *client, const NrGuest *guest)
{
    g_autoptr(NrGuest) live = nr_guest_copy(guest, NR_GUEST_RUNNING);

    if (guest->id >= 0)
        nr_inventory_sync_guest(client->hooks->inventory, guest->uuid, live, NULL);
    nr_guest_source_ask(client->hooks->source, guest->uuid);
    answer(client, HOOK_OK, NULL);
    client_end(client);
}

/* A hook that was killed while it waited: what it was for is over. */
static void forget_coming(NrHookSocket *hooks, const char *uuid)
{
    for (guint i = hooks->clients->len; i-- > 0;) {
        Client *client = hooks->clients->pdata[i];

        if (client->coming && g_str_equal(client->uuid, uuid))
            client_end(client);
    }
}

static void release(Client *client, const NrGuest *guest)
{
    forget_coming(client->hooks, guest->uuid);
    nr_log(NR_LOG_INFO, "guest %s has ended", guest->name);
    nr_inventory_release(client->hooks->inventory, guest->uuid);
    nr_starts_forget(client->hooks->starts, guest->uuid);
    /* A list that was under way may still have it as running. */
    nr_guest_source_ask(client->hooks->source, guest->uuid);
    nr_reconcile_request(client->hooks->reconcile);
    answer(client, HOOK_OK, NULL);
    client_end(client);
}

/* Requests */

/* The XML in a descriptor that was passed: only a sealed memfd can be read without waiting for
 * anybody, and stays as it is while it is read. */
static GBytes *read_sealed(int fd)
{
    const int needed = F_SEAL_SHRINK | F_SEAL_WRITE;
    g_autofree char *text = NULL;
    struct stat st;
    int seals;

    seals = fcntl(fd, F_GET_SEALS);
    if (seals < 0 || (seals & needed) != needed || fstat(fd, &st) < 0 || st.st_size <= 0 ||
        st.st_size > NR_DOMAIN_XML_MAX)
        return NULL;
    text = g_malloc((gsize)st.st_size);
    if (pread(fd, text, (size_t)st.st_size, 0) != st.st_size)
        return NULL;
    return g_bytes_new_take(g_steal_pointer(&text), (gsize)st.st_size);
}

static NrGuest *read_guest(Client *client, int fd, GError **error)
{
    client->xml = fd < 0 ? NULL : read_sealed(fd);
    if (client->xml)
        return nr_domain_xml_parse(g_bytes_get_data(client->xml, NULL),
                                   g_bytes_get_size(client->xml), error);
    g_set_error(error, NR_XML_ERROR, NR_XML_ERROR_INVALID, "no domain XML came with the request");
    return NULL;
}

static void handle_request(Client *client, const struct hook_request *request, int fd)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(NrGuest) guest = read_guest(client, fd, &error);

    if (!guest || !guest->uuid) {
        /* Nobody is refused for what we do not understand. */
        nr_log(NR_LOG_WARNING, "guest %s: the hook's XML cannot be read: %s", request->name,
               error ? error->message : "it has no UUID");
        answer(client, HOOK_NOTE, "netrelay cannot read this guest's XML and leaves it alone");
        answer(client, HOOK_OK, NULL);
        client_end(client);
        return;
    }
    switch (request->op) {
    case HOOK_PREPARE:
        prepare(client, guest);
        break;
    case HOOK_RELEASE:
        release(client, guest);
        break;
    default:
        running(client, guest);
        break;
    }
}

/* 0, or negative errno; *ret_fd is the caller's. */
static int receive(int sock, struct hook_request *ret, int *ret_fd)
{
    union {
        struct cmsghdr header;
        char room[CMSG_SPACE(sizeof(int))];
    } control;
    struct iovec iov = { .iov_base = ret, .iov_len = sizeof(*ret) };
    struct msghdr msg = {
        .msg_iov = &iov,
        .msg_iovlen = 1,
        .msg_control = &control,
        .msg_controllen = sizeof(control),
    };
    struct cmsghdr *c;
    ssize_t n = recvmsg(sock, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);

    if (n < 0)
        return -errno;
    c = CMSG_FIRSTHDR(&msg);
    if (c && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS &&
        c->cmsg_len >= CMSG_LEN(sizeof(int)))
        memcpy(ret_fd, CMSG_DATA(c), sizeof(int));
    /* MSG_CTRUNC: there was no descriptor left for the XML. Unanswered, the hook decides itself. */
    return msg.msg_flags & (MSG_TRUNC | MSG_CTRUNC) ? -EPROTO : hook_request_check(ret, (size_t)n);
}

static gboolean on_client(gint sock, GIOCondition condition, gpointer data)
{
    _cleanup_(closep) int fd = -1;
    Client *client = data;
    struct hook_request request;
    int r;

    r = receive(sock, &request, &fd);
    if (r == -EAGAIN || r == -EINTR)
        return G_SOURCE_CONTINUE;
    g_source_remove(client->timer);
    client->timer = 0;
    client->watch = 0;
    if (r < 0)
        client_end(client);
    else
        handle_request(client, &request, fd);
    return G_SOURCE_REMOVE;
}

static gboolean on_silent(gpointer data)
{
    Client *client = data;

    client->timer = 0;
    client_end(client);
    return G_SOURCE_REMOVE;
}

static guint silent_max(void)
{
    struct rlimit limit;

    return getrlimit(RLIMIT_NOFILE, &limit) < 0 ? SILENT_MAX
                                                : (guint)MIN(limit.rlim_cur / 4, SILENT_MAX);
}

/* Until its request has come. */
static gboolean is_silent(const Client *client)
{
    return client->watch != 0;
}

/* A hook sends its request at once, so who has been silent for the longest is none. */
static gboolean end_oldest_silent(gpointer data)
{
    NrHookSocket *hooks = data;

    for (guint i = 0; i < hooks->clients->len; i++)
        if (is_silent(hooks->clients->pdata[i])) {
            client_end(hooks->clients->pdata[i]);
            return TRUE;
        }
    return FALSE;
}

static guint count_silent(const NrHookSocket *hooks)
{
    guint count = 0;

    for (guint i = 0; i < hooks->clients->len; i++)
        count += is_silent(hooks->clients->pdata[i]);
    return count;
}

static void on_connected(int sock, gpointer data)
{
    NrHookSocket *hooks = data;
    Client *client;

    if (!nr_callers_may(sock, NR_NO_GROUP, NULL)) { /* libvirt runs hooks as its own user */
        close(sock);
        return;
    }
    if (count_silent(hooks) >= hooks->silent_max)
        end_oldest_silent(hooks);
    client = g_new0(Client, 1);
    client->hooks = hooks;
    client->sock = sock;
    client->began_us = g_get_monotonic_time();
    client->timer = g_timeout_add(REQUEST_MS, on_silent, client);
    client->watch = g_unix_fd_add(sock, G_IO_IN | G_IO_HUP | G_IO_ERR, on_client, client);
    g_ptr_array_add(hooks->clients, client);
    nr_acceptor_pause(hooks->acceptor, hooks->clients->len >= CLIENTS_MAX);
}

static const NrAcceptorEvents acceptor_events = { .connected = on_connected,
                                                  .make_room = end_oldest_silent };

void nr_hook_socket_listen(NrHookSocket *hooks, int sock)
{
    nr_acceptor_listen(hooks->acceptor, sock);
}

static void recall(NrHookSocket *hooks, int runtime_fd)
{
    g_autoptr(GPtrArray) guests = NULL;

    hooks->starts = nr_starts_new(runtime_fd, &guests);
    for (guint i = 0; i < guests->len; i++)
        nr_inventory_recall(hooks->inventory, guests->pdata[i], g_get_monotonic_time() / 1000);
}

NrHookSocket *nr_hook_socket_new(int sock, int runtime_fd, const NrWorld *world,
                                 NrReconcile *reconcile, NrGuestSource *source, NrNews *news)
{
    NrHookSocket *hooks = g_new0(NrHookSocket, 1);

    hooks->acceptor = nr_acceptor_new(&acceptor_events, hooks);
    hooks->silent_max = silent_max();
    hooks->world = world;
    hooks->inventory = world->inventory;
    hooks->reconcile = reconcile;
    hooks->source = source;
    hooks->news = news;
    hooks->clients = g_ptr_array_new();
    recall(hooks, runtime_fd);
    nr_hook_socket_listen(hooks, sock);
    return hooks;
}

void nr_hook_socket_guests_changed(NrHookSocket *hooks)
{
    g_autoptr(GPtrArray) guests = NULL;

    if (!hooks || !nr_reconcile_knows_guests(hooks->reconcile) || nr_starts_is_empty(hooks->starts))
        return;
    guests = nr_inventory_snapshot(hooks->inventory);
    nr_starts_keep(hooks->starts, guests);
}

void nr_hook_socket_free(NrHookSocket *hooks)
{
    if (!hooks)
        return;
    for (guint i = 0; i < hooks->clients->len; i++)
        client_free(hooks->clients->pdata[i]);
    g_ptr_array_unref(hooks->clients);
    nr_acceptor_free(hooks->acceptor);
    nr_starts_free(hooks->starts);
    g_free(hooks);
}
