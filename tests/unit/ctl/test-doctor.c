/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "common/ctl-proto.h"
#include "ctl/doctor.h"

#include <glib/gstdio.h>
#include <string.h>
#include "daemon/hooked.h"

static GVariant *parse(const char *type, const char *text)
{
    g_autoptr(GError) error = NULL;
    GVariant *value = g_variant_parse(G_VARIANT_TYPE(type), text, NULL, NULL, &error);

    g_assert_no_error(error);
    return value;
}

/* "KIND ABOUT" of each, joined by "; "; a notice in brackets. New string. */
static char *said(const GPtrArray *findings)
{
    GString *text = g_string_new(NULL);

    for (guint i = 0; i < findings->len; i++) {
        const NrFinding *finding = findings->pdata[i];

        g_string_append_printf(text, finding->notice ? "%s(%s %s)" : "%s%s %s",
                               text->len ? "; " : "", finding->kind, finding->about);
    }
    return g_string_free(text, FALSE);
}

/* The manager */

#define HEALTHY "{'libvirt': <'connected'>, 'uri': <'qemu:///system'>}"
#define VM1     "'guest': <'vm1'>, 'nic': <'m1'>, 'kind': <'client'>, 'network': <'n'>"

static const struct {
    const char *rows, *said;
} row_cases[] = {
    { "[{" VM1 ", 'state': <'connected'>, 'port': <uint32 1>}]", "" },
    { "[{" VM1 ", 'state': <'connected'>, 'reason': <'its network is x; move it'>}]", "moved vm1" },
    { "[{" VM1 ", 'state': <'busy'>, 'reason': <'it serves others; see whom'>}]",
      "unreachable vm1" },
    { "[{" VM1 ", 'state': <'waiting'>, 'guest_state': <'announced'>}]", "" },
    { "[{" VM1 ", 'state': <'waiting'>, 'guest_state': <'running'>}]", "deaf vm1" },
    /* the guest's connection may be the one that is not yet known */
    { "[{" VM1 ", 'state': <'waiting'>, 'guest_state': <'running'>},"
      " {'network': <'n'>, 'guest': <''>, 'kind': <'client'>, 'port': <uint32 2>,"
      "  'state': <'connected'>}]",
      "" },
    { "[{" VM1 ", 'state': <'waiting'>, 'guest_state': <'running'>},"
      " {'network': <'other'>, 'guest': <''>, 'kind': <'client'>, 'port': <uint32 2>,"
      "  'state': <'connected'>}]",
      "deaf vm1" },
    { "[{" VM1 ", 'state': <'waiting'>, 'guest_state': <'running'>},"
      " {'network': <'n'>, 'guest': <''>, 'kind': <'client'>, 'port': <uint32 2>,"
      "  'address': <'10.0.0.1:9'>, 'peer': <'10.0.0.1:40000'>, 'state': <'connected'>}]",
      "" },
    /* another host's never is */
    { "[{" VM1 ", 'state': <'waiting'>, 'guest_state': <'running'>},"
      " {'network': <'n'>, 'guest': <''>, 'kind': <'client'>, 'port': <uint32 2>,"
      "  'address': <'10.0.0.1:9'>, 'peer': <'10.0.0.10:9'>, 'state': <'connected'>}]",
      "deaf vm1" },
    { "[{" VM1 ", 'state': <'foreign'>, 'reason': <'nc has it; end it'>}]", "foreign vm1" },
    { "[{" VM1 ", 'state': <'refused'>, 'reason': <'no'>}]", "refused vm1" },
    { "[{" VM1 ", 'state': <'faulty'>, 'reason': <'no'>}]", "refused vm1" },
    { "[{" VM1 ", 'state': <'blocked'>, 'port': <uint32 3>}]", "loop vm1" },
    { "[{" VM1 ", 'state': <'unconnected'>, 'reason': <'write a line'>}]", "" },
    { "[{'network': <'lab'>, 'kind': <'tap'>, 'state': <'failed'>, 'reason': <'no br0'>}]",
      "failed lab" },
    /* two rows lack the same thing */
    { "[{'network': <'lab'>, 'kind': <'host'>, 'state': <'failed'>, 'reason': <'no; take "
      "another'>},"
      " {'network': <'lab'>, 'kind': <'tap'>, 'state': <'failed'>, 'reason': <'no; take another'>},"
      " {'network': <'office'>, 'kind': <'tap'>, 'state': <'failed'>, 'reason': <'no'>}]",
      "failed lab; failed office" },
    { "[{'network': <'lab'>, 'kind': <'host'>, 'state': <'waiting'>, 'reason': <'no way; set "
      "one'>}]",
      "way-out lab" },
    { "[{'network': <'lab'>, 'kind': <'host'>, 'state': <'waiting'>}]", "" },
    { "[{'network': <'lab'>, 'kind': <'peer'>, 'address': <'b:1'>,"
      "  'state': <'dialling'>, 'reason': <'connection refused'>}]",
      "tunnel lab" },
    { "[{'network': <'lab'>, 'kind': <'peer'>, 'address': <'b:1'>, 'state': <'blocked'>}]",
      "loop lab" },
    { "[{'network': <'lab'>, 'kind': <'peer'>, 'address': <'b:1'>,"
      "  'state': <'dialling'>}]",
      "" },
    { "[{'network': <'lab'>, 'guest': <'s'>, 'guest_state': <'running'>,"
      "  'kind': <'server'>, 'state': <'dialling'>, 'reason': <'refused'>}]",
      "unreachable s" },
};

