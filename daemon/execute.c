/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A lane is the work on one network, from the plan that began it to its last answer. What it gives
 * up comes first in it and waits for nobody; an attachment that has to come after another lane's
 * waits until that one has given up what it had to. So no two lanes wait for each other.
 */
#include "daemon/execute.h"

#include "common/endpoint.h"
#include "daemon/step.h"

#define STARTS_MAX 16 /* relays; more at once make each one late, and none of them sooner */

typedef struct {
    NrExecutor *executor; /* NULL: it has been freed, and answers are still to come */
    char *network;
    GPtrArray *actions; /* NrAction, owns */
    GArray *ports;      /* guint: of the addresses that are given up */
    guint next;         /* the first action that has not been begun */
    guint open;         /* begun and not answered */
    guint freeing;      /* of those that come first: not answered */
    gboolean busy;      /* lane_run() is at work further up the stack */
} Lane;

struct NrExecutor {
    NrRelays *relays;
    NrGround *ground;
    NrServing *serving;
    const NrExecuteEvents *events;
    gpointer data;
    GHashTable *lanes;     /* network -> Lane */
    GQueue held_up;        /* Lane: waits for another one */
    GQueue to_start;       /* Lane: waits for its turn to start a relay */
    guint starting;        /* relays */
    gboolean sweeping;     /* run_waiting() is at work further up the stack */
    gboolean again;        /* ... and has to begin anew */
    GHashTable *put_off;   /* set of networks: of the last plan */
    GArray *put_off_ports; /* as in a lane */
    GHashTable *ports;     /* number -> how many of these arrays have it */
};

typedef struct {
    Lane *lane;
    const NrAction *action;
} Step;

static void lane_run(Lane *lane);
static void run_waiting(NrExecutor *executor);

/* Addresses that are given up */

static void collect_port(GArray *ports, const char *text)
{
    struct endpoint endpoint;
    const char *expected;
    guint number;

    if (endpoint_parse(&endpoint, text, &expected) < 0 || endpoint.local.l4_port == 0)
        return;
    number = endpoint.local.l4_port;
    g_array_append_val(ports, number);
}

static void collect_ports(const NrExecutor *executor, const NrAction *action, GArray *ports)
{
    const NrActualNetwork *network;

    if (action->kind == NR_ACTION_DETACH)
        collect_port(ports, action->endpoint);
    if (action->kind != NR_ACTION_STOP)
        return;
    network = nr_relays_network(executor->relays, action->network);
    for (guint i = 0; network && i < network->endpoints->len; i++)
        collect_port(ports, ((const NrActualEndpoint *)network->endpoints->pdata[i])->text);
}

static void count_ports(NrExecutor *executor, const GArray *ports, int by)
{
    for (guint i = 0; i < ports->len; i++) {
        gpointer key = GUINT_TO_POINTER(g_array_index(ports, guint, i));
        int count = GPOINTER_TO_INT(g_hash_table_lookup(executor->ports, key)) + by;

        if (count > 0)
            g_hash_table_insert(executor->ports, key, GINT_TO_POINTER(count));
        else
            g_hash_table_remove(executor->ports, key);
    }
}

/* Lanes */

static Lane *lane_new(NrExecutor *executor, const char *network)
{
    Lane *lane = g_new0(Lane, 1);

    lane->executor = executor;
    lane->network = g_strdup(network);
    lane->actions = g_ptr_array_new_with_free_func(nr_action_free);
    lane->ports = g_array_new(FALSE, FALSE, sizeof(guint));
    return lane;
}

static void lane_free(Lane *lane)
{
    g_free(lane->network);
    g_ptr_array_unref(lane->actions);
    g_array_unref(lane->ports);
    g_free(lane);
}

/* All its actions are in it. */
static void lane_prepare(Lane *lane)
{
    while (lane->freeing < lane->actions->len &&
           ((NrAction *)lane->actions->pdata[lane->freeing])->first)
        lane->freeing++;
    for (guint i = 0; i < lane->actions->len; i++)
        collect_ports(lane->executor, lane->actions->pdata[i], lane->ports);
    count_ports(lane->executor, lane->ports, 1);
}

