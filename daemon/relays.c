/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A relay is in the table from its first sign to ENDED, by its socket's name: one network can have
 * one relay only, whether it answers or not. Who waits for a relay to start or to end is in
 * `waiting`, each with a deadline of its own.
 */
#include "daemon/relays.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>
#include "common/scope.h"
#include "daemon/gathering.h"
#include "daemon/log.h"
#include "daemon/lost-relays.h"
#include "daemon/relays-private.h"
#include "daemon/upgrade.h"

#define ADOPT_MS 2000 /* for the greeting of relays that live */
#define WAIT_MS  6000 /* longer than a relay's own deadlines: the net below them */
#define YOUNG_MS 1000 /* one that lived no longer is not followed at once */

typedef enum { WAIT_START, WAIT_END } WaitKind;

typedef struct {
    NrRelays *relays;
    NrRelay *relay;
    WaitKind kind;
    NrReply reply;
    gpointer data;
    guint timer;
} Waiter;

struct NrRelays {
    const NrRelaySettings *settings;
    const NrRelaysEvents *events;
    gpointer data;
    GHashTable *by_socket; /* socket name -> NrRelay */
    GHashTable *by_name;   /* network -> NrRelay: those that have said it, or were told */
    GPtrArray *waiting;    /* Waiter */
    void (*adopted)(gpointer data);
    gpointer adopted_data;
    guint adopt_timer;
    guint restore_timer;
    NrUpgrade *upgrade; /* of one relay; NULL: of none */
    NrReply upgraded;
    gpointer upgraded_data;
};

/* Waiting */

static void waiter_finish(Waiter *waiter, int error, const char *text)
{
    g_ptr_array_remove_fast(waiter->relays->waiting, waiter);
    if (waiter->timer)
        g_source_remove(waiter->timer);
    waiter->reply(error, text, waiter->data);
    g_free(waiter);
}

static gboolean on_wait_late(gpointer data)
{
    Waiter *waiter = data;

    waiter->timer = 0;
    waiter_finish(waiter, -ETIMEDOUT, "its relay does not answer");
    return G_SOURCE_REMOVE;
}

static void waiter_new(NrRelays *relays, NrRelay *relay, WaitKind kind, NrReply reply,
                       gpointer data)
{
    Waiter *waiter = g_new0(Waiter, 1);

    waiter->relays = relays;
    waiter->relay = relay;
    waiter->kind = kind;
    waiter->reply = reply;
    waiter->data = data;
    waiter->timer = g_timeout_add(WAIT_MS, on_wait_late, waiter);
    g_ptr_array_add(relays->waiting, waiter);
}

static Waiter *waiter_find(NrRelays *relays, const NrRelay *relay, WaitKind kind)
{
    for (guint i = 0; i < relays->waiting->len; i++) {
        Waiter *waiter = relays->waiting->pdata[i];

        if (waiter->relay == relay && waiter->kind == kind)
            return waiter;
    }
    return NULL;
}

static void finish_waiting(NrRelays *relays, const NrRelay *relay, WaitKind kind, int error,
                           const char *text)
{
    Waiter *waiter;

    while ((waiter = waiter_find(relays, relay, kind)))
        waiter_finish(waiter, error, text);
}

/* Going on where another relay has left a deposit */

static NrRelay *relay_start(NrRelays *relays, const char *network, int image, char **ret_text);
static void restore_all(NrRelays *relays);
static void restore_in(NrRelays *relays, guint delay_ms);

static gboolean on_restore_due(gpointer data)
{
    NrRelays *relays = data;

    relays->restore_timer = 0;
    restore_all(relays);
    return G_SOURCE_REMOVE;
}

/* Guests' connections have nobody: not even a pass is waited for. */
static void restore(NrRelays *relays, const char *socket_name)
{
    g_autofree char *network = nr_store_network(relays->settings->store, socket_name);
    g_autofree char *text = NULL;

    if (!network) {
        nr_store_forget(relays->settings->store, socket_name);
        return;
    }
    nr_log(NR_LOG_INFO, "network %s: another relay goes on with its connections", network);
    if (relay_start(relays, network, -1, &text))
        return;
    nr_log(NR_LOG_WARNING, "network %s: %s", network, text);
    restore_in(relays, YOUNG_MS);
}

static void restore_all(NrRelays *relays)
{
    g_autoptr(GPtrArray) deposits = nr_store_relays(relays->settings->store);

    for (guint i = 0; i < deposits->len; i++)
        if (!g_hash_table_contains(relays->by_socket, deposits->pdata[i]))
            restore(relays, deposits->pdata[i]);
}

