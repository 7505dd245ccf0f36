/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/mixed-up.h"

static const NrActualPort *port_of(const NrActual *actual, const NrBinding *binding)
{
    if (binding->kind != NR_BINDING_SERVED || binding->nic->kind != NR_NIC_DIALS)
        return NULL;
    return nr_actual_port_labelled(nr_actual_find(actual, binding->network), binding->label);
}

static gboolean has_address(const NrBinding *binding, const char *source)
{
    struct mac mac;

    return mac_parse(&mac, source) == 0 && mac_equal(mac, binding->nic->mac);
}

/* The NIC beside this one that has this address, or NULL. */
static const NrBinding *owner_beside(const NrDesired *desired, const NrBinding *binding,
                                     const char *source)
{
    for (guint i = 0; i < desired->bindings->len; i++) {
        const NrBinding *other = desired->bindings->pdata[i];

        if (other != binding && nr_binding_is_beside(binding, other) && has_address(other, source))
            return other;
    }
    return NULL;
}

GPtrArray *nr_mixed_up_find(const NrDesired *desired, const NrActual *actual)
{
    GPtrArray *found = g_ptr_array_new_with_free_func(g_free);

    for (guint i = 0; desired && i < desired->bindings->len; i++) {
        const NrBinding *binding = desired->bindings->pdata[i], *other;
        const NrActualPort *port = port_of(actual, binding);
        NrMixedUp *one;

        if (!port || !port->source || has_address(binding, port->source))
            continue;
        other = owner_beside(desired, binding, port->source);
        if (!other)
            continue; /* a guest may send from what it likes */
        one = g_new(NrMixedUp, 1);
        *one = (NrMixedUp){ binding, other };
        g_ptr_array_add(found, one);
    }
    return found;
}
