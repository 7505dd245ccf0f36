/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Requests to one relay, whose silence makes the relay mute. */
#include <errno.h>
#include "common/scope.h"
#include "daemon/gathering.h"
#include "daemon/relays-private.h"

typedef struct {
    NrRelays *relays;
    char *network;
    NrReply reply;
    gpointer data;
} Asked;

static void on_answered(int error, const char *text, gpointer data)
{
    Asked *asked = data;

    if (asked->reply)
        asked->reply(error, text, asked->data);
    if (error == -ETIMEDOUT) {
        NrRelay *relay = nr_relays_find(asked->relays, asked->network);

        if (relay)
            nr_relay_mark_mute(relay);
    }
    g_free(asked->network);
    g_free(asked);
}

/* The link to ask, or NULL after an answer that says why not. */
static NrRelayLink *link_to_ask(NrRelays *relays, const char *network, NrReply reply, gpointer data,
                                Asked **ret_asked)
{
    NrRelay *relay = nr_relays_find(relays, network);
    g_autofree char *text = NULL;

    if (!relay || nr_relay_state(relay) != NR_RELAY_READY) {
        text = relay ? nr_relay_silence(relay) : g_strdup("its relay is not running");
        if (reply)
            reply(-ENOTCONN, text, data);
        return NULL;
    }
    *ret_asked = g_new(Asked, 1);
    **ret_asked = (Asked){ relays, g_strdup(network), reply, data };
    return nr_relay_link(relay);
}

void nr_relays_attach(NrRelays *relays, const char *network, const char *endpoint,
                      const char *label, int pass_fd, const char *const *hosts, NrReply reply,
                      gpointer data)
{
    const NrRelaySettings *settings = nr_relays_settings(relays);
    NrAdmit admit = { settings->users, settings->n_users, hosts };
    gboolean listens = g_str_has_prefix(endpoint, "listen:");
    Asked *asked;
    NrRelayLink *link = link_to_ask(relays, network, reply, data, &asked);

    if (link)
        nr_relay_link_attach(link, endpoint, label, pass_fd, listens ? &admit : NULL, on_answered,
                             asked);
}

void nr_relays_detach(NrRelays *relays, const char *network, guint32 endpoint_id, NrReply reply,
                      gpointer data)
{
    Asked *asked;
    NrRelayLink *link = link_to_ask(relays, network, reply, data, &asked);

    if (link)
        nr_relay_link_detach(link, endpoint_id, on_answered, asked);
}

void nr_relays_label_port(NrRelays *relays, const char *network, guint32 port_id, const char *label)
{
    Asked *asked;
    NrRelayLink *link = link_to_ask(relays, network, NULL, NULL, &asked);

    if (link)
        nr_relay_link_label_port(link, port_id, label, on_answered, asked);
}

void nr_relays_admit_port(NrRelays *relays, const char *network, guint32 port_id, const char *label,
                          const char *options)
{
    Asked *asked;
    NrRelayLink *link = link_to_ask(relays, network, NULL, NULL, &asked);

    if (link)
        nr_relay_link_admit_port(link, port_id, label, options, on_answered, asked);
}

void nr_relays_set_options(NrRelays *relays, const char *network, guint32 port_id,
                           const char *options, NrReply reply, gpointer data)
{
    Asked *asked;
    NrRelayLink *link = link_to_ask(relays, network, reply, data, &asked);

    if (link)
        nr_relay_link_set_options(link, port_id, options, on_answered, asked);
}

/* One that does not answer would keep the port from being read by anybody. */
void nr_relays_move_port(NrRelays *relays, const char *network, guint32 port_id, const char *other,
                         NrReply reply, gpointer data)
{
    const NrRelay *taker = nr_relays_find(relays, other);
    _cleanup_(closep) int sock =
        taker && nr_relay_state(taker) == NR_RELAY_READY ? nr_relay_connect(taker) : -ENOTCONN;
    g_autofree char *text = NULL;
    NrRelayLink *link;
    Asked *asked;

    if (sock < 0) {
        text = g_strdup_printf("the relay of network %s does not take it: %s", other,
                               g_strerror(-sock));
        reply(sock, text, data);
        return;
    }
    link = link_to_ask(relays, network, reply, data, &asked);
    if (link)
        nr_relay_link_move_port(link, port_id, sock, on_answered, asked);
}

void nr_relays_close_port(NrRelays *relays, const char *network, guint32 port_id)
{
    Asked *asked;
    NrRelayLink *link = link_to_ask(relays, network, NULL, NULL, &asked);

    if (link)
        nr_relay_link_close_port(link, port_id, on_answered, asked);
}

void nr_relays_refresh(NrRelays *relays, void (*done)(gpointer data), gpointer data)
{
    NrGathering *gathering = nr_gathering_new(done, data);
    g_autoptr(GList) all = nr_relays_all(relays);

    for (GList *node = all; node; node = node->next) {
        const char *name = nr_relay_name(node->data);
        NrRelayLink *link;
        Asked *asked;

        if (nr_relay_state(node->data) != NR_RELAY_READY)
            continue;
        link = link_to_ask(relays, name, NULL, NULL, &asked);
        if (!link)
            continue;
        nr_gathering_join(gathering);
        asked->reply = nr_gathering_reply;
        asked->data = gathering;
        nr_relay_link_refresh(link, on_answered, asked);
    }
    nr_gathering_leave(gathering);
}