static void restore_in(NrRelays *relays, guint delay_ms)
{
    if (!relays->restore_timer)
        relays->restore_timer = g_timeout_add(delay_ms, on_restore_due, relays);
}

/* Adoption */

static gboolean adoption_goes_on(const NrRelays *relays)
{
    GHashTableIter iter;
    gpointer relay;

    g_hash_table_iter_init(&iter, relays->by_socket);
    while (g_hash_table_iter_next(&iter, NULL, &relay))
        if (nr_relay_state(relay) == NR_RELAY_STARTING)
            return TRUE;
    return FALSE;
}

static void adoption_end(NrRelays *relays)
{
    void (*adopted)(gpointer data) = relays->adopted;

    if (!adopted)
        return;
    relays->adopted = NULL;
    if (relays->adopt_timer)
        g_source_remove(relays->adopt_timer);
    relays->adopt_timer = 0;
    adopted(relays->adopted_data);
}

static gboolean on_adoption_late(gpointer data)
{
    NrRelays *relays = data;

    relays->adopt_timer = 0;
    adoption_end(relays);
    return G_SOURCE_REMOVE;
}

/* An upgrade */

static void on_upgraded(int error, const char *text, gpointer data)
{
    NrRelays *relays = data;
    NrUpgrade *upgrade = g_steal_pointer(&relays->upgrade);

    relays->upgraded(error, text, relays->upgraded_data);
    nr_upgrade_free(upgrade);
}

/* Its relay is gone; FALSE: nobody of it is to follow. */
static gboolean upgrade_goes_on(NrRelays *relays, const char *why)
{
    g_autofree char *text = g_strdup(why);
    int image;

    while (nr_upgrade_next(relays->upgrade, text, &image)) {
        g_autofree char *network = g_strdup(nr_upgrade_network(relays->upgrade));
        NrRelay *relay;

        g_clear_pointer(&text, g_free);
        relay = relay_start(relays, network, image, &text);
        if (!relay)
            continue;
        nr_upgrade_started(relays->upgrade, relay);
        return TRUE;
    }
    return FALSE;
}

gboolean nr_relays_is_outdated(const NrRelays *relays, const char *network)
{
    const NrRelay *relay = nr_relays_find(relays, network);

    return relay && nr_upgrade_is_due(relays->settings, relay);
}

void nr_relays_upgrade(NrRelays *relays, const char *network, NrReply reply, gpointer data)
{
    NrRelay *relay = nr_relays_find(relays, network);
    g_autofree char *text = NULL;

    if (!relay || nr_relay_state(relay) != NR_RELAY_READY) {
        text = relay ? nr_relay_silence(relay) : g_strdup("it has no relay that runs");
        reply(-ENOTCONN, text, data);
    } else if (relays->upgrade) {
        reply(-EBUSY, "another relay is just being upgraded; try it again", data);
    } else if (!nr_upgrade_is_due(relays->settings, relay)) {
        reply(-EALREADY, NULL, data);
    } else {
        relays->upgraded = reply;
        relays->upgraded_data = data;
        relays->upgrade = nr_upgrade_new(relays->settings, relay, on_upgraded, relays, &text);
        if (!relays->upgrade)
            reply(-EAGAIN, text, data);
    }
}

/* Events of a relay */

static void relay_is_gone(NrRelays *relays, NrRelay *relay)
{
    g_autofree char *name = g_strdup(nr_relay_name(relay));
    g_autofree char *text = g_strdup(nr_relay_end_text(relay));
    gboolean expected = waiter_find(relays, relay, WAIT_END) != NULL;
    gboolean starting = waiter_find(relays, relay, WAIT_START) != NULL;
    gint64 age_ms = nr_relay_age_ms(relay);

    g_hash_table_steal(relays->by_socket, nr_relay_socket(relay));
    if (name)
        g_hash_table_remove(relays->by_name, name);
    finish_waiting(relays, relay, WAIT_START, -ECHILD, text);
    finish_waiting(relays, relay, WAIT_END, 0, NULL);
    if (nr_upgrade_is_of(relays->upgrade, relay) && upgrade_goes_on(relays, text)) {
        nr_relay_free(relay);
        relays->events->changed(relays->data);
        return;
    }
    nr_relay_free(relay);
    if (age_ms < YOUNG_MS)
        restore_in(relays, YOUNG_MS);
    else
        restore_all(relays);
    if (!expected && !starting && name)
        relays->events->died(name, age_ms, text, relays->data);
    relays->events->changed(relays->data);
}