static void test_rows(void)
{
    for (guint i = 0; i < G_N_ELEMENTS(row_cases); i++) {
        g_autoptr(GPtrArray) findings = nr_findings_new();
        g_autoptr(GVariant) rows = parse("aa{sv}", row_cases[i].rows);
        g_autoptr(GVariant) summary = parse("a{sv}", HEALTHY);
        g_autofree char *text = NULL;

        nr_doctor_status(findings, rows, summary);
        text = said(findings);
        g_assert_cmpstr(text, ==, row_cases[i].said);
    }
}

static void test_refused_host(void)
{
    g_autoptr(GPtrArray) findings = nr_findings_new();
    g_autoptr(GVariant) rows =
        parse("aa{sv}", "[{'network': <'lab'>, 'kind': <'listen'>, 'state': <'listening'>},"
                        " {'network': <'office'>, 'kind': <'listen'>, 'state': <'listening'>,"
                        "  'address': <'10.0.0.1:9'>, 'reason': <'a connection was closed'>}]");
    g_autoptr(GVariant) summary = parse("a{sv}", HEALTHY);
    g_autofree char *text = NULL;

    nr_doctor_status(findings, rows, summary);
    text = said(findings);
    g_assert_cmpstr(text, ==, "(stranger office)");
    g_assert_true(((NrFinding *)findings->pdata[0])->notice);
}

/* A row's own words: what is wrong, and behind the first semicolon what to do. */
static void test_cure_of_a_reason(void)
{
    g_autoptr(GPtrArray) findings = nr_findings_new();
    g_autoptr(GVariant) rows =
        parse("aa{sv}", "[{" VM1 ", 'state': <'foreign'>, 'reason': <'nc has it; end it'>}]");
    g_autoptr(GVariant) summary = parse("a{sv}", HEALTHY);
    const NrFinding *finding;

    nr_doctor_status(findings, rows, summary);
    finding = findings->pdata[0];
    g_assert_cmpstr(finding->text, ==, "guest vm1, NIC m1: nc has it");
    g_assert_cmpstr(finding->cure, ==, "end it");
}

