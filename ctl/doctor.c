/* SPDX-License-Identifier: GPL-2.0-or-later */
/* netrelayctl doctor: what is wrong here, and what to do about it. Without the manager it sees
 * less, and says so. */
#include "ctl/doctor.h"

#include <stdio.h>
#include "ctl/json.h"
#include "ctl/manager.h"
#include "daemon/networks.h"
#include "daemon/row.h"
#include "xml/guest.h"

#define STATUS_TIMEOUT_MS 10000

static GVariant *finding_variant(const NrFinding *finding)
{
    const struct {
        const char *key, *text;
    } texts[] = { { "level", finding->notice ? "notice" : "fault" },
                  { "kind", finding->kind },
                  { "about", finding->about },
                  { "text", finding->text },
                  { "cure", finding->cure } };
    GVariantBuilder dict;

    g_variant_builder_init(&dict, G_VARIANT_TYPE_VARDICT);
    for (guint i = 0; i < G_N_ELEMENTS(texts); i++)
        g_variant_builder_add(&dict, "{sv}", texts[i].key,
                              g_variant_new_take_string(g_utf8_make_valid(texts[i].text, -1)));
    return g_variant_builder_end(&dict);
}

static void print_json(const GPtrArray *findings)
{
    GVariantBuilder list;

    g_variant_builder_init(&list, G_VARIANT_TYPE("aa{sv}"));
    for (guint i = 0; i < findings->len; i++)
        g_variant_builder_add_value(&list, finding_variant(findings->pdata[i]));
    nr_json_print(g_variant_new_parsed("{'findings': <%@aa{sv}>}", g_variant_builder_end(&list)));
}

static gboolean is_well(const GPtrArray *findings)
{
    for (guint i = 0; i < findings->len; i++)
        if (!((const NrFinding *)findings->pdata[i])->notice)
            return FALSE;
    return TRUE;
}

/* Those of one level: faults come first, whoever found them. */
static void print_level(const GPtrArray *findings, gboolean notices)
{
    for (guint i = 0; i < findings->len; i++) {
        const NrFinding *finding = findings->pdata[i];
        g_autofree char *text = nr_printable(finding->text);
        g_autofree char *cure = nr_printable(finding->cure);

        if (finding->notice != notices)
            continue;
        printf("%s%s\n", notices ? "notice: " : "", text);
        if (*cure)
            printf("    %s: %s\n", notices ? "if need be" : "cure", cure);
    }
}

static void print_people(const GPtrArray *findings)
{
    if (is_well(findings))
        puts("nothing found: all is as it should be");
    print_level(findings, FALSE);
    print_level(findings, TRUE);
}

/* What the manager itself found. */
static void add_told(GPtrArray *findings, const NrCall *call)
{
    g_auto(NrSilence) silence = { 0 };
    g_autoptr(GVariant) reply =
        nr_manager_ask(call, "Examine", NULL, "(aa{sv})", STATUS_TIMEOUT_MS, &silence);
    g_autoptr(GVariant) told = reply ? g_variant_get_child_value(reply, 0) : NULL;

    for (gsize i = 0; told && i < g_variant_n_children(told); i++) {
        g_autoptr(GVariant) finding = g_variant_get_child_value(told, i);
        gboolean notice = g_str_equal(nr_row_text(finding, "level"), "notice");

        (notice ? nr_findings_note : nr_findings_add)(
            findings, g_intern_string(nr_row_text(finding, "kind")), nr_row_text(finding, "about"),
            nr_row_text(finding, "cure"), "%s", nr_row_text(finding, "text"));
    }
    if (!told)
        nr_findings_add(findings, "manager", call->runtime_dir, silence.cure, "%s", silence.text);
}

