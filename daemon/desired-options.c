/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the port of each NIC may. None is marked as a guest's unless it is pinned to one address: a
 * guest may be a bridge or a relay itself and close a loop, and the guard sends no probe to a port
 * before frames have come round through it, so that ordinary guests gain nothing by the mark.
 */
#include "daemon/desired-private.h"

/* Whoever may edit a guest need not be one who may write network files: what such a file puts on,
 * the system's guests do not take off. */
static gboolean is_pinned(const NrDecision *d, const NrCase *c)
{
    gboolean kept = d->input->policy->system && c->pin == NR_PIN_YES;
    NrPin pin = c->nic->wish.pin && !kept ? c->nic->wish.pin : c->pin;

    return pin == NR_PIN_YES && !mac_is_zero(c->nic->mac);
}

/* What the guest sends comes in at its port. */
static char *options_of(const NrDecision *d, const NrCase *c)
{
    struct port_options options = { .ingress = c->nic->sends, .egress = c->nic->gets };
    char text[PORT_OPTIONS_TEXT_MAX];

    options.pin = is_pinned(d, c);
    if (options.pin)
        options.pin_mac = c->nic->mac;
    return g_strdup(port_options_format(&options, text));
}

void nr_options_decide(NrDecision *d)
{
    for (guint i = 0; i < d->cases->len; i++) {
        NrCase *c = g_ptr_array_index(d->cases, i);

        c->binding->options = options_of(d, c);
    }
}
