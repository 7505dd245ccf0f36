/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/waiters.h"

#include "daemon/barrier.h"

typedef struct {
    char *guest;   /* UUID: until its NICs have what they need */
    char *network; /* until its work is done; with neither, until all is */
    gboolean seen; /* a pass has begun since */
    void (*done)(gpointer data);
    gpointer data;
} Waiter;

struct NrWaiters {
    GQueue waiting; /* Waiter */
    GQueue served;  /* Waiter: about to be called */
};

static void waiter_free(gpointer data)
{
    Waiter *waiter = data;

    g_free(waiter->guest);
    g_free(waiter->network);
    g_free(waiter);
}

NrWaiters *nr_waiters_new(void)
{
    return g_new0(NrWaiters, 1);
}

void nr_waiters_free(NrWaiters *waiters)
{
    g_queue_clear_full(&waiters->waiting, waiter_free);
    g_queue_clear_full(&waiters->served, waiter_free);
    g_free(waiters);
}

static void add(NrWaiters *waiters, Waiter fields)
{
    g_queue_push_tail(&waiters->waiting, g_memdup2(&fields, sizeof(fields)));
}

void nr_waiters_add_guest(NrWaiters *waiters, const char *uuid, void (*done)(gpointer data),
                          gpointer data)
{
    add(waiters, (Waiter){ .guest = g_strdup(uuid), .done = done, .data = data });
}

void nr_waiters_add(NrWaiters *waiters, const char *network, void (*done)(gpointer data),
                    gpointer data)
{
    add(waiters, (Waiter){ .network = g_strdup(network), .done = done, .data = data });
}

static void cancel_in(GQueue *queue, gpointer data)
{
    for (GList *node = queue->head; node;) {
        GList *next = node->next;
        Waiter *waiter = node->data;

        if (waiter->data == data) {
            waiter_free(waiter);
            g_queue_delete_link(queue, node);
        }
        node = next;
    }
}

void nr_waiters_cancel(NrWaiters *waiters, gpointer data)
{
    cancel_in(&waiters->waiting, data);
    cancel_in(&waiters->served, data);
}

void nr_waiters_pass_begins(NrWaiters *waiters)
{
    for (GList *node = waiters->waiting.head; node; node = node->next)
        ((Waiter *)node->data)->seen = TRUE;
}

/* Its network stands, and nothing of ours is on an address that its QEMU is about to bind. */
static gboolean is_under_way(const NrExecutor *executor, const NrBinding *binding)
{
    const NrNic *nic = binding->nic;
    gboolean binds = nic->kind == NR_NIC_LISTENS || nic->kind == NR_NIC_UDP;

    return (binding->network && nr_executor_works_on(executor, binding->network)) ||
           (binds && nr_executor_frees(executor, nic->theirs.l4_port));
}

static gboolean guest_has_to_wait(const NrDesired *desired, const NrExecutor *executor,
                                  const char *uuid)
{
    const GPtrArray *bindings = desired->bindings;

    for (guint i = nr_barrier_first(desired, uuid); i < bindings->len; i++) {
        const NrBinding *binding = bindings->pdata[i];

        if (!g_str_equal(binding->guest->uuid, uuid))
            break;
        if (is_under_way(executor, binding))
            return TRUE;
    }
    return FALSE;
}

static gboolean is_served(const Waiter *waiter, const NrDesired *desired,
                          const NrExecutor *executor)
{
    if (!waiter->seen)
        return FALSE;
    if (waiter->guest)
        return !guest_has_to_wait(desired, executor, waiter->guest);
    if (waiter->network)
        return !nr_executor_works_on(executor, waiter->network);
    return nr_executor_is_idle(executor);
}

static void find_served(NrWaiters *waiters, const NrDesired *desired, const NrExecutor *executor)
{
    for (GList *node = waiters->waiting.head; node;) {
        GList *next = node->next;

        if (is_served(node->data, desired, executor)) {
            g_queue_unlink(&waiters->waiting, node);
            g_queue_push_tail_link(&waiters->served, node);
        }
        node = next;
    }
}

void nr_waiters_serve(NrWaiters *waiters, const NrDesired *desired, const NrExecutor *executor)
{
    Waiter *waiter;

    find_served(waiters, desired, executor);
    while ((waiter = g_queue_pop_head(&waiters->served))) {
        waiter->done(waiter->data);
        waiter_free(waiter);
    }
}