static void on_relay_state(NrRelay *relay, gpointer data)
{
    NrRelays *relays = data;

    switch (nr_relay_state(relay)) {
    case NR_RELAY_READY:
        g_hash_table_replace(relays->by_name, (gpointer)nr_relay_name(relay), relay);
        finish_waiting(relays, relay, WAIT_START, 0, NULL);
        if (nr_upgrade_is_of(relays->upgrade, relay))
            nr_upgrade_relay_ready(relays->upgrade);
        relays->events->changed(relays->data);
        break;
    case NR_RELAY_MUTE:
        finish_waiting(relays, relay, WAIT_START, -ETIMEDOUT, "its relay does not answer");
        break;
    case NR_RELAY_ENDED:
        relay_is_gone(relays, relay);
        break;
    default:
        return;
    }
    if (relays->adopted && !adoption_goes_on(relays))
        adoption_end(relays);
}

static void on_relay_changed(NrRelay *relay, gpointer data)
{
    NrRelays *relays = data;

    relays->events->changed(relays->data);
}

static void on_relay_replaced(NrRelay *relay, const char *how, gpointer data)
{
    NrRelays *relays = data;

    relays->events->replaced(nr_relay_name(relay), how, relays->data);
}

static const NrRelayEvents relay_events = {
    .state = on_relay_state,
    .changed = on_relay_changed,
    .replaced = on_relay_replaced,
};

static NrRelay *relay_start(NrRelays *relays, const char *network, int image, char **ret_text)
{
    NrRelay *relay =
        nr_relay_spawn(relays->settings, network, image, &relay_events, relays, ret_text);

    if (relay)
        g_hash_table_insert(relays->by_socket, (gpointer)nr_relay_socket(relay), relay);
    return relay;
}

/* Life */

NrRelays *nr_relays_new(const NrRelaySettings *settings, const NrRelaysEvents *events,
                        gpointer data)
{
    NrRelays *relays = g_new0(NrRelays, 1);

    relays->settings = settings;
    relays->events = events;
    relays->data = data;
    relays->by_socket = g_hash_table_new(g_str_hash, g_str_equal);
    relays->by_name = g_hash_table_new(g_str_hash, g_str_equal);
    relays->waiting = g_ptr_array_new();
    return relays;
}

void nr_relays_free(NrRelays *relays)
{
    GHashTableIter iter;
    gpointer relay;

    if (!relays)
        return;
    if (relays->adopt_timer)
        g_source_remove(relays->adopt_timer);
    if (relays->restore_timer)
        g_source_remove(relays->restore_timer);
    while (relays->waiting->len > 0)
        waiter_finish(relays->waiting->pdata[0], -ECANCELED, NULL);
    g_hash_table_iter_init(&iter, relays->by_socket);
    while (g_hash_table_iter_next(&iter, NULL, &relay))
        nr_relay_free(relay);
    nr_upgrade_free(relays->upgrade);
    g_hash_table_unref(relays->by_socket);
    g_hash_table_unref(relays->by_name);
    g_ptr_array_unref(relays->waiting);
    g_free(relays);
}

static void adopt_one(NrRelays *relays, const char *socket_name)
{
    int error = 0;
    NrRelay *relay = nr_relay_adopt(relays->settings, socket_name, &relay_events, relays, &error);

    if (relay) {
        g_hash_table_insert(relays->by_socket, (gpointer)nr_relay_socket(relay), relay);
        return;
    }
    if (error == -ECONNREFUSED) { /* nobody is behind it any more */
        nr_log(NR_LOG_INFO, "removing the socket of a relay that is gone: %s", socket_name);
        (void)unlinkat(relays->settings->relays_fd, socket_name, 0);
        return;
    }
    nr_log(NR_LOG_WARNING, "relay socket %s: %s; it is left as it is", socket_name,
           g_strerror(-error));
}

/* Its socket is made again like one that is removed under us. */
static void adopt_lost(const char *socket_name, int sock, gpointer data)
{
    NrRelays *relays = data;
    NrRelay *relay;

    if (g_hash_table_contains(relays->by_socket, socket_name)) {
        close(sock);
        return;
    }
    relay = nr_relay_adopt_over(relays->settings, socket_name, sock, &relay_events, relays);
    g_hash_table_insert(relays->by_socket, (gpointer)nr_relay_socket(relay), relay);
}

