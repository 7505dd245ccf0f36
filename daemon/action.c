/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/action.h"

#include "common/endpoint.h"
#include "daemon/change-words.h"
#include "xml/guest.h"

NrAction *nr_action_new(NrActionKind kind, const char *network)
{
    NrAction *action = g_new0(NrAction, 1);

    action->kind = kind;
    action->network = g_strdup(network);
    action->newest_id = -1;
    return action;
}

void nr_action_free(gpointer data)
{
    NrAction *action = data;

    g_free(action->network);
    g_free(action->endpoint);
    g_free(action->label);
    g_free(action->admit);
    g_free(action->detail);
    g_clear_pointer(&action->ground, g_ptr_array_unref);
    g_clear_pointer(&action->after, g_ptr_array_unref);
    g_free(action);
}

gboolean nr_action_takes(const NrAction *action)
{
    return action->kind == NR_ACTION_DETACH || action->kind == NR_ACTION_STOP ||
           action->kind == NR_ACTION_LIFT || action->kind == NR_ACTION_UNSERVE;
}

/* For people */

char *nr_action_change_words(const char *text)
{
    struct host_change change;

    return host_change_parse(&change, text) ? nr_change_to_lay(&change) : g_strdup("");
}

/* "make sure of the bridge virbr9, give 192.168.9.1/24 to virbr9". New string. */
static char *format_ground(const NrAction *action)
{
    GString *all = g_string_new(NULL);

    for (guint i = 0; i < action->ground->len; i++) {
        g_autofree char *text = NULL;
        struct host_change change;

        if (!host_change_parse(&change, g_ptr_array_index(action->ground, i)))
            continue;
        text =
            action->kind == NR_ACTION_LIFT ? nr_change_to_lift(&change) : nr_change_to_lay(&change);
        g_string_append_printf(all, "%s%s", all->len > 0 ? ", " : "", text);
    }
    return g_string_free(all, FALSE);
}

static char *format_attach(const struct endpoint *endpoint, const char *local, const char *remote)
{
    switch (endpoint->kind) {
    case ENDPOINT_LISTEN:
        return g_strdup_printf("listen on %s", local);
    case ENDPOINT_TCP:
        return g_strdup_printf("dial %s", remote);
    case ENDPOINT_UDP:
        return g_strdup_printf("bind udp %s for %s", local, remote);
    case ENDPOINT_BRIDGE:
        return g_strdup_printf("put a TAP into the bridge %s", endpoint->ifname);
    case ENDPOINT_USER:
        return g_strdup_printf("start netrelay-user with %s", endpoint->user);
    default:
        return NULL;
    }
}

static char *format_detach(const struct endpoint *endpoint, const char *local, const char *remote)
{
    switch (endpoint->kind) {
    case ENDPOINT_LISTEN:
        return g_strdup_printf("stop listening on %s", local);
    case ENDPOINT_TCP:
        return g_strdup_printf("hang up on %s", remote);
    case ENDPOINT_UDP:
        return g_strdup_printf("give up udp %s for %s", local, remote);
    case ENDPOINT_BRIDGE:
        return g_strdup_printf("take the TAP out of the bridge %s", endpoint->ifname);
    case ENDPOINT_USER:
        return g_strdup_printf("stop netrelay-user with %s", endpoint->user);
    default:
        return NULL;
    }
}

static char *format_endpoint(const NrAction *action)
{
    char local[ENDPOINT_TEXT_MAX], remote[ENDPOINT_TEXT_MAX];
    gboolean attach = action->kind == NR_ACTION_ATTACH;
    struct endpoint endpoint;
    const char *expected;
    char *text = NULL;

    if (endpoint_parse(&endpoint, action->endpoint, &expected) == 0) {
        endpoint_address_format(&endpoint.local, local);
        endpoint_address_format(&endpoint.remote, remote);
        text = attach ? format_attach(&endpoint, local, remote)
                      : format_detach(&endpoint, local, remote);
    }
    if (text && action->ground) {
        g_autofree char *ground = format_ground(action);
        g_autofree char *endpoint_text = text;

        return g_strdup_printf("%s, %s", ground, endpoint_text);
    }
    return text ? text : g_strdup_printf("%s %s", attach ? "attach" : "detach", action->endpoint);
}

char *nr_action_format(const NrAction *action)
{
    g_autofree char *what = NULL, *whole = NULL;

    switch (action->kind) {
    case NR_ACTION_SPAWN:
        what = g_strdup("start a relay");
        break;
    case NR_ACTION_STOP:
        what = g_strdup("stop the relay");
        break;
    case NR_ACTION_MOVE:
        what = g_strdup_printf("move port %u (%s) to %s", action->port_id, action->endpoint,
                               action->detail);
        break;
    case NR_ACTION_SET_OPTIONS:
        what = g_strdup_printf("limit port %u (%s): %s", action->port_id, action->endpoint,
                               *action->detail ? action->detail + 1 : "nothing");
        break;
    case NR_ACTION_LAY:
    case NR_ACTION_LIFT:
        what = format_ground(action);
        break;
    case NR_ACTION_SERVE:
        what = g_strdup("have dnsmasq serve its guests");
        break;
    case NR_ACTION_UNSERVE:
        what = g_strdup("end its dnsmasq");
        break;
    case NR_ACTION_ENSLAVE:
        what = g_strdup_printf("put the TAP %s back into its place, %s", action->detail,
                               action->endpoint);
        break;
    default:
        what = format_endpoint(action);
    }
    whole = g_strdup_printf("%s: %s", action->network, what);
    return nr_printable(whole);
}
