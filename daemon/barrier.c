/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/barrier.h"

#include <string.h>

const NrDesiredNetwork *nr_desired_network_find(const NrDesired *desired, const char *name)
{
    for (guint i = 0; i < desired->networks->len; i++) {
        const NrDesiredNetwork *network = desired->networks->pdata[i];

        if (g_str_equal(network->name, name))
            return network;
    }
    return NULL;
}

/* What every guest of the network is promised: its bridge, its way out. */
static const NrAttempt *shared_failure(const NrDesired *desired, const NrAttempts *attempts,
                                       const char *name)
{
    const NrDesiredNetwork *network = nr_desired_network_find(desired, name);

    for (guint i = 0; network && i < network->endpoints->len; i++) {
        const NrDesiredEndpoint *endpoint = network->endpoints->pdata[i];
        const NrAttempt *attempt;

        if (!g_str_has_prefix(endpoint->text, "bridge:") &&
            !g_str_has_prefix(endpoint->text, "user:"))
            continue;
        attempt = nr_attempts_find(attempts, name, endpoint->text);
        if (attempt)
            return attempt;
    }
    return NULL;
}

const NrAttempt *nr_barrier_failure(const NrDesired *desired, const NrAttempts *attempts,
                                    const NrBinding *binding)
{
    const NrAttempt *attempt;

    if (binding->kind != NR_BINDING_SERVED || !binding->network)
        return NULL;
    attempt = nr_attempts_find(attempts, binding->network, "");
    if (!attempt && binding->endpoint)
        attempt = nr_attempts_find(attempts, binding->network, binding->endpoint);
    return attempt ? attempt : shared_failure(desired, attempts, binding->network);
}

guint nr_barrier_first(const NrDesired *desired, const char *uuid)
{
    guint low = 0, high = desired->bindings->len;

    while (low < high) {
        guint middle = low + (high - low) / 2;
        const NrBinding *binding = desired->bindings->pdata[middle];

        if (strcmp(binding->guest->uuid, uuid) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static char *failure_sentence(const NrBinding *binding, const NrAttempt *attempt)
{
    g_autofree char *guest = nr_printable(binding->guest->name);
    g_autofree char *label = nr_nic_label(binding->nic);
    g_autofree char *nic = nr_printable(label);
    const NrAddress *address =
        binding->nic->kind == NR_NIC_LISTENS ? &binding->nic->theirs : &binding->nic->ours;
    g_autofree char *where = nr_address_format(address);

    return g_strdup_printf("guest %s, NIC %s (%s %s) cannot be given network %s: %s", guest, nic,
                           nr_nic_kind_name(binding->nic->kind), where, binding->network,
                           attempt->text);
}

NrVerdict nr_barrier_judge(const NrDesired *desired, const NrAttempts *attempts, const char *uuid,
                           char **ret_text)
{
    gboolean resolving = FALSE;

    for (guint i = nr_barrier_first(desired, uuid); i < desired->bindings->len; i++) {
        const NrBinding *binding = desired->bindings->pdata[i];
        const NrAttempt *attempt;

        if (!g_str_equal(binding->guest->uuid, uuid))
            break;
        resolving = resolving || binding->kind == NR_BINDING_RESOLVING;
        if (nr_binding_refuses_start(binding)) {
            *ret_text = g_strdup(binding->reason);
            return NR_VERDICT_REFUSED;
        }
        attempt = binding->named ? nr_barrier_failure(desired, attempts, binding) : NULL;
        if (attempt) {
            *ret_text = failure_sentence(binding, attempt);
            return NR_VERDICT_REFUSED;
        }
    }
    return resolving ? NR_VERDICT_RESOLVING : NR_VERDICT_OK;
}