/* A refusal's sentence names its guest by itself. */
static void test_names_once(void)
{
    g_autoptr(GPtrArray) findings = nr_findings_new();
    g_autoptr(GVariant) rows = parse(
        "aa{sv}", "[{" VM1 ", 'state': <'refused'>,"
                  "  'reason': <'guest vm1, NIC m1 (client a:1): it is stopped; start it'>}]");
    g_autoptr(GVariant) summary = parse("a{sv}", HEALTHY);
    const NrFinding *finding;

    nr_doctor_status(findings, rows, summary);
    finding = findings->pdata[0];
    g_assert_cmpstr(finding->text, ==, "guest vm1, NIC m1 (client a:1): it is stopped");
}

/* Since when, why, and a cure that fits. */
static void test_tunnel(void)
{
    static const struct {
        const char *reason, *cure;
    } cases[] = {
        { "Connection refused", "<listen port='12345' admit='ADDRESS'/>" },
        { CTL_DETAIL_HUNG_UP, "admit this host" },
        { CTL_DETAIL_HUNG_UP_HERE, "the same <bridge> into both" },
        { "No route to host", "open the way" },
        { "Connection timed out", "open the way" },
        { "Name or service not known", "the name" },
        { "Too many open files", "the relay on that host" },
    };

    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GPtrArray) findings = nr_findings_new();
        g_autofree char *text =
            g_strdup_printf("[{'network': <'lab'>, 'kind': <'peer'>, 'address': <'hostb:12345'>,"
                            "  'state': <'dialling'>, 'reason': <'%s'>, 'since': <uint64 %u>}]",
                            cases[i].reason, 1000000000 + i);
        g_autofree char *reason = g_strconcat(": ", cases[i].reason, NULL);
        g_autoptr(GVariant) rows = parse("aa{sv}", text);
        g_autoptr(GVariant) summary = parse("a{sv}", HEALTHY);
        const NrFinding *finding;

        nr_doctor_status(findings, rows, summary);
        g_assert_cmpuint(findings->len, ==, 1);
        finding = findings->pdata[0];
        g_assert_nonnull(
            strstr(finding->text, "tunnel to hostb:12345 leads nowhere since 2001-09-"));
        g_assert_true(g_str_has_suffix(finding->text, reason));
        g_assert_nonnull(strstr(finding->cure, cases[i].cure));
    }
}

static void test_summary(void)
{
    g_autoptr(GPtrArray) findings = nr_findings_new();
    g_autoptr(GVariant) rows = parse("aa{sv}", "[]");
    g_autoptr(GVariant) summary =
        parse("a{sv}", "{'libvirt': <'no such file'>, 'faults': <['a.xml: bad', 'b.xml: bad']>}");
    g_autofree char *text = NULL;

    nr_doctor_status(findings, rows, summary);
    text = said(findings);
    g_assert_cmpstr(text, ==, "libvirt ; file ; file ");
}

static void test_open_nics(void)
{
    g_autoptr(GVariant) none = parse("aa{sv}", "[{" VM1 ", 'guest_state': <'running'>}]");
    g_autoptr(GVariant) udp =
        parse("aa{sv}", "[{'guest': <'a'>, 'kind': <'udp'>, 'guest_state': <'defined'>},"
                        " {'guest': <'c'>, 'kind': <'udp'>, 'guest_state': <'running'>,"
                        "  'guarded': <'yes'>},"
                        " {'guest': <'b'>, 'kind': <'udp'>, 'guest_state': <'running'>},"
                        " {'network': <'n'>, 'guest': <''>, 'kind': <'udp'>}]");
    g_autoptr(GPtrArray) findings = nr_findings_new();
    const NrFinding *finding;

    nr_doctor_open_nics(findings, none, TRUE);
    g_assert_cmpuint(findings->len, ==, 0);
    nr_doctor_open_nics(findings, udp, FALSE);
    g_assert_cmpuint(findings->len, ==, 1);
    g_assert_cmpstr(((NrFinding *)findings->pdata[0])->cure, ==, "");
    nr_doctor_open_nics(findings, udp, TRUE);
    g_assert_nonnull(strstr(((NrFinding *)findings->pdata[1])->cure, "guard-udp=yes"));
    finding = findings->pdata[0];
    g_assert_cmpstr(finding->about, ==, "b");
    g_assert_true(finding->notice);
    g_assert_true(g_str_has_prefix(finding->text, "guest b, NIC : "));
}

