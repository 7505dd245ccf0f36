/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ctl/capture-target.h"

#include <string.h>
#include "daemon/row.h"

gboolean nr_row_is_nic(GVariant *row, const char *word)
{
    const char *guest = nr_row_text(row, "guest");
    gsize length = strlen(guest);
    const char *nic = word + length + 1;

    if (!length || !g_str_has_prefix(word, guest))
        return FALSE;
    return !word[length] ||
           (word[length] == '/' && (g_str_equal(nic, nr_row_text(row, "nic")) ||
                                    g_ascii_strcasecmp(nic, nr_row_text(row, "mac")) == 0));
}

static gboolean is_network(GVariant *row, const char *word)
{
    return *word && g_str_equal(nr_row_text(row, "network"), word);
}

char *nr_row_label(GVariant *row)
{
    return g_strdup_printf("%s/%s", nr_row_text(row, "uuid"), nr_row_text(row, "mac"));
}

static GHashTable *names_new(GVariant *rows)
{
    GHashTable *names = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);

    for (gsize i = 0; i < g_variant_n_children(rows); i++) {
        g_autoptr(GVariant) row = g_variant_get_child_value(rows, i);

        if (*nr_row_text(row, "guest"))
            g_hash_table_insert(
                names, nr_row_label(row),
                g_strdup_printf("%s/%s", nr_row_text(row, "guest"), nr_row_text(row, "nic")));
    }
    return names;
}

static void add_network(NrCaptureTarget *target, GVariant *row)
{
    const char *network = nr_row_text(row, "network");

    if (nr_row_number(row, "relay_pid") &&
        !g_ptr_array_find_with_equal_func(target->networks, network, g_str_equal, NULL))
        g_ptr_array_add(target->networks, g_strdup(network));
}

/* How many rows are meant. */
static guint add_rows(NrCaptureTarget *target, GVariant *rows, const char *word,
                      gboolean (*is_meant)(GVariant *, const char *))
{
    guint meant = 0;

    for (gsize i = 0; i < g_variant_n_children(rows); i++) {
        g_autoptr(GVariant) row = g_variant_get_child_value(rows, i);

        if (!is_meant(row, word))
            continue;
        meant++;
        add_network(target, row);
        if (!is_network(row, word) && !target->label)
            target->label = g_str_equal(word, nr_row_text(row, "guest"))
                                ? g_strdup_printf("%s/", nr_row_text(row, "uuid"))
                                : nr_row_label(row);
    }
    return meant;
}

/* A port of its own has what is in a network, and is no member of a multicast group. */
static gboolean is_nic_with_port(GVariant *row, const char *word)
{
    return nr_row_is_nic(row, word) && *nr_row_text(row, "network") &&
           !g_str_equal(nr_row_text(row, "kind"), "mcast");
}

static char *explain(GVariant *rows, const char *word)
{
    for (gsize i = 0; i < g_variant_n_children(rows); i++) {
        g_autoptr(GVariant) row = g_variant_get_child_value(rows, i);

        if (nr_row_is_nic(row, word))
            return g_strdup_printf("no NIC of '%s' has a port of a relay (%s is %s), so its frames "
                                   "pass by unseen",
                                   word, nr_row_text(row, "nic"), nr_row_text(row, "state"));
    }
    return g_strdup_printf("there is no network, no active guest and no NIC of one (GUEST/NIC) "
                           "that is '%s'",
                           word);
}

NrCaptureTarget *nr_capture_target_new(GVariant *rows, const char *word, char **ret_fault)
{
    g_autoptr(NrCaptureTarget) target = g_new0(NrCaptureTarget, 1);

    target->networks = g_ptr_array_new_with_free_func(g_free);
    target->names = names_new(rows);
    if (!add_rows(target, rows, word, is_network) &&
        !add_rows(target, rows, word, is_nic_with_port)) {
        *ret_fault = explain(rows, word);
        return NULL;
    }
    return g_steal_pointer(&target);
}

void nr_capture_target_free(NrCaptureTarget *target)
{
    if (!target)
        return;
    g_free(target->label);
    g_ptr_array_unref(target->networks);
    g_hash_table_unref(target->names);
    g_free(target);
}
