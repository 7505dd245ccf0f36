/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/step.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>
#include "common/endpoint.h"
#include "common/scope.h"
#include "daemon/holder.h"
#include "net/bridge.h"

/* In use by whom: the manager sees more than an unprivileged relay. */
static char *explain_holder(const char *endpoint)
{
    g_autofree char *seen = nr_holder_describe(endpoint);

    return seen ? g_strdup_printf("%s; end that process, or take another address", seen) : NULL;
}

char *nr_step_explain(const NrAction *action, int error, const char *text)
{
    char *seen = NULL;

    if (error == -EADDRINUSE && action->kind == NR_ACTION_ATTACH)
        seen = explain_holder(action->endpoint);
    return seen ? seen : g_strdup(text ? text : g_strerror(-error));
}

char *nr_step_explain_foreign(const char *endpoint)
{
    char *seen = explain_holder(endpoint);

    return seen ? seen
                : g_strdup_printf("%s was another process's when the guest started, and nobody is "
                                  "seen to have it now; netrelayctl revive connects the guest",
                                  strchr(endpoint, ':') + 1);
}

static char *bridge_sentence(const char *bridge, int error)
{
    switch (error) {
    case -ENODEV:
        return g_strdup_printf("bridge %s does not exist; make it, or correct the name", bridge);
    case -ENOTSUP:
        return g_strdup_printf("%s is not a bridge; name one, or let it join one: "
                               "<forward mode='bridge' dev='%s'/>",
                               bridge, bridge);
    case -EPERM:
    case -EACCES:
    case -ENXIO: /* no /dev/net/tun */
        if (geteuid() != 0)
            return g_strdup_printf(
                "bridge %s: bridges need the system's manager; use qemu:///system, or "
                "take the bridge out of the network",
                bridge);
        return g_strdup_printf("bridge %s: the manager lacks CAP_NET_ADMIN, or /dev/net/tun",
                               bridge);
    default:
        return g_strdup_printf("bridge %s: %s", bridge, g_strerror(-error));
    }
}

static gboolean bridge_of(const NrAction *action, struct endpoint *ret)
{
    const char *expected;

    return action->endpoint && endpoint_parse(ret, action->endpoint, &expected) == 0 &&
           ret->kind == ENDPOINT_BRIDGE;
}

/* What it cannot be for is said of the bridge where the bridge itself is the reason. */
static int lay(NrGround *ground, const NrAction *action, char **ret_text)
{
    struct endpoint endpoint;
    int r = nr_ground_lay(ground, action->network, action->ground, ret_text);

    if (r < 0 && !*ret_text)
        *ret_text = bridge_of(action, &endpoint) ? bridge_sentence(endpoint.ifname, r)
                                                 : g_strdup(g_strerror(-r));
    return r;
}

static void attach(NrRelays *relays, NrGround *ground, const NrAction *action, NrReply reply,
                   gpointer data)
{
    g_auto(GStrv) hosts = action->admit ? g_strsplit(action->admit, " ", -1) : NULL;
    _cleanup_(closep) int tap = -1;
    struct endpoint endpoint;
    char name[TAP_NAME_MAX];

    if (action->ground) {
        g_autofree char *text = NULL;
        int r = lay(ground, action, &text);

        if (r < 0) {
            reply(r, text, data);
            return;
        }
    }
    if (bridge_of(action, &endpoint)) {
        tap = bridge_tap_create(endpoint.ifname, name);
        if (tap < 0) {
            g_autofree char *text = bridge_sentence(endpoint.ifname, tap);

            reply(tap, text, data);
            return;
        }
    }
    /* The relay has its own copy from here; the TAP goes with the last one. */
    nr_relays_attach(relays, action->network, action->endpoint, action->label, tap,
                     (const char *const *)hosts, reply, data);
}

static void enslave(const NrAction *action, NrReply reply, gpointer data)
{
    g_autofree char *text = NULL;
    struct endpoint endpoint;
    int r = -EINVAL;

    if (bridge_of(action, &endpoint) && action->detail) {
        r = bridge_enslave(endpoint.ifname, action->detail);
        if (r < 0)
            text = bridge_sentence(endpoint.ifname, r);
    }
    reply(r, text, data);
}

static void change_ground(NrGround *ground, const NrAction *action, NrReply reply, gpointer data)
{
    g_autofree char *text = NULL;
    int r = action->kind == NR_ACTION_LAY ? lay(ground, action, &text)
                                          : nr_ground_lift(ground, action->ground, &text);

    reply(r, text, data);
}

void nr_step(NrRelays *relays, NrGround *ground, NrServing *serving, const NrAction *action,
             NrReply reply, gpointer data)
{
    switch (action->kind) {
    case NR_ACTION_DETACH:
        nr_relays_detach(relays, action->network, action->endpoint_id, reply, data);
        break;
    case NR_ACTION_SPAWN:
        nr_relays_spawn(relays, action->network, reply, data);
        break;
    case NR_ACTION_ATTACH:
        attach(relays, ground, action, reply, data);
        break;
    case NR_ACTION_LAY:
    case NR_ACTION_LIFT:
        change_ground(ground, action, reply, data);
        break;
    case NR_ACTION_ENSLAVE:
        enslave(action, reply, data);
        break;
    case NR_ACTION_SET_OPTIONS:
        nr_relays_set_options(relays, action->network, action->port_id, action->detail, reply,
                              data);
        break;
    case NR_ACTION_MOVE:
        nr_relays_move_port(relays, action->network, action->port_id, action->detail, reply, data);
        break;
    case NR_ACTION_STOP:
        nr_relays_stop(relays, action->network, reply, data);
        break;
    case NR_ACTION_SERVE:
        nr_serving_begin(serving, action->network, action->detail, action->ground, reply, data);
        break;
    case NR_ACTION_UNSERVE:
        nr_serving_end(serving, action->network, reply, data);
        break;
    }
}
