/* SPDX-License-Identifier: GPL-2.0-or-later */
/* netrelayctl plan --xml: what a domain XML would get, without libvirt and without the manager. */
#include <stdio.h>
#include "ctl/json.h"
#include "ctl/nic-limits.h"
#include "ctl/manager.h"
#include "ctl/preview.h"
#include "ctl/read-all.h"
#include "ctl/table.h"
#include "xml/domain-xml.h"

enum { COLUMN_BINDING = 3 };

static const NrColumn columns[] = {
    { "NIC", NR_COLUMN_TEXT },
    { "KIND", NR_COLUMN_TEXT },
    { "ADDRESS", NR_COLUMN_TEXT },
    { "BINDING", NR_COLUMN_TEXT },
    { "NETWORK", NR_COLUMN_TEXT },
    { "ENDPOINT", NR_COLUMN_TEXT },
    { NULL, 0 },
};

static NrGuest *read_guest(const char *file)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GByteArray) text = NULL;
    NrGuest *guest = NULL;
    int r = nr_read_named(file, NR_DOMAIN_XML_MAX, &text);

    if (r < 0) {
        nr_complain("cannot read %s: %s", file, g_strerror(-r));
        return NULL;
    }
    guest = nr_domain_xml_parse((const char *)text->data, text->len, &error);
    if (!guest)
        nr_complain("%s is no domain XML: %s", file, error->message);
    return guest;
}

static NrTone binding_tone(const NrBinding *binding)
{
    switch (binding->kind) {
    case NR_BINDING_SERVED:
    case NR_BINDING_DIRECT:
        return NR_TONE_GOOD;
    case NR_BINDING_REFUSED:
        return NR_TONE_BAD;
    case NR_BINDING_RESOLVING:
        return NR_TONE_PENDING;
    default:
        return NR_TONE_QUIET;
    }
}

/* As the guest's XML calls it, and by the address that it has in any case. New string. */
static char *nic_names(const NrNic *nic)
{
    g_autofree char *label = nr_nic_label(nic);
    char mac[MAC_TEXT_MAX];

    mac_format(nic->mac, mac);
    return g_str_equal(label, mac) ? g_strdup(mac) : g_strdup_printf("%s (%s)", label, mac);
}

/* Options begin with a comma. */
static const char *options_of(const NrBinding *binding)
{
    return binding->options && *binding->options ? binding->options + 1 : NULL;
}

static void table_add(NrTable *table, const NrBinding *binding)
{
    g_autofree char *names = nic_names(binding->nic);
    g_autofree char *address = nr_nic_address(binding->nic);
    g_autofree char *limits = nr_limits_text(options_of(binding));

    nr_table_row(table, COLUMN_BINDING, binding_tone(binding));
    nr_table_cell(table, names);
    nr_table_cell(table, nr_nic_kind_name(binding->nic->kind));
    nr_table_cell(table, address);
    nr_table_cell(table, nr_binding_word(binding));
    nr_table_cell(table, binding->network);
    nr_table_cell(table, binding->endpoint);
    if (binding->reason)
        nr_table_remark(table, binding->reason);
    if (limits && binding->kind == NR_BINDING_SERVED)
        nr_table_remark(table, limits);
}

static void print_people(const NrPreview *preview)
{
    g_autoptr(NrTable) table = nr_table_new(columns);
    g_autofree char *name = nr_printable(preview->guest->name);
    const GPtrArray *bindings = preview->desired->bindings;

    if (bindings->len == 0) {
        printf("guest %s has no NIC of type client, server or udp: there is nothing to do\n", name);
        return;
    }
    for (guint i = 0; i < bindings->len; i++)
        table_add(table, g_ptr_array_index(bindings, i));
    printf("guest %s, by itself (other guests may change this):\n", name);
    nr_table_print(table);
}

static void json_add(GVariantBuilder *nics, const NrBinding *binding)
{
    g_autofree char *label = nr_nic_label(binding->nic);
    g_autofree char *address = nr_nic_address(binding->nic);
    char mac[MAC_TEXT_MAX];
    const struct {
        const char *key, *value;
    } texts[] = {
        { "nic", label },
        { "mac", mac_format(binding->nic->mac, mac) },
        { "kind", nr_nic_kind_name(binding->nic->kind) },
        { "address", address },
        { "binding", nr_binding_word(binding) },
        { "network", binding->network },
        { "endpoint", binding->endpoint },
        { "peer_guest", binding->peer_guest },
        { "reason", binding->reason },
        { "options", binding->kind == NR_BINDING_SERVED ? options_of(binding) : NULL },
    };

    g_variant_builder_open(nics, G_VARIANT_TYPE_VARDICT);
    for (guint i = 0; i < G_N_ELEMENTS(texts); i++) {
        if (texts[i].value)
            g_variant_builder_add(nics, "{sv}", texts[i].key, g_variant_new_string(texts[i].value));
    }
    g_variant_builder_add(nics, "{sv}", "named", g_variant_new_boolean(binding->named));
    g_variant_builder_close(nics);
}

static void print_json(const NrPreview *preview, gboolean refused)
{
    g_auto(GVariantBuilder) whole = G_VARIANT_BUILDER_INIT(G_VARIANT_TYPE_VARDICT);
    g_auto(GVariantBuilder) nics = G_VARIANT_BUILDER_INIT(G_VARIANT_TYPE("aa{sv}"));

    for (guint i = 0; i < preview->desired->bindings->len; i++)
        json_add(&nics, g_ptr_array_index(preview->desired->bindings, i));
    g_variant_builder_add(&whole, "{sv}", "guest", g_variant_new_string(preview->guest->name));
    g_variant_builder_add(&whole, "{sv}", "refused", g_variant_new_boolean(refused));
    g_variant_builder_add(&whole, "{sv}", "nics", g_variant_builder_end(&nics));
    nr_json_print(g_variant_builder_end(&whole));
}

NrExit nr_plan_xml_run(const NrCall *call)
{
    g_autoptr(NrGuest) guest = read_guest(call->xml);
    g_autoptr(NrPreview) preview = NULL;
    g_autoptr(GError) error = NULL;
    const NrBinding *refusal;

    if (!guest)
        return NR_EXIT_FAILED;
    preview = nr_preview_new(guest, call->uid, call->runtime_dir, TRUE, &error);
    if (!preview) {
        nr_complain("%s", error->message);
        return NR_EXIT_FAILED;
    }
    for (guint i = 0; i < preview->networks->faults->len; i++)
        nr_complain("%s", (const char *)g_ptr_array_index(preview->networks->faults, i));
    refusal = nr_preview_refusal(preview);
    if (call->options & NR_OPTION_JSON)
        print_json(preview, refusal != NULL);
    else
        print_people(preview);
    if (refusal)
        nr_complain("virsh start would be refused");
    return refusal ? NR_EXIT_FAILED : NR_EXIT_DONE;
}