/* As after an upgrade of the package, where nobody has said that they may be replaced. */
static void add_outdated(GPtrArray *findings, const NrCall *call)
{
    g_auto(NrSilence) silence = { 0 };
    g_autoptr(GVariant) reply =
        nr_manager_ask(call, "Relays", NULL, "(aa{sv})", STATUS_TIMEOUT_MS, &silence);
    g_autoptr(GVariant) rows = reply ? g_variant_get_child_value(reply, 0) : NULL;

    for (gsize i = 0; rows && i < g_variant_n_children(rows); i++) {
        g_autoptr(GVariant) row = g_variant_get_child_value(rows, i);
        const char *network = nr_row_text(row, "network");
        g_autofree char *word = nr_shell_word(network);
        g_autofree char *cure = g_strconcat("netrelayctl upgrade ", word, NULL);
        gboolean outdated = FALSE;

        if (g_variant_lookup(row, "outdated", "b", &outdated) && outdated)
            nr_findings_note(findings, "relay-outdated", network, cure,
                             "the relay of network %s is not the program that is installed: it was "
                             "started before that came",
                             network);
    }
}

/* Marks those that a person has stopped. */
static NrNetworks *load_networks(const NrCall *call)
{
    g_auto(NrSilence) silence = { 0 };
    g_autoptr(GVariant) reply =
        nr_manager_ask(call, "Networks", NULL, "(saa{sv})", STATUS_TIMEOUT_MS, &silence);
    g_autoptr(GVariant) rows = NULL;
    const char *directory;
    NrNetworks *networks;

    if (!reply)
        return NULL;
    g_variant_get(reply, "(&s@aa{sv})", &directory, &rows);
    networks = nr_networks_load(directory, call->uid, NULL);
    for (gsize i = 0; i < g_variant_n_children(rows); i++) {
        g_autoptr(GVariant) row = g_variant_get_child_value(rows, i);
        gboolean active = TRUE;

        g_variant_lookup(row, "active", "b", &active);
        for (guint k = 0; k < networks->networks->len; k++) {
            NrNetwork *network = networks->networks->pdata[k];

            network->stopped |= !active && nr_row_is(row, "name", network->name);
        }
    }
    return networks;
}

/* The rules are read where there is a network that they could hurt. */
static void examine_firewall(GPtrArray *findings, const NrCall *call, const GPtrArray *links)
{
    g_autoptr(NrNetworks) networks = load_networks(call);
    g_autoptr(NrFirewall) firewall = NULL;

    if (!networks || networks->networks->len == 0)
        return;
    firewall = nr_firewall_read();
    nr_doctor_firewall(findings, firewall, networks->networks, links);
}

static void examine(GPtrArray *findings, const NrCall *call)
{
    g_auto(NrSilence) silence = { 0 };
    g_autoptr(GVariant) reply =
        nr_manager_ask(call, "Status", NULL, "(aa{sv}a{sv})", STATUS_TIMEOUT_MS, &silence);
    g_autoptr(GVariant) rows = reply ? g_variant_get_child_value(reply, 0) : NULL;
    g_autoptr(GVariant) summary = reply ? g_variant_get_child_value(reply, 1) : NULL;

    if (!reply)
        nr_findings_add(findings, "manager", call->runtime_dir, silence.cure,
                        "%s, so nothing is known of guests and networks", silence.text);
    nr_doctor_runtime_dir(findings, call->uid);
    nr_doctor_hook(findings, summary ? nr_row_text(summary, "uri") : "qemu:");
    nr_doctor_apparmor(findings, "");
    if (reply) {
        add_told(findings, call);
        add_outdated(findings, call);
        nr_doctor_status(findings, rows, summary);
        nr_doctor_open_nics(findings, rows, call->uid == 0);
    }
    if (call->uid == 0) { /* nobody else can have TAPs, nor cure bridges */
        g_autoptr(GPtrArray) links = nr_host_links_read();

        nr_doctor_links(findings, links, rows);
        if (reply)
            examine_firewall(findings, call, links);
    }
}

NrExit nr_doctor_run(const NrCall *call)
{
    g_autoptr(GPtrArray) findings = nr_findings_new();

    examine(findings, call);
    if (call->options & NR_OPTION_JSON)
        print_json(findings);
    else
        print_people(findings);
    return is_well(findings) ? NR_EXIT_DONE : NR_EXIT_FAILED;
}
