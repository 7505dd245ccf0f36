/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "xml/guest.h"

#include <string.h>

static const char *const kind_names[] = {
    [NR_NIC_DIALS] = "client",    [NR_NIC_LISTENS] = "server", [NR_NIC_UDP] = "udp",
    [NR_NIC_MULTICAST] = "mcast", [NR_NIC_OTHER] = "other",
};

static const char *const state_names[] = {
    [NR_GUEST_DEFINED] = "defined",
    [NR_GUEST_ANNOUNCED] = "announced",
    [NR_GUEST_RUNNING] = "running",
};

gboolean nr_wish_has_place(const NrWish *wish)
{
    return wish->network || wish->bridge || wish->peer;
}

void nr_wish_clear(NrWish *wish)
{
    g_free(wish->network);
    g_free(wish->bridge);
    g_free(wish->peer);
    *wish = (NrWish){ 0 };
}

void nr_wish_copy(NrWish *to, const NrWish *from)
{
    nr_wish_clear(to);
    *to = *from;
    to->network = g_strdup(from->network);
    to->bridge = g_strdup(from->bridge);
    to->peer = g_strdup(from->peer);
}

NrNic *nr_nic_new(void)
{
    NrNic *nic = g_new0(NrNic, 1);

    nic->kind = NR_NIC_OTHER;
    return nic;
}

void nr_nic_free(NrNic *nic)
{
    if (!nic)
        return;
    g_free(nic->ours.host);
    g_free(nic->theirs.host);
    g_free(nic->alias);
    g_free(nic->target_dev);
    nr_wish_clear(&nic->wish);
    g_free(nic->fault);
    g_free(nic);
}

static NrNic *nic_copy(const NrNic *nic)
{
    NrNic *copy = g_memdup2(nic, sizeof(*nic));

    copy->ours.host = g_strdup(nic->ours.host);
    copy->theirs.host = g_strdup(nic->theirs.host);
    copy->alias = g_strdup(nic->alias);
    copy->target_dev = g_strdup(nic->target_dev);
    copy->wish = (NrWish){ 0 };
    nr_wish_copy(&copy->wish, &nic->wish);
    copy->fault = g_strdup(nic->fault);
    return copy;
}

gboolean nr_address_equal(const NrAddress *a, const NrAddress *b)
{
    return a->l4_port == b->l4_port && g_strcmp0(a->host, b->host) == 0;
}

static gboolean wish_equal(const NrWish *a, const NrWish *b)
{
    return g_strcmp0(a->network, b->network) == 0 && g_strcmp0(a->bridge, b->bridge) == 0 &&
           g_strcmp0(a->peer, b->peer) == 0 && !a->ignore == !b->ignore && a->pin == b->pin;
}

static gboolean rate_equal(const struct port_rate *a, const struct port_rate *b)
{
    return a->average == b->average && a->peak == b->peak && a->burst == b->burst;
}

static gboolean nic_equal(const NrNic *a, const NrNic *b)
{
    return mac_equal(a->mac, b->mac) && a->kind == b->kind &&
           nr_address_equal(&a->ours, &b->ours) && nr_address_equal(&a->theirs, &b->theirs) &&
           g_strcmp0(a->alias, b->alias) == 0 && g_strcmp0(a->target_dev, b->target_dev) == 0 &&
           !a->link_down == !b->link_down && wish_equal(&a->wish, &b->wish) &&
           rate_equal(&a->sends, &b->sends) && rate_equal(&a->gets, &b->gets) &&
           g_strcmp0(a->fault, b->fault) == 0;
}

NrGuest *nr_guest_new(void)
{
    NrGuest *guest = g_new0(NrGuest, 1);

    guest->id = -1;
    guest->state = NR_GUEST_DEFINED;
    guest->nics = g_ptr_array_new_with_free_func((GDestroyNotify)nr_nic_free);
    g_atomic_ref_count_init(&guest->refs);
    return guest;
}

NrGuest *nr_guest_ref(NrGuest *guest)
{
    g_atomic_ref_count_inc(&guest->refs);
    return guest;
}

