/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * netrelayctl hook: what libvirt's hook calls, while libvirt holds the guest's lock and waits for
 * us without a time limit. So: no call to libvirt, no child, nothing left open, every wait bounded.
 * A guest that nobody connected to us starts whatever state we are in; one that somebody did, by a
 * network file or metadata, starts only when its far end stands.
 */
#include <stdio.h>
#include <unistd.h>
#include "ctl/hook-client.h"
#include "ctl/manager.h"
#include "ctl/preview.h"
#include "ctl/read-all.h"
#include "xml/domain-xml.h"

#define ENDING_DEADLINE_MS 2000 /* release and reconnect tell; they need no answer */

static const struct {
    const char *name;
    enum hook_op op;
    gboolean barrier;
    int first_sign_ms, deadline_ms, waiting_ms, again_ms;
} ops[] = {
    { "prepare", HOOK_PREPARE, TRUE, HOOK_FIRST_SIGN_MS, HOOK_DEADLINE_MS, HOOK_WAITING_MS,
      HOOK_AGAIN_MS },
    { "release", HOOK_RELEASE, FALSE, ENDING_DEADLINE_MS, ENDING_DEADLINE_MS, 0, 0 },
    { "reconnect", HOOK_RECONNECT, FALSE, ENDING_DEADLINE_MS, ENDING_DEADLINE_MS, 0, 0 },
};

/* libvirt shows this to whoever started the guest: exactly one line. */
static void say(const char *sentence)
{
    g_autofree char *line = nr_printable(sentence);

    fprintf(stderr, "netrelay: %s\n", line);
}

static NrGuest *read_guest(const char *name, int timeout_ms, GByteArray **ret_xml, char **ret_why)
{
    g_autoptr(GError) error = NULL;
    NrGuest *guest;
    int r = nr_read_all(STDIN_FILENO, NR_DOMAIN_XML_MAX, timeout_ms, ret_xml);

    if (r < 0) {
        *ret_why = g_strdup_printf("cannot read the XML of guest '%s': %s", name, g_strerror(-r));
        return NULL;
    }
    guest = nr_domain_xml_parse((const char *)(*ret_xml)->data, (*ret_xml)->len, &error);
    if (!guest)
        *ret_why =
            g_strdup_printf("cannot understand the XML of guest '%s': %s", name, error->message);
    return guest;
}

/* New string. */
static char *missing_sentence(const NrGuest *guest, const NrBinding *binding, const char *why,
                              const char *cure)
{
    g_autofree char *label = nr_nic_label(binding->nic);
    g_autofree char *address = nr_nic_address(binding->nic);

    return g_strdup_printf("guest %s, NIC %s (%s %s): its network %s is not there because %s; %s",
                           guest->name, label, nr_nic_kind_name(binding->nic->kind), address,
                           binding->network ?: "(not known yet)", why, cure);
}

/* Nobody answers: does anything that was written down forbid this guest to start without us? */
static NrExit decide_alone(const NrGuest *guest, const NrCall *call, const char *why,
                           const char *cure)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(NrPreview) preview =
        nr_preview_new(guest, call->uid, call->runtime_dir, FALSE, &error);
    const NrBinding *binding;
    g_autofree char *sentence = NULL;

    if (!preview) {
        say(error->message);
        return NR_EXIT_DONE;
    }
    binding = nr_preview_refusal(preview);
    if (binding) {
        say(binding->reason);
        return NR_EXIT_FAILED;
    }
    binding = nr_preview_named(preview);
    if (!binding)
        return NR_EXIT_DONE;
    sentence = missing_sentence(guest, binding, why, cure);
    say(sentence);
    return NR_EXIT_FAILED;
}

static NrExit prepare(const NrHookQuestion *question, const NrGuest *guest, const NrCall *call)
{
    g_autofree char *sentence = NULL;
    NrHookOutcome outcome = nr_hook_ask(question, &sentence);

    switch (outcome) {
    case NR_HOOK_OK:
        if (sentence)
            say(sentence);
        return NR_EXIT_DONE;
    case NR_HOOK_REFUSED:
        say(sentence);
        return NR_EXIT_FAILED;
    default:
        return decide_alone(guest, call, sentence,
                            nr_manager_cure(call->uid, outcome == NR_HOOK_MUTE));
    }
}

static NrExit run_op(guint index, const NrCall *call)
{
    const char *name = call->operands[1];
    g_autoptr(GByteArray) xml = NULL;
    g_autofree char *why = NULL;
    g_autofree char *sentence = NULL;
    g_autoptr(NrGuest) guest = read_guest(name, ops[index].deadline_ms, &xml, &why);
    NrHookQuestion question;

    if (!guest && ops[index].barrier)
        say(why); /* and let it start: our ignorance is not its fault */
    if (!guest || !nr_guest_concerns_us(guest))
        return NR_EXIT_DONE;
    question = (NrHookQuestion){ .runtime_dir = call->runtime_dir,
                                 .op = ops[index].op,
                                 .guest = name,
                                 .xml = xml->data,
                                 .xml_length = xml->len,
                                 .first_sign_ms = ops[index].first_sign_ms,
                                 .deadline_ms = ops[index].deadline_ms,
                                 .waiting_ms = ops[index].waiting_ms,
                                 .again_ms = ops[index].again_ms };
    if (ops[index].barrier)
        return prepare(&question, guest, call);
    /* A manager that is away learns it from libvirt's list when it is back. */
    nr_hook_ask(&question, &sentence);
    return NR_EXIT_DONE;
}

NrExit nr_hook_run(const NrCall *call)
{
    for (guint i = 0; i < G_N_ELEMENTS(ops); i++) {
        if (g_str_equal(ops[i].name, call->operands[0]))
            return run_op(i, call);
    }
    nr_complain("hook takes prepare, release or reconnect, not '%s'", call->operands[0]);
    return NR_EXIT_USAGE;
}
