/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/execute.h"

#include <errno.h>
#include <unistd.h>
#include "common/endpoint.h"
#include "common/scope.h"
#include "daemon/holder.h"
#include "net/bridge.h"

typedef struct {
    NrRelays *relays;
    GPtrArray *actions;
    const NrExecuteEvents *events;
    gpointer data;
    guint next;    /* the first action that has not been begun */
    guint open;    /* begun and not answered */
    gboolean busy; /* run() is at work further up the stack */
} Execution;

typedef struct {
    Execution *execution;
    const NrAction *action;
} Step;

static void run(Execution *execution);

/* In use by whom: the manager sees more than an unprivileged relay. */
static char *explain(const NrAction *action, int error, const char *text)
{
    g_autofree char *seen = NULL;

    if (error == -EADDRINUSE && action->kind == NR_ACTION_ATTACH)
        seen = nr_holder_describe(action->endpoint);
    if (seen)
        return g_strdup_printf("%s; end that process, or take another address", seen);
    return g_strdup(text ? text : g_strerror(-error));
}

static void on_answer(int error, const char *text, gpointer data)
{
    Step *step = data;
    Execution *execution = step->execution;
    g_autofree char *sentence = error < 0 ? explain(step->action, error, text) : NULL;

    execution->events->result(step->action, error, sentence, execution->data);
    g_free(step);
    execution->open--;
    if (!execution->busy)
        run(execution);
}

/* Bridges */

static char *bridge_sentence(const char *bridge, int error)
{
    switch (error) {
    case -ENODEV:
        return g_strdup_printf("bridge %s does not exist; make it, or correct the name", bridge);
    case -ENOTSUP:
        return g_strdup_printf("%s is not a bridge", bridge);
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

static void attach(Execution *execution, Step *step)
{
    const NrAction *action = step->action;
    g_auto(GStrv) hosts = action->admit ? g_strsplit(action->admit, " ", -1) : NULL;
    _cleanup_(closep) int tap = -1;
    struct endpoint endpoint;
    char name[TAP_NAME_MAX];

    if (bridge_of(action, &endpoint)) {
        tap = bridge_tap_create(endpoint.ifname, name);
        if (tap < 0) {
            g_autofree char *text = bridge_sentence(endpoint.ifname, tap);

            on_answer(tap, text, step);
            return;
        }
    }
    /* The relay has its own copy from here; the TAP goes with the last one. */
    nr_relays_attach(execution->relays, action->network, action->endpoint, action->label, tap,
                     (const char *const *)hosts, on_answer, step);
}

static void enslave(Step *step)
{
    g_autofree char *text = NULL;
    struct endpoint endpoint;
    int r = -EINVAL;

    if (bridge_of(step->action, &endpoint) && step->action->detail) {
        r = bridge_enslave(endpoint.ifname, step->action->detail);
        if (r < 0)
            text = bridge_sentence(endpoint.ifname, r);
    }
    on_answer(r, text, step);
}

static void begin(Execution *execution, const NrAction *action)
{
    Step *step = g_new(Step, 1);

    *step = (Step){ execution, action };
    execution->open++;
    switch (action->kind) {
    case NR_ACTION_DETACH:
        nr_relays_detach(execution->relays, action->network, action->endpoint_id, on_answer, step);
        break;
    case NR_ACTION_SPAWN:
        nr_relays_spawn(execution->relays, action->network, on_answer, step);
        break;
    case NR_ACTION_ATTACH:
        attach(execution, step);
        break;
    case NR_ACTION_ENSLAVE:
        enslave(step);
        break;
    case NR_ACTION_SET_OPTIONS:
        nr_relays_set_options(execution->relays, action->network, action->port_id, action->detail,
                              on_answer, step);
        break;
    case NR_ACTION_STOP:
        nr_relays_stop(execution->relays, action->network, on_answer, step);
        break;
    }
}

/* Begins stage after stage until one has to be waited for. */
static void run(Execution *execution)
{
    GPtrArray *actions = execution->actions;

    execution->busy = TRUE;
    while (execution->open == 0 && execution->next < actions->len) {
        NrActionKind kind = ((NrAction *)actions->pdata[execution->next])->kind;

        while (execution->next < actions->len &&
               ((NrAction *)actions->pdata[execution->next])->kind == kind)
            begin(execution, actions->pdata[execution->next++]);
    }
    execution->busy = FALSE;
    if (execution->open > 0)
        return;
    execution->events->done(execution->data);
    g_ptr_array_unref(actions);
    g_free(execution);
}

void nr_execute(NrRelays *relays, GPtrArray *actions, const NrExecuteEvents *events, gpointer data)
{
    Execution *execution = g_new0(Execution, 1);

    execution->relays = relays;
    execution->actions = actions;
    execution->events = events;
    execution->data = data;
    run(execution);
}