void nr_guest_unref(NrGuest *guest)
{
    if (!guest || !g_atomic_ref_count_dec(&guest->refs))
        return;
    g_free(guest->uuid);
    g_free(guest->name);
    g_free(guest->metadata_fault);
    g_ptr_array_unref(guest->nics);
    g_free(guest);
}

NrGuest *nr_guest_copy(const NrGuest *guest, NrGuestState state)
{
    NrGuest *copy = nr_guest_new();

    copy->uuid = g_strdup(guest->uuid);
    copy->name = g_strdup(guest->name);
    copy->id = guest->id;
    copy->order = guest->order;
    copy->state = state;
    copy->metadata_fault = g_strdup(guest->metadata_fault);
    for (guint i = 0; i < guest->nics->len; i++)
        g_ptr_array_add(copy->nics, nic_copy(g_ptr_array_index(guest->nics, i)));
    return copy;
}

gboolean nr_guest_equal(const NrGuest *a, const NrGuest *b)
{
    if (a == b)
        return TRUE;
    if (g_strcmp0(a->uuid, b->uuid) != 0 || g_strcmp0(a->name, b->name) != 0 || a->id != b->id ||
        a->order != b->order || a->state != b->state || a->nics->len != b->nics->len ||
        g_strcmp0(a->metadata_fault, b->metadata_fault) != 0)
        return FALSE;
    for (guint i = 0; i < a->nics->len; i++) {
        if (!nic_equal(g_ptr_array_index(a->nics, i), g_ptr_array_index(b->nics, i)))
            return FALSE;
    }
    return TRUE;
}

gboolean nr_guest_is_active(const NrGuest *guest)
{
    return guest->state == NR_GUEST_ANNOUNCED || guest->state == NR_GUEST_RUNNING;
}

gint64 nr_guest_order(const NrGuest *guest)
{
    return guest->order ? guest->order : guest->id * ((gint64)1 << 20);
}

const char *nr_guest_state_name(NrGuestState state)
{
    return (guint)state < G_N_ELEMENTS(state_names) ? state_names[state] : "?";
}

const char *nr_nic_kind_name(NrNicKind kind)
{
    return (guint)kind < G_N_ELEMENTS(kind_names) ? kind_names[kind] : "?";
}

char *nr_nic_label(const NrNic *nic)
{
    char mac[MAC_TEXT_MAX];

    if (nic->alias)
        return nr_printable(nic->alias);
    if (nic->target_dev)
        return nr_printable(nic->target_dev);
    return g_strdup(mac_format(nic->mac, mac));
}

char *nr_address_format(const NrAddress *address)
{
    g_autofree char *host = NULL;

    if (!address->host)
        return g_strdup("-");
    if (!*address->host)
        return g_strdup_printf("*:%u", address->l4_port);
    host = nr_printable(address->host);
    if (strchr(host, ':'))
        return g_strdup_printf("[%s]:%u", host, address->l4_port);
    return g_strdup_printf("%s:%u", host, address->l4_port);
}

/* Format characters are those that change how their neighbours look: all marks of direction, and
 * what is invisible. */
gboolean nr_is_printable(gunichar c)
{
    switch (g_unichar_type(c)) {
    case G_UNICODE_CONTROL:
    case G_UNICODE_FORMAT:
    case G_UNICODE_LINE_SEPARATOR:
    case G_UNICODE_PARAGRAPH_SEPARATOR:
        return FALSE;
    default:
        return TRUE;
    }
}

char *nr_printable(const char *text)
{
    GString *out = g_string_new(NULL);

    while (text && *text) {
        gunichar c = g_utf8_get_char_validated(text, -1);
        gboolean broken = c == (gunichar)-1 || c == (gunichar)-2;
        const char *next = broken ? text + 1 : g_utf8_next_char(text);

        if (!broken && nr_is_printable(c)) {
            g_string_append_len(out, text, next - text);
            text = next;
        }
        while (text < next)
            g_string_append_printf(out, "\\x%02x", (guchar)*text++);
    }
    return g_string_free(out, FALSE);
}