/* Devices */

typedef struct {
    const char *name, *master;
    gboolean bridge, tap, up;
    const char *address;
} Device;

static GPtrArray *links_of(const Device *devices)
{
    GPtrArray *links = nr_host_links_new();

    for (; devices->name; devices++) {
        NrHostLink *link = nr_host_link_new(devices->name);

        link->master = g_strdup(devices->master);
        link->bridge = devices->bridge;
        link->tap = devices->tap;
        link->up = devices->up;
        link->address = g_strdup(devices->address);
        g_ptr_array_add(links, link);
    }
    return links;
}

static const struct {
    Device devices[4];
    const char *rows, *said;
} link_cases[] = {
    { { { "br0", NULL, TRUE, FALSE, TRUE, "10.0.0.1/24" } }, NULL, "" },
    { { { "br0", NULL, TRUE, FALSE, FALSE, NULL } }, NULL, "bridge-down br0" },
    { { { "br0", NULL, TRUE, FALSE, TRUE, NULL }, { "eth0", "br0", .up = TRUE } }, NULL, "" },
    { { { "br0", NULL, TRUE, FALSE, TRUE, NULL }, { "eth0", "br0", .address = "10.0.0.1/8" } },
      NULL,
      "member-address eth0" },
    /* a bond's or a VRF's member is none of ours */
    { { { "bond0", .up = TRUE }, { "eth0", "bond0", .address = "10.0.0.1/8" } }, NULL, "" },
    /* E8 */
    { { { "br0", NULL, TRUE, FALSE, FALSE, NULL },
        { "tap0", NULL, FALSE, TRUE, TRUE, "10.0.0.1/8" } },
      NULL,
      "bridge-down br0; tap-alone tap0" },
    /* where there is a manager, it knows whether the two can be meant for each other */
    { { { "br0", NULL, TRUE, FALSE, TRUE, NULL },
        { "tap0", NULL, FALSE, TRUE, TRUE, "10.0.0.1/8" } },
      "[]",
      "(tap-alone tap0)" },
    { { { "br0", NULL, TRUE, FALSE, TRUE, NULL },
        { "tap0", NULL, FALSE, TRUE, TRUE, "10.0.0.1/8" } },
      "[{'network': <'lab'>, 'kind': <'tap'>, 'address': <''>, 'peer': <'br0'>}]",
      "tap-alone tap0" },
    /* it has its bridge, and the empty one is another's */
    { { { "br0", NULL, TRUE, FALSE, TRUE, NULL },
        { "br1", NULL, TRUE, FALSE, TRUE, NULL },
        { "tap0", "br1", FALSE, TRUE, TRUE, NULL } },
      NULL,
      "" },
    /* a VPN's TAP, and a bridge with a use */
    { { { "br0", NULL, TRUE, FALSE, TRUE, "10.1.0.1/8" },
        { "tap0", NULL, FALSE, TRUE, TRUE, "10.0.0.1/8" } },
      NULL,
      "" },
    { { { "br0", NULL, TRUE, FALSE, TRUE, "10.0.0.1/8" },
        { "nrtap0", "br0", FALSE, TRUE, TRUE, NULL } },
      "[{'network': <'lab'>, 'kind': <'tap'>, 'address': <'nrtap0'>, 'peer': <'br0'>}]",
      "" },
    { { { "br0", NULL, TRUE, FALSE, TRUE, NULL }, { "nrtap0", "br0", FALSE, TRUE, TRUE, NULL } },
      "[{'network': <'lab'>, 'kind': <'tap'>, 'address': <'nrtap0'>, 'peer': <'br0'>}]",
      "bridge-empty br0" },
    { { { "br0", NULL, TRUE, FALSE, TRUE, NULL },
        { "eth0", "br0", .up = TRUE },
        { "nrtap0", "br0", FALSE, TRUE, TRUE, NULL } },
      "[{'network': <'lab'>, 'kind': <'tap'>, 'address': <'nrtap0'>, 'peer': <'br0'>}]",
      "" },
    { { { "br0", NULL, TRUE, FALSE, TRUE, NULL }, { "nrtap0", NULL, FALSE, TRUE, TRUE, NULL } },
      "[{'network': <'lab'>, 'kind': <'tap'>, 'address': <'nrtap0'>, 'peer': <'br0'>}]",
      "tap-elsewhere nrtap0" },
    { { { "nrtap0", NULL, FALSE, TRUE, TRUE, NULL } },
      "[{'network': <'lab'>, 'kind': <'tap'>, 'address': <'nrtap0'>, 'peer': <'br0'>}]",
      "tap-elsewhere nrtap0" },
    { { { "br0", NULL, TRUE, FALSE, TRUE, NULL },
        { "br1", NULL, TRUE, FALSE, TRUE, NULL },
        { "nrtap0", "br1", FALSE, TRUE, TRUE, NULL } },
      "[{'network': <'lab'>, 'kind': <'tap'>, 'address': <'nrtap0'>, 'peer': <'br0'>}]",
      "tap-elsewhere nrtap0" },
};