void nr_relays_adopt(NrRelays *relays, void (*done)(gpointer data), gpointer data)
{
    const NrRelaySettings *settings = relays->settings;
    int fd = openat(settings->relays_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    struct dirent *entry;

    relays->adopted = done;
    relays->adopted_data = data;
    while (dir && (entry = readdir(dir)))
        if (g_str_has_suffix(entry->d_name, ".sock") &&
            strlen(entry->d_name) < NR_ACTUAL_SOCKET_MAX)
            adopt_one(relays, entry->d_name);
    if (dir)
        closedir(dir);
    nr_lost_relays_find(settings->switch_user ? settings->uid : geteuid(), adopt_lost, relays);
    restore_all(relays);
    relays->adopt_timer =
        g_timeout_add(adoption_goes_on(relays) ? ADOPT_MS : 0, on_adoption_late, relays);
}

gboolean nr_relays_lost_sockets(const NrRelays *relays)
{
    GHashTableIter iter;
    gpointer relay;

    g_hash_table_iter_init(&iter, relays->by_socket);
    while (g_hash_table_iter_next(&iter, NULL, &relay))
        if (nr_relay_lost_socket(relay))
            return TRUE;
    return FALSE;
}

int nr_relays_renew_sockets(NrRelays *relays)
{
    g_autoptr(GList) all = nr_relays_all(relays);
    int r = 0;

    for (GList *node = all; node && r == 0; node = node->next)
        if (nr_relay_lost_socket(node->data))
            r = nr_relay_renew_socket(node->data);
    return r;
}

void nr_relays_stop_all(NrRelays *relays, void (*done)(gpointer data), gpointer data)
{
    NrGathering *gathering = nr_gathering_new(done, data);
    g_autoptr(GList) all = nr_relays_all(relays);

    for (GList *node = all; node; node = node->next) {
        nr_gathering_join(gathering);
        waiter_new(relays, node->data, WAIT_END, nr_gathering_reply, gathering);
        nr_relay_stop(node->data);
    }
    nr_gathering_leave(gathering);
}

/* What exists; relays-look.c has the rest */

NrRelay *nr_relays_find(const NrRelays *relays, const char *network)
{
    NrRelay *relay = g_hash_table_lookup(relays->by_name, network);
    char socket_name[NR_ACTUAL_SOCKET_MAX];

    if (relay)
        return relay;
    nr_actual_socket_name(network, socket_name);
    return g_hash_table_lookup(relays->by_socket, socket_name);
}

GList *nr_relays_all(const NrRelays *relays)
{
    return g_hash_table_get_values(relays->by_socket);
}

const NrRelaySettings *nr_relays_settings(const NrRelays *relays)
{
    return relays->settings;
}

gboolean nr_relays_goes_on(const NrRelays *relays, const char *network)
{
    char socket_name[NR_ACTUAL_SOCKET_MAX];
    g_autofree char *deposited = NULL;

    nr_actual_socket_name(network, socket_name);
    deposited = nr_store_network(relays->settings->store, socket_name);
    return deposited != NULL;
}

guint nr_relays_count(const NrRelays *relays)
{
    g_autoptr(GPtrArray) deposits = nr_store_relays(relays->settings->store);
    guint count = g_hash_table_size(relays->by_socket);

    for (guint i = 0; i < deposits->len; i++)
        if (!g_hash_table_contains(relays->by_socket, deposits->pdata[i]))
            count++;
    return count;
}

/* Requests */

void nr_relays_spawn(NrRelays *relays, const char *network, NrReply reply, gpointer data)
{
    NrRelay *relay = nr_relays_find(relays, network);
    g_autofree char *text = NULL;

    if (relay && nr_relay_state(relay) == NR_RELAY_READY) {
        reply(0, NULL, data);
        return;
    }
    if (relay && nr_relay_state(relay) != NR_RELAY_STARTING) {
        text = nr_relay_silence(relay);
        reply(-EBUSY, text, data);
        return;
    }
    if (!relay) {
        relay = relay_start(relays, network, -1, &text);
        if (!relay) {
            reply(-ECHILD, text, data);
            return;
        }
    }
    waiter_new(relays, relay, WAIT_START, reply, data);
}

void nr_relays_stop(NrRelays *relays, const char *network, NrReply reply, gpointer data)
{
    NrRelay *relay = nr_relays_find(relays, network);

    if (!relay) {
        reply(0, NULL, data);
        return;
    }
    waiter_new(relays, relay, WAIT_END, reply, data);
    nr_relay_stop(relay);
}