static void lane_end(Lane *lane)
{
    NrExecutor *executor = lane->executor;

    g_hash_table_remove(executor->lanes, lane->network);
    count_ports(executor, lane->ports, -1);
    lane_free(lane);
    executor->events->done(executor->data);
}

/* Answers */

static void on_answer(int error, const char *text, gpointer data)
{
    g_autofree Step *step = data;
    Lane *lane = step->lane;
    NrExecutor *executor = lane->executor;
    g_autofree char *sentence = NULL;

    lane->open--;
    if (!executor) {
        if (lane->open == 0)
            lane_free(lane);
        return;
    }
    sentence = error < 0 ? nr_step_explain(step->action, error, text) : NULL;
    executor->events->result(step->action, error, sentence, executor->data);
    if (step->action->kind == NR_ACTION_SPAWN)
        executor->starting--;
    if (lane->freeing > 0)
        lane->freeing--;
    if (!lane->busy)
        lane_run(lane);
    run_waiting(executor);
}

static void begin(Lane *lane, const NrAction *action)
{
    Step *step = g_new(Step, 1);

    *step = (Step){ lane, action };
    lane->open++;
    if (action->kind == NR_ACTION_SPAWN)
        lane->executor->starting++;
    nr_step(lane->executor->relays, lane->executor->ground, lane->executor->serving, action,
            on_answer, step);
}

/* Stage after stage */

/* Where the lane has to wait before its next stage; NULL: it need not. */
static GQueue *place_to_wait(const Lane *lane)
{
    const NrAction *action = lane->actions->pdata[lane->next];
    NrExecutor *executor = lane->executor;

    if (action->kind == NR_ACTION_SPAWN && executor->starting >= STARTS_MAX)
        return &executor->to_start;
    for (guint i = 0; action->after && i < action->after->len; i++) {
        const Lane *other = g_hash_table_lookup(executor->lanes, action->after->pdata[i]);

        if (other && other->freeing > 0)
            return &executor->held_up;
    }
    return NULL;
}

static void begin_stage(Lane *lane)
{
    NrActionKind kind = ((NrAction *)lane->actions->pdata[lane->next])->kind;

    while (lane->next < lane->actions->len &&
           ((NrAction *)lane->actions->pdata[lane->next])->kind == kind)
        begin(lane, lane->actions->pdata[lane->next++]);
}

/* Until an answer has to be waited for, or another lane; may free the lane. */
static void lane_run(Lane *lane)
{
    GQueue *waiting = NULL;

    lane->busy = TRUE;
    while (lane->open == 0 && lane->next < lane->actions->len && !waiting) {
        waiting = place_to_wait(lane);
        if (!waiting)
            begin_stage(lane);
    }
    lane->busy = FALSE;
    if (waiting)
        g_queue_push_tail(waiting, lane);
    else if (lane->open == 0)
        lane_end(lane);
}

/* An answer has come: somebody may go on. */
static void run_waiting(NrExecutor *executor)
{
    executor->again = TRUE;
    if (executor->sweeping)
        return;
    executor->sweeping = TRUE;
    while (executor->again) {
        guint count = g_queue_get_length(&executor->held_up);

        executor->again = FALSE;
        while (count-- > 0)
            lane_run(g_queue_pop_head(&executor->held_up));
        while (executor->starting < STARTS_MAX && !g_queue_is_empty(&executor->to_start))
            lane_run(g_queue_pop_head(&executor->to_start));
    }
    executor->sweeping = FALSE;
}

/* Plans */

static gboolean follows_put_off(const NrExecutor *executor, const NrAction *action)
{
    for (guint i = 0; action->after && i < action->after->len; i++)
        if (g_hash_table_contains(executor->put_off, action->after->pdata[i]))
            return TRUE;
    return FALSE;
}

