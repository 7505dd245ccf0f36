/* SPDX-License-Identifier: GPL-2.0-or-later */
/* netrelayctl doctor: what is wrong here, and what to do about it. Without the manager it sees
 * less, and says so. */
#include "ctl/doctor.h"

#include <stdio.h>
#include "ctl/json.h"
#include "ctl/manager.h"
#include "ctl/row.h"
#include "xml/guest.h"

#define STATUS_TIMEOUT_MS 10000

static GVariant *finding_variant(const NrFinding *finding)
{
    const struct {
        const char *key, *text;
    } texts[] = { { "kind", finding->kind },
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

static void print_json(const GPtrArray *findings, const char *note)
{
    GVariantBuilder list;

    g_variant_builder_init(&list, G_VARIANT_TYPE("aa{sv}"));
    for (guint i = 0; i < findings->len; i++)
        g_variant_builder_add_value(&list, finding_variant(findings->pdata[i]));
    nr_json_print(g_variant_new_parsed("{'findings': <%@aa{sv}>, 'note': <%s>}",
                                       g_variant_builder_end(&list), note ? note : ""));
}

static void print_people(const GPtrArray *findings, const char *note)
{
    g_autofree char *last = note ? nr_printable(note) : NULL;

    if (findings->len == 0)
        puts("nothing found: all is as it should be");
    for (guint i = 0; i < findings->len; i++) {
        const NrFinding *finding = findings->pdata[i];
        g_autofree char *text = nr_printable(finding->text);
        g_autofree char *cure = nr_printable(finding->cure);

        printf("%s\n", text);
        if (*cure)
            printf("    cure: %s\n", cure);
    }
    if (last)
        printf("note: %s\n", last);
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

        nr_findings_add(findings, g_intern_string(nr_row_text(finding, "kind")),
                        nr_row_text(finding, "about"), nr_row_text(finding, "cure"), "%s",
                        nr_row_text(finding, "text"));
    }
    if (!told)
        nr_findings_add(findings, "manager", call->runtime_dir, silence.cure, "%s", silence.text);
}

/* The note, or NULL. */
static char *examine(GPtrArray *findings, const NrCall *call)
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
    nr_doctor_apparmor(findings, "", NR_BINDIR "/netrelayctl");
    if (reply) {
        add_told(findings, call);
        nr_doctor_status(findings, rows, summary);
    }
    if (call->uid == 0) { /* nobody else can have TAPs, nor cure bridges */
        g_autoptr(GPtrArray) links = nr_host_links_read();

        nr_doctor_links(findings, links, rows);
    }
    return rows ? nr_doctor_note(rows) : NULL;
}

NrExit nr_doctor_run(const NrCall *call)
{
    g_autoptr(GPtrArray) findings = nr_findings_new();
    g_autofree char *note = examine(findings, call);

    if (call->options & NR_OPTION_JSON)
        print_json(findings, note);
    else
        print_people(findings, note);
    return findings->len > 0 ? NR_EXIT_FAILED : NR_EXIT_DONE;
}
