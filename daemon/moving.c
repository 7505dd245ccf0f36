/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/moving.h"

static char *silence_of(const NrActualNetwork *network)
{
    g_autofree char *whose = nr_network_words(network->name);

    return g_strdup_printf("the relay of %s does not answer; it moves by itself once that does, "
                           "and kill -CONT %d lets it go on if somebody has stopped it",
                           whose, (int)network->pid);
}

/* Who moves it are the two relays; the last word has the guest, which may be slow to read. NULL:
 * nothing is in the way. New string. */
static char *obstacle(const NrActual *actual, const NrAttempts *attempts,
                      const NrActualNetwork *from, const NrActualPort *port, const char *to)
{
    const NrActualNetwork *target = to ? nr_actual_find(actual, to) : NULL;
    const NrAttempt *attempt = to ? nr_attempts_find(attempts, to, "") : NULL;

    if (from->mute)
        return silence_of(from);
    if (target && target->mute)
        return silence_of(target);
    if (!target && attempt)
        return g_strdup_printf("that has no relay: %s", attempt->text);
    if (port->state == CTL_PORT_LEAVING)
        return g_strdup("the guest has not read yet what was sent to it; it moves by itself once "
                        "it has");
    return NULL;
}

char *nr_moving_reason(const NrActual *actual, const NrAttempts *attempts,
                       const NrActualNetwork *from, const NrActualPort *port, const char *to)
{
    g_autofree char *why = obstacle(actual, attempts, from, port, to);
    g_autofree char *words = to ? nr_network_words(to) : g_strdup("another network");
    g_autofree char *its = g_strdup_printf("it belongs to %s now", words);
    g_autofree char *before = nr_network_words(from->name);

    if (why)
        return g_strdup_printf("%s, and it is still connected to %s, for %s", its, before, why);
    return g_strdup_printf("%s, and it is about to move there from %s", its, before);
}