static void test_links(void)
{
    for (guint i = 0; i < G_N_ELEMENTS(link_cases); i++) {
        g_autoptr(GPtrArray) findings = nr_findings_new();
        g_autoptr(GPtrArray) links = links_of(link_cases[i].devices);
        g_autoptr(GVariant) rows = link_cases[i].rows ? parse("aa{sv}", link_cases[i].rows) : NULL;
        g_autofree char *text = NULL;

        nr_doctor_links(findings, links, rows);
        text = said(findings);
        g_assert_cmpstr(text, ==, link_cases[i].said);
    }
}

/* A fault where somebody uses it, or that is not known. */
static void test_bridge_down(void)
{
    static const struct {
        const char *rows;
        gboolean tap, notice;
    } cases[] = {
        { NULL, FALSE, FALSE },
        { "[]", FALSE, TRUE },
        { "[]", TRUE, FALSE },
        { "[{'network': <'lab'>, 'kind': <'tap'>, 'peer': <'br0'>}]", FALSE, FALSE },
        { "[{'network': <'lab'>, 'kind': <'tap'>, 'peer': <'br1'>}]", FALSE, TRUE },
    };

    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        const Device devices[] = {
            { "br0", .bridge = TRUE },
            { cases[i].tap ? "vnet0" : "eth0", "br0", .tap = cases[i].tap, .up = TRUE },
            { NULL },
        };
        g_autoptr(GPtrArray) findings = nr_findings_new();
        g_autoptr(GPtrArray) links = links_of(devices);
        g_autoptr(GVariant) rows = cases[i].rows ? parse("aa{sv}", cases[i].rows) : NULL;

        nr_doctor_links(findings, links, rows);
        g_assert_cmpuint(findings->len, ==, 1);
        g_assert_cmpint(((NrFinding *)findings->pdata[0])->notice, ==, cases[i].notice);
    }
}

static void test_bridge_down_and_empty(void)
{
    static const Device devices[][3] = {
        { { "br0", .bridge = TRUE }, { "eth0", "br0", .up = TRUE } },
        { { "br0", .bridge = TRUE }, { "eth0", .up = TRUE } },
    };
    static const char *const texts[] = {
        "bridge br0 is down, so no frame passes it",
        "bridge br0 is down and has no members, so no frame passes it",
    };

    for (guint i = 0; i < G_N_ELEMENTS(devices); i++) {
        g_autoptr(GPtrArray) findings = nr_findings_new();
        g_autoptr(GPtrArray) links = links_of(devices[i]);

        nr_doctor_links(findings, links, NULL);
        g_assert_cmpstr(((NrFinding *)findings->pdata[0])->text, ==, texts[i]);
    }
}

/* libvirt runs hooks for QEMU's guests only. */
static void test_hook_of_another_driver(void)
{
    g_autoptr(GPtrArray) findings = nr_findings_new();

    nr_doctor_hook(findings, "test:///default");
    g_assert_cmpuint(findings->len, ==, 0);
}

