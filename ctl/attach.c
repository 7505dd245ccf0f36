/* SPDX-License-Identifier: GPL-2.0-or-later */
/* netrelayctl attach, detach: where a guest's NIC belongs, said in the guest's metadata. The
 * manager writes it: it knows whether it can be had, and when it is. */
#include <stdio.h>
#include "ctl/json.h"
#include "ctl/manager.h"
#include "daemon/row.h"
#include "xml/guest.h"

#define REWIRE_TIMEOUT_MS 60000 /* libvirt holds a guest for as long as a hook of it runs */

/* An option of which one of a few is to be given: its name is the manager's word for it, too. */
typedef struct {
    const char *name;
    gsize offset; /* of its value in NrCall */
} Choice;

static const Choice nics[] = {
    { "mac", G_STRUCT_OFFSET(NrCall, mac) },
    { "alias", G_STRUCT_OFFSET(NrCall, alias) },
    { "dev", G_STRUCT_OFFSET(NrCall, dev) },
    { NULL },
};

static const Choice places[] = {
    { "network", G_STRUCT_OFFSET(NrCall, network) },
    { "bridge", G_STRUCT_OFFSET(NrCall, bridge) },
    { "peer", G_STRUCT_OFFSET(NrCall, peer) },
    { NULL },
};

/* The one that is given; NULL after it has said that there must be one. */
static const Choice *choose(const NrCall *call, const Choice *choices, const char *what)
{
    const Choice *found = NULL;
    guint count = 0;

    for (const Choice *choice = choices; choice->name; choice++) {
        if (!G_STRUCT_MEMBER(const char *, call, choice->offset))
            continue;
        found = choice;
        count++;
    }
    if (count == 1)
        return found;
    nr_complain("one of --%s, --%s and --%s is needed, to say %s", choices[0].name, choices[1].name,
                choices[2].name, what);
    return NULL;
}

static gboolean check_nic(const NrCall *call)
{
    struct mac mac;

    if (!call->mac || mac_parse(&mac, call->mac) == 0)
        return TRUE;
    nr_complain("--mac '%s': expected a MAC address, as 52:54:00:12:34:56", call->mac);
    return FALSE;
}

static gboolean check_sides(const NrCall *call)
{
    if (!(call->options & NR_OPTION_CURRENT) ||
        !(call->options & (NR_OPTION_LIVE | NR_OPTION_CONFIG)))
        return TRUE;
    nr_complain("--current excludes --live and --config");
    return FALSE;
}

static gboolean flag(GVariant *outcome, const char *key)
{
    gboolean value = FALSE;

    g_variant_lookup(outcome, key, "b", &value);
    return value;
}

/* From when on, or for how long, where it is not simply so. */
static const char *extent(GVariant *outcome)
{
    if (!flag(outcome, "running"))
        return "";
    if (!flag(outcome, "live"))
        return ", from its next start on";
    return flag(outcome, "config") || !flag(outcome, "persistent") ? ""
                                                                   : ", until the guest is stopped";
}

/* Its definition may have said something else. New string. */
static char *detached_from(GVariant *outcome)
{
    const char *was_to = nr_row_text(outcome, "was_to"), *was = nr_row_text(outcome, "was");
    const char *config_to = nr_row_text(outcome, "config_was_to");
    const char *config = nr_row_text(outcome, "config_was");

    if (!*config_to || (g_str_equal(was_to, config_to) && g_str_equal(was, config)))
        return g_strdup_printf("%s %s", was_to, was);
    return g_strdup_printf("%s %s, and in its definition from %s %s", was_to, was, config_to,
                           config);
}

static void print_people(GVariant *outcome)
{
    gboolean attached = *nr_row_text(outcome, "to") != '\0';
    g_autofree char *place = attached ? g_strdup_printf("%s %s", nr_row_text(outcome, "to"),
                                                        nr_row_text(outcome, "where"))
                                      : detached_from(outcome);
    g_autofree char *text = g_strdup_printf(
        "NIC %s of guest %s %s %s%s", nr_row_text(outcome, "nic"), nr_row_text(outcome, "guest"),
        attached ? "attached to" : "detached from", place, extent(outcome));
    g_autofree char *printable = nr_printable(text);

    puts(printable);
}

static NrExit rewire(const NrCall *call, const Choice *nic, const Choice *place)
{
    const char *where = place ? G_STRUCT_MEMBER(const char *, call, place->offset) : "";
    GVariant *arguments = g_variant_new(
        "(sssssbb)", call->operands[0], nic->name, G_STRUCT_MEMBER(const char *, call, nic->offset),
        place ? place->name : "", where, (call->options & NR_OPTION_LIVE) != 0,
        (call->options & NR_OPTION_CONFIG) != 0);
    NrExit code;
    g_autoptr(GVariant) reply =
        nr_manager_call_with(call, "Rewire", arguments, "(a{sv})", REWIRE_TIMEOUT_MS, FALSE, &code);
    g_autoptr(GVariant) outcome = reply ? g_variant_get_child_value(reply, 0) : NULL;
    const char *trouble;

    if (!reply)
        return code;
    if (call->options & NR_OPTION_JSON)
        nr_json_print(outcome);
    else
        print_people(outcome);
    trouble = nr_row_text(outcome, "trouble");
    if (!*trouble)
        return NR_EXIT_DONE;
    nr_complain("it is tried again: %s", trouble);
    return NR_EXIT_FAILED;
}

NrExit nr_attach_run(const NrCall *call)
{
    const Choice *nic = choose(call, nics, "which NIC is meant");
    const Choice *place = nic ? choose(call, places, "where it belongs") : NULL;

    return place && check_nic(call) && check_sides(call) ? rewire(call, nic, place) : NR_EXIT_USAGE;
}

NrExit nr_detach_run(const NrCall *call)
{
    const Choice *nic = choose(call, nics, "which NIC is meant");

    return nic && check_nic(call) && check_sides(call) ? rewire(call, nic, NULL) : NR_EXIT_USAGE;
}