/* What is being worked on, what has to come after that, and so on. */
static void find_put_off(NrExecutor *executor, const GPtrArray *actions)
{
    gboolean more;

    for (guint i = 0; i < actions->len; i++) {
        const NrAction *action = actions->pdata[i];

        if (g_hash_table_contains(executor->lanes, action->network))
            g_hash_table_add(executor->put_off, g_strdup(action->network));
    }
    do {
        more = FALSE;
        for (guint i = 0; i < actions->len; i++) {
            const NrAction *action = actions->pdata[i];

            if (follows_put_off(executor, action))
                more |= g_hash_table_add(executor->put_off, g_strdup(action->network));
        }
    } while (more);
}

static void forget_put_off(NrExecutor *executor)
{
    g_hash_table_remove_all(executor->put_off);
    count_ports(executor, executor->put_off_ports, -1);
    g_array_set_size(executor->put_off_ports, 0);
}

/* The lanes that are begun, in the order of the plan. */
static GPtrArray *make_lanes(NrExecutor *executor, GPtrArray *actions)
{
    GPtrArray *lanes = g_ptr_array_new();

    for (guint i = 0; i < actions->len; i++) {
        NrAction *action = actions->pdata[i];
        Lane *lane;

        if (g_hash_table_contains(executor->put_off, action->network)) {
            collect_ports(executor, action, executor->put_off_ports);
            nr_action_free(action);
            continue;
        }
        lane = g_hash_table_lookup(executor->lanes, action->network);
        if (!lane) {
            lane = lane_new(executor, action->network);
            g_hash_table_insert(executor->lanes, lane->network, lane);
            g_ptr_array_add(lanes, lane);
        }
        g_ptr_array_add(lane->actions, action);
    }
    return lanes;
}

void nr_execute(NrExecutor *executor, GPtrArray *actions)
{
    g_autoptr(GPtrArray) lanes = NULL;

    forget_put_off(executor);
    find_put_off(executor, actions);
    lanes = make_lanes(executor, actions);
    g_ptr_array_set_free_func(actions, NULL);
    g_ptr_array_unref(actions);
    count_ports(executor, executor->put_off_ports, 1);
    for (guint i = 0; i < lanes->len; i++)
        lane_prepare(lanes->pdata[i]);
    for (guint i = 0; i < lanes->len; i++)
        lane_run(lanes->pdata[i]);
}

gboolean nr_executor_works_on(const NrExecutor *executor, const char *network)
{
    return g_hash_table_contains(executor->lanes, network) ||
           g_hash_table_contains(executor->put_off, network);
}

gboolean nr_executor_frees(const NrExecutor *executor, guint l4_port)
{
    return g_hash_table_contains(executor->ports, GUINT_TO_POINTER(l4_port));
}

gboolean nr_executor_has_put_off(const NrExecutor *executor)
{
    return g_hash_table_size(executor->put_off) > 0;
}

gboolean nr_executor_is_idle(const NrExecutor *executor)
{
    return g_hash_table_size(executor->lanes) == 0 && !nr_executor_has_put_off(executor);
}

/* Life */

NrExecutor *nr_executor_new(NrRelays *relays, NrGround *ground, NrServing *serving,
                            const NrExecuteEvents *events, gpointer data)
{
    NrExecutor *executor = g_new0(NrExecutor, 1);

    executor->relays = relays;
    executor->ground = ground;
    executor->serving = serving;
    executor->events = events;
    executor->data = data;
    executor->lanes = g_hash_table_new(g_str_hash, g_str_equal);
    executor->put_off = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    executor->put_off_ports = g_array_new(FALSE, FALSE, sizeof(guint));
    executor->ports = g_hash_table_new(NULL, NULL);
    return executor;
}

void nr_executor_free(NrExecutor *executor)
{
    GHashTableIter iter;
    gpointer p;

    if (!executor)
        return;
    g_hash_table_iter_init(&iter, executor->lanes);
    while (g_hash_table_iter_next(&iter, NULL, &p)) {
        Lane *lane = p;

        lane->executor = NULL;
        if (lane->open == 0)
            lane_free(lane);
    }
    g_hash_table_unref(executor->lanes);
    g_queue_clear(&executor->held_up);
    g_queue_clear(&executor->to_start);
    g_hash_table_unref(executor->put_off);
    g_array_unref(executor->put_off_ports);
    g_hash_table_unref(executor->ports);
    g_free(executor);
}