/* AppArmor */

static void write_file(const char *root, const char *path, const char *text)
{
    g_autofree char *file = g_strconcat(root, path, NULL);
    g_autofree char *dir = g_path_get_dirname(file);

    g_assert_cmpint(g_mkdir_with_parents(dir, 0700), ==, 0);
    g_assert_true(g_file_set_contents(file, text, -1, NULL));
}

static void remove_tree(const char *root)
{
    static const char *const paths[] = { "/proc/4242/attr/current",
                                         "/proc/4242/attr",
                                         "/proc/4242",
                                         "/proc",
                                         "/run/libvirtd.pid",
                                         "/run",
                                         NULL };

    g_autofree char *hook = g_strconcat(root, nr_hook_path(), NULL);

    for (guint i = 0; paths[i]; i++) {
        g_autofree char *path = g_strconcat(root, paths[i], NULL);

        g_assert_cmpint(g_remove(path), ==, 0);
    }
    while (strlen(hook) >= strlen(root)) {
        g_assert_cmpint(g_remove(hook), ==, 0);
        *strrchr(hook, '/') = '\0';
    }
}

static void test_apparmor(void)
{
    static const struct {
        const char *label, *hook, *said;
    } cases[] = {
        { "libvirtd (enforce)\n", "#!/bin/sh\nctl=/usr/local/bin/netrelayctl\n",
          "apparmor /usr/local/bin/netrelayctl" },
        { "libvirtd (enforce)\n", "#!/bin/sh\nctl=/usr/bin/netrelayctl\n", "" },
        { "libvirtd (enforce)\n", "#!/bin/sh\n", "" },
        { "libvirtd (complain)\n", "ctl=/usr/local/bin/netrelayctl\n", "" },
        { "unconfined\n", "ctl=/usr/local/bin/netrelayctl\n", "" },
    };

    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GPtrArray) findings = nr_findings_new();
        g_autofree char *root = g_dir_make_tmp("doctor-XXXXXX", NULL);
        g_autofree char *text = NULL;

        write_file(root, "/run/libvirtd.pid", "4242\n");
        write_file(root, "/proc/4242/attr/current", cases[i].label);
        write_file(root, nr_hook_path(), cases[i].hook);
        nr_doctor_apparmor(findings, root);
        text = said(findings);
        g_assert_cmpstr(text, ==, cases[i].said);
        remove_tree(root);
    }
}

/* A cure is copied into a shell: whatever the guest is called, it is one word there. */
static void test_shell_words(void)
{
    static const char *const cases[][2] = {
        { "vm1", "vm1" },       { "web-1.lab_x", "web-1.lab_x" }, { "x;rm -rf", "'x;rm -rf'" },
        { "$(id)", "'$(id)'" }, { "-dash", "-- '-dash'" },        { "", "''" },
    };

    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *word = nr_shell_word(cases[i][0]);

        g_assert_cmpstr(word, ==, cases[i][1]);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/doctor/rows", test_rows);
    g_test_add_func("/doctor/refused-host", test_refused_host);
    g_test_add_func("/doctor/cure-of-a-reason", test_cure_of_a_reason);
    g_test_add_func("/doctor/names-once", test_names_once);
    g_test_add_func("/doctor/tunnel", test_tunnel);
    g_test_add_func("/doctor/summary", test_summary);
    g_test_add_func("/doctor/open-nics", test_open_nics);
    g_test_add_func("/doctor/links", test_links);
    g_test_add_func("/doctor/bridge-down", test_bridge_down);
    g_test_add_func("/doctor/bridge-down-and-empty", test_bridge_down_and_empty);
    g_test_add_func("/doctor/hook-of-another-driver", test_hook_of_another_driver);
    g_test_add_func("/doctor/apparmor", test_apparmor);
    g_test_add_func("/doctor/shell-words", test_shell_words);
    return g_test_run();
}
