/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/partners.h"

#include "daemon/barrier.h"

static void partner_free(gpointer data)
{
    NrPartner *partner = data;

    nr_guest_unref(partner->guest);
    g_free(partner);
}

GPtrArray *nr_partners_new(void)
{
    return g_ptr_array_new_with_free_func(partner_free);
}

/* Where a NIC dials or listens, by TCP. FALSE: nowhere. */
static gboolean find_place(const NrNic *nic, GHashTable *resolved, NrPlace *ret)
{
    const NrAddress *address = nic->kind == NR_NIC_LISTENS ? &nic->theirs : &nic->ours;

    return (nic->kind == NR_NIC_DIALS || nic->kind == NR_NIC_LISTENS) && !nic->fault &&
           nr_place_find(ret, address->host, address->l4_port, resolved) == NR_PLACE_FOUND;
}

static gboolean meets(const NrNic *nic, const NrPlace *place, const NrGuest *guest,
                      GHashTable *resolved)
{
    for (guint i = 0; i < guest->nics->len; i++) {
        const NrNic *own = guest->nics->pdata[i];
        NrPlace own_place;

        if (own->kind != nic->kind && find_place(own, resolved, &own_place) &&
            nr_place_overlaps(&own_place, place))
            return TRUE;
    }
    return FALSE;
}

/* The same guest, started once. An id is given once, and may be missing. */
static gboolean is_same_start(const NrGuest *guest, const NrGuest *other)
{
    return guest->id == other->id && g_str_equal(guest->uuid, other->uuid);
}

static gboolean has_partner(const GPtrArray *partners, const NrGuest *guest, const NrNic *nic)
{
    for (guint i = 0; i < partners->len; i++) {
        const NrPartner *partner = partners->pdata[i];

        if (is_same_start(partner->guest, guest) && mac_equal(partner->nic->mac, nic->mac))
            return TRUE;
    }
    return FALSE;
}

static void find_in(GPtrArray *partners, NrGuest *other, const NrGuest *guest, GHashTable *resolved)
{
    for (guint i = 0; i < other->nics->len; i++) {
        const NrNic *nic = other->nics->pdata[i];
        NrPartner *partner;
        NrPlace place;

        if (!find_place(nic, resolved, &place) || !meets(nic, &place, guest, resolved) ||
            has_partner(partners, other, nic))
            continue;
        partner = g_new0(NrPartner, 1);
        *partner = (NrPartner){ nr_guest_ref(other), nic, place };
        g_ptr_array_add(partners, partner);
    }
}

void nr_partners_find(GPtrArray *partners, const GPtrArray *guests, const NrGuest *guest,
                      GHashTable *resolved)
{
    for (guint i = 0; i < guests->len; i++) {
        NrGuest *other = guests->pdata[i];

        if (other->state == NR_GUEST_ANNOUNCED && !g_str_equal(other->uuid, guest->uuid))
            find_in(partners, other, guest, resolved);
    }
}

/* The partner's guest, while that start of it goes on or has come to something; else NULL. */
static const NrGuest *find_now(const NrPartner *partner, const GPtrArray *guests)
{
    for (guint i = 0; i < guests->len; i++) {
        const NrGuest *guest = guests->pdata[i];

        if (is_same_start(guest, partner->guest) && nr_guest_is_active(guest))
            return guest;
    }
    return NULL;
}

static const NrBinding *find_binding(const NrDesired *desired, const NrPartner *partner)
{
    for (guint i = nr_barrier_first(desired, partner->guest->uuid); i < desired->bindings->len;
         i++) {
        const NrBinding *binding = desired->bindings->pdata[i];

        if (!g_str_equal(binding->guest->uuid, partner->guest->uuid))
            break;
        if (mac_equal(binding->nic->mac, partner->nic->mac))
            return binding;
    }
    return NULL;
}

static gboolean has_port(const NrActual *actual, const NrBinding *binding)
{
    const NrActualNetwork *network = nr_actual_find(actual, binding->network);

    for (guint i = 0; network && i < network->ports->len; i++) {
        const NrActualPort *port = network->ports->pdata[i];

        if (port->state != CTL_PORT_CLOSING && g_strcmp0(port->label, binding->label) == 0)
            return TRUE;
    }
    return FALSE;
}

/* One that dials us has when its connection has its name, though libvirt may not say yet that it
 * runs; one that we do not serve, or cannot, needs nothing of us. */
static gboolean has_dialled(const NrPartner *partner, const NrPartnerView *view)
{
    const NrBinding *binding = view->desired ? find_binding(view->desired, partner) : NULL;

    if (!binding || !nr_guest_is_active(binding->guest))
        return FALSE; /* the pass that decides it has not begun */
    return binding->kind != NR_BINDING_SERVED ||
           nr_barrier_failure(view->desired, view->attempts, binding) ||
           has_port(view->actual, binding);
}

static gboolean is_up(const NrPartner *partner, const NrPartnerView *view)
{
    const NrGuest *now = find_now(partner, view->guests);

    if (!now || now->state == NR_GUEST_RUNNING)
        return TRUE;
    return partner->nic->kind == NR_NIC_DIALS ? has_dialled(partner, view)
                                              : view->listens(partner, view->data);
}

const NrPartner *nr_partners_awaited(const GPtrArray *partners, const NrPartnerView *view)
{
    for (guint i = 0; i < partners->len; i++)
        if (!is_up(partners->pdata[i], view))
            return partners->pdata[i];
    return NULL;
}
