/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What all relays have, as they last said it. */
#include <errno.h>
#include "common/endpoint.h"
#include "daemon/relays-private.h"
#include "net/link.h"

/* Ours, but moved out of its bridge or set down by somebody. */
static gboolean tap_is_astray(const NrActualEndpoint *endpoint)
{
    struct link_state tap, bridge;
    struct endpoint parsed;
    const char *expected;

    if (!endpoint->detail || endpoint->state != CTL_ENDPOINT_UP ||
        endpoint_parse(&parsed, endpoint->text, &expected) < 0 || parsed.kind != ENDPOINT_BRIDGE)
        return FALSE;
    if (link_get(endpoint->detail, &tap) < 0)
        return FALSE; /* deleted: the relay notices by itself */
    if (link_get(parsed.ifname, &bridge) < 0)
        return TRUE;
    return tap.master != bridge.ifindex || !tap.up;
}

static NrActualNetwork *network_copy(NrRelay *relay)
{
    NrActualNetwork *to = nr_actual_network_copy(nr_relay_link_network(nr_relay_link(relay)));

    to->pid = nr_relay_pid(relay);
    to->mute = nr_relay_state(relay) == NR_RELAY_MUTE;
    for (guint i = 0; i < to->endpoints->len; i++) {
        NrActualEndpoint *endpoint = to->endpoints->pdata[i];

        endpoint->astray = tap_is_astray(endpoint);
    }
    return to;
}

static gboolean has_model(NrRelay *relay)
{
    NrRelayState state = nr_relay_state(relay);

    return nr_relay_link(relay) && nr_relay_link_is_ready(nr_relay_link(relay)) &&
           (state == NR_RELAY_READY || state == NR_RELAY_MUTE);
}

NrActual *nr_relays_snapshot(const NrRelays *relays)
{
    NrActual *actual = nr_actual_new();
    g_autoptr(GList) all = nr_relays_all(relays);

    for (GList *node = all; node; node = node->next)
        if (has_model(node->data))
            g_ptr_array_add(actual->networks, network_copy(node->data));
    return actual;
}

const NrActualNetwork *nr_relays_network(const NrRelays *relays, const char *network)
{
    NrRelay *relay = nr_relays_find(relays, network);

    return relay && has_model(relay) ? nr_relay_link_network(nr_relay_link(relay)) : NULL;
}

int nr_relays_look(const NrRelays *relays, const char *network)
{
    const NrRelay *relay = nr_relays_find(relays, network);

    return relay ? nr_relay_look(relay) : -ENOENT;
}
