/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "model-fixture.h"

#include <glib/gstdio.h>

#include <string.h>

#include "xml/domain-xml.h"
#include "xml/network-xml.h"

static void free_guest(gpointer guest)
{
    nr_guest_unref(guest);
}

static void free_network(gpointer network)
{
    nr_network_free(network);
}

/* --- worlds */

static void append_address(GString *xml, const char *text)
{
    const char *colon = strrchr(text, ':');
    g_autofree char *host = NULL;

    g_assert_nonnull(colon);
    host = g_strndup(text, colon - text);
    if (*host)
        g_string_append_printf(xml, " address='%s'", host);
    g_string_append_printf(xml, " port='%s'", colon + 1);
}

static void append_bandwidth(GString *xml, const char *sends, const char *gets)
{
    g_string_append(xml, "<bandwidth>");
    if (gets)
        g_string_append_printf(xml, "<inbound average='%s'/>", gets);
    if (sends)
        g_string_append_printf(xml, "<outbound average='%s'/>", sends);
    g_string_append(xml, "</bandwidth>");
}

static void append_nic(GString *xml, GString *metadata, const char *text, const char *mac)
{
    g_auto(GStrv) words = g_strsplit(text, " ", -1);
    g_auto(GStrv) places = NULL;
    const char *wish = NULL, *sends = NULL, *gets = NULL;

    for (char **word = words + 1; *word; word++)
        if (**word == '@')
            wish = *word + 1;
        else if (g_str_has_prefix(*word, "sends="))
            sends = *word + 6;
        else if (g_str_has_prefix(*word, "gets="))
            gets = *word + 5;
        else
            places = g_strsplit(*word, ">", 2);
    if (wish && g_str_equal(wish, "ignore"))
        g_string_append_printf(metadata, "<n:interface mac='%s' ignore='yes'/>", mac);
    else if (wish && g_str_has_prefix(wish, "bridge:"))
        g_string_append_printf(metadata, "<n:interface mac='%s' bridge='%s'/>", mac, wish + 7);
    else if (wish && g_str_has_prefix(wish, "peer:"))
        g_string_append_printf(metadata, "<n:interface mac='%s' peer='%s'/>", mac, wish + 5);
    else if (wish)
        g_string_append_printf(metadata, "<n:interface mac='%s' network='%s'/>", mac, wish);

    g_string_append_printf(xml, "<interface type='%s'><mac address='%s'/>",
                           g_str_equal(words[0], "other") ? "network" : words[0], mac);
    if (places) {
        g_string_append(xml, "<source");
        append_address(xml, places[0]);
        g_string_append(xml, ">");
        if (places[1]) {
            g_string_append(xml, "<local");
            append_address(xml, places[1]);
            g_string_append(xml, "/>");
        }
        g_string_append(xml, "</source>");
    }
    append_bandwidth(xml, sends, gets);
    g_string_append(xml, "</interface>");
}

static NrGuestState parse_state(const char *word)
{
    if (g_str_equal(word, "running"))
        return NR_GUEST_RUNNING;
    if (g_str_equal(word, "announced"))
        return NR_GUEST_ANNOUNCED;
    g_assert_cmpstr(word, ==, "defined");
    return NR_GUEST_DEFINED;
}

static char *format_domain(const char *name, const char *id, const char *nics, guint number)
{
    g_auto(GStrv) list = g_strsplit(nics, ", ", -1);
    g_autoptr(GString) devices = g_string_new(NULL);
    g_autoptr(GString) metadata = g_string_new(NULL);
    guint count = 0;

    for (char **nic = list; *nic; nic++) {
        g_autofree char *mac = g_strdup_printf("52:54:%02x:%02x:%02x:%02x", number >> 8 & 255,
                                               number & 255, count >> 8 & 255, count & 255);

        append_nic(devices, metadata, g_strstrip(*nic), mac);
        count++;
    }
    return g_strdup_printf(
        "<domain type='kvm'%s%s%s><name>%s</name>"
        "<uuid>00000000-0000-4000-8000-%012u</uuid>"
        "<metadata><n:domain xmlns:n='urn:netrelay:domain:1'>%s</n:domain></metadata>"
        "<devices>%s</devices></domain>",
        *id == '-' ? "" : " id='", *id == '-' ? "" : id, *id == '-' ? "" : "'", name, number,
        metadata->str, devices->str);
}

static NrGuest *parse_guest(const char *line, guint number)
{
    g_auto(GStrv) words = g_strsplit(line, " ", 3);
    char *colon = strstr(words[2], ": ");
    g_autoptr(GError) error = NULL;
    g_autofree char *xml = NULL;
    g_autoptr(NrGuest) guest = NULL;

    g_assert_nonnull(colon);
    *colon = '\0';
    xml = format_domain(words[2], words[1], colon + 2, number);
    guest = nr_domain_xml_parse(xml, strlen(xml), &error);
    g_assert_no_error(error);
    return nr_guest_copy(guest, parse_state(words[0]));
}

GPtrArray *fixture_guests(const char *text)
{
    g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
    GPtrArray *guests = g_ptr_array_new_with_free_func(free_guest);
    guint number = 0;

    for (char **line = lines; *line; line++)
        if (**line)
            g_ptr_array_add(guests, parse_guest(*line, ++number));
    return guests;
}

NrGuest *fixture_guest(const char *line)
{
    return parse_guest(line, 1);
}

static char *format_lab_guest(FixtureLab lab, guint i, guint count)
{
    guint before = (i + count - 1) % count;

    if (lab == FIXTURE_CROWDED)
        return g_strdup_printf("running %u vm-%u: udp 127.0.0.1:5000>127.1.%u.%u:5001, "
                               "client 127.0.0.1:12345, server :12345, udp 127.0.0.1:1>127.0.0.1:1",
                               i + 1, i, i >> 8, i & 255);
    return g_strdup_printf("running %u vm-%u: udp 127.1.%u.%u:5001>127.1.%u.%u:5002, "
                           "udp 127.1.%u.%u:5002>127.1.%u.%u:5001, client 127.0.0.1:%u, "
                           "server 127.2.%u.%u:23456",
                           i + 1, i, before >> 8, before & 255, i >> 8, i & 255,
                           ((i + 1) % count) >> 8, ((i + 1) % count) & 255, i >> 8, i & 255,
                           20000 + i % 50, i >> 8, i & 255);
}

GPtrArray *fixture_lab(FixtureLab lab, guint count)
{
    GPtrArray *guests = g_ptr_array_new_with_free_func(free_guest);

    for (guint i = 0; i < count; i++) {
        g_autofree char *line = format_lab_guest(lab, i, count);

        g_ptr_array_add(guests, parse_guest(line, i + 1));
    }
    return guests;
}

GPtrArray *fixture_lab_networks(guint count)
{
    g_autoptr(GPtrArray) bodies = g_ptr_array_new_with_free_func(g_free);

    for (guint i = 0; i < count; i++)
        g_ptr_array_add(bodies, g_strdup_printf("<name>lab-%u</name><listen port='%u'/>"
                                                "<match domain='vm-%u' type='server'/>"
                                                "<match domain='*-lab-%u'/>",
                                                i, 20000 + i, i, i));
    g_ptr_array_add(bodies, NULL);
    return fixture_networks((const char *const *)bodies->pdata);
}

GPtrArray *fixture_networks(const char *const *bodies)
{
    GPtrArray *networks = g_ptr_array_new_with_free_func(free_network);

    for (; bodies && *bodies; bodies++) {
        gboolean stopped = **bodies == '!';
        g_autofree char *xml = g_strdup_printf("<network>%s</network>", *bodies + stopped);
        g_autoptr(GError) error = NULL;
        NrNetwork *network = nr_network_xml_parse(xml, strlen(xml), "test.xml", &error);

        g_assert_no_error(error);
        network->stopped = stopped;
        g_ptr_array_add(networks, network);
    }
    return networks;
}

NrDesired *fixture_decide(const GPtrArray *guests, const GPtrArray *networks,
                          const NrPolicy *policy)
{
    static const char *const addresses[] = { "127.0.0.1", "10.0.0.1", NULL };
    g_autoptr(GHashTable) resolved = g_hash_table_new(g_str_hash, g_str_equal);
    NrDesiredInput input = { .guests = guests,
                             .networks = networks,
                             .policy = policy,
                             .addresses = addresses,
                             .resolved = resolved };

    g_hash_table_insert(resolved, (gpointer) "localhost", (gpointer) "127.0.0.1");
    g_hash_table_insert(resolved, (gpointer) "any", (gpointer) "0.0.0.0");
    g_hash_table_insert(resolved, (gpointer) "me", (gpointer) "10.0.0.1");
    g_hash_table_insert(resolved, (gpointer) "far", (gpointer) "172.20.232.22");
    g_hash_table_insert(resolved, (gpointer) "nowhere", (gpointer) "");
    return nr_desired_new(&input);
}

/* --- what came out */

static guint nic_number(const NrBinding *binding)
{
    guint number = G_MAXUINT;

    g_assert_true(g_ptr_array_find(binding->guest->nics, binding->nic, &number));
    return number;
}

NrBinding *fixture_binding(const NrDesired *desired, const char *which)
{
    for (guint i = 0; i < desired->bindings->len; i++) {
        NrBinding *binding = g_ptr_array_index(desired->bindings, i);
        g_autofree char *name = g_strdup_printf("%s.%u", binding->guest->name, nic_number(binding));

        if (g_str_equal(name, which))
            return binding;
    }
    g_error("there is no binding %s", which);
}

char *fixture_show(const NrDesired *desired)
{
    g_autoptr(GString) text = g_string_new(NULL);

    for (guint i = 0; i < desired->bindings->len; i++) {
        const NrBinding *binding = g_ptr_array_index(desired->bindings, i);

        g_string_append_printf(text, "%s.%u %s", binding->guest->name, nic_number(binding),
                               nr_binding_kind_name(binding->kind));
        if (binding->named)
            g_string_append(text, " named");
        if (binding->conflict)
            g_string_append(text, " conflict");
        if (binding->network)
            g_string_append_printf(text, " %s", binding->network);
        if (binding->peer_guest)
            g_string_append_printf(text, " %s", binding->peer_guest);
        g_string_append_c(text, '\n');
    }
    for (guint i = 0; i < desired->networks->len; i++) {
        const NrDesiredNetwork *network = g_ptr_array_index(desired->networks, i);

        g_string_append_printf(text, "[%s]", network->name);
        for (guint k = 0; k < network->endpoints->len; k++) {
            const NrDesiredEndpoint *endpoint = g_ptr_array_index(network->endpoints, k);

            g_string_append_printf(text, " %s%s", endpoint->text, endpoint->named ? "!" : "");
        }
        g_string_append_c(text, '\n');
    }
    return g_string_free(g_steal_pointer(&text), FALSE);
}

char *fixture_show_plan(const GPtrArray *plan)
{
    g_autoptr(GString) text = g_string_new(NULL);

    for (guint i = 0; i < plan->len; i++) {
        const NrAction *action = g_ptr_array_index(plan, i);
        g_autofree char *line = nr_action_format(action);

        g_string_append(text, line);
        for (guint k = 0; action->after && k < action->after->len; k++)
            g_string_append_printf(text, ", after %s", (char *)action->after->pdata[k]);
        g_string_append_c(text, '\n');
    }
    return g_string_free(g_steal_pointer(&text), FALSE);
}

/* --- the world, as far as a plan changes it */

static NrActualEndpoint *find_endpoint(NrActualNetwork *network, guint32 id, guint *ret_place)
{
    for (guint i = 0; i < network->endpoints->len; i++) {
        NrActualEndpoint *endpoint = g_ptr_array_index(network->endpoints, i);

        *ret_place = i;
        if (endpoint->id == id)
            return endpoint;
    }
    g_error("%s has no endpoint %u", network->name, id);
}

static void apply_attach(NrActualNetwork *network, const NrAction *action)
{
    static guint32 id = 1000;
    NrActualEndpoint *endpoint = nr_actual_endpoint_new(id++, action->endpoint);

    for (guint i = 0; i < network->endpoints->len; i++) {
        NrActualEndpoint *other = g_ptr_array_index(network->endpoints, i);

        g_assert_cmpstr(other->text, !=, action->endpoint);
    }
    endpoint->label = g_strdup(action->label);
    endpoint->admit = g_strdup(action->admit);
    g_ptr_array_add(network->endpoints, endpoint);
}

static void apply_options(NrActualNetwork *network, const NrAction *action)
{
    for (guint i = 0; i < network->ports->len; i++) {
        NrActualPort *port = g_ptr_array_index(network->ports, i);

        if (port->id != action->port_id)
            continue;
        g_free(port->options);
        port->options = g_strdup(action->detail);
        return;
    }
    g_error("there is no port %u", action->port_id);
}

static void apply_move(NrActualNetwork *from, NrActualNetwork *to, guint32 port_id)
{
    g_assert_nonnull(to);
    for (guint i = 0; i < from->ports->len; i++) {
        NrActualPort *port = g_ptr_array_index(from->ports, i);

        if (port->id != port_id)
            continue;
        g_ptr_array_add(to->ports, g_ptr_array_steal_index(from->ports, i));
        port->endpoint = 0; /* no endpoint of its own there */
        return;
    }
    g_assert_not_reached();
}

static void apply_lay(NrActual *actual, const NrAction *action)
{
    for (guint i = 0; action->ground && i < action->ground->len; i++) {
        NrActualChange *change = nr_actual_change_new(action->ground->pdata[i], action->network);

        change->done = TRUE;
        g_ptr_array_add(actual->changes, change);
    }
}

static void apply_lift(NrActual *actual, const NrAction *action)
{
    for (guint i = 0; i < action->ground->len; i++) {
        NrActualChange *last = actual->changes->pdata[actual->changes->len - 1];

        g_assert_cmpstr(last->change, ==, action->ground->pdata[i]); /* in reverse */
        g_ptr_array_set_size(actual->changes, (int)actual->changes->len - 1);
    }
}

/* On what there is by now. */
static void apply_serve(NrActual *actual, const NrAction *action)
{
    NrActualService *have = nr_actual_service(actual, action->network);

    for (guint i = 0; i < action->ground->len; i++) {
        gboolean there = FALSE;

        for (guint k = 0; k < actual->changes->len; k++) {
            const NrActualChange *change = actual->changes->pdata[k];

            there |= g_str_equal(change->change, action->ground->pdata[i]);
        }
        g_assert_true(there);
    }
    if (have)
        g_ptr_array_remove(actual->services, have);
    g_ptr_array_add(actual->services, nr_actual_service_new(action->network, action->detail));
}

static void apply_action(NrActual *actual, const NrAction *action)
{
    NrActualNetwork *network = nr_actual_find(actual, action->network);
    guint place = 0;

    if (action->kind == NR_ACTION_LIFT) {
        apply_lift(actual, action);
        return;
    }
    if (action->kind == NR_ACTION_UNSERVE) {
        g_assert_true(
            g_ptr_array_remove(actual->services, nr_actual_service(actual, action->network)));
        return;
    }
    if (action->kind == NR_ACTION_SERVE) {
        apply_serve(actual, action);
        return;
    }
    if (action->kind == NR_ACTION_SPAWN) {
        g_assert_null(network);
        g_ptr_array_add(actual->networks, nr_actual_network_new(action->network, 1));
        return;
    }
    g_assert_nonnull(network);
    switch (action->kind) {
    case NR_ACTION_DETACH:
        find_endpoint(network, action->endpoint_id, &place);
        g_ptr_array_remove_index(network->endpoints, place);
        break;
    case NR_ACTION_ATTACH:
        apply_lay(actual, action);
        apply_attach(network, action);
        break;
    case NR_ACTION_LAY:
        apply_lay(actual, action);
        break;
    case NR_ACTION_ENSLAVE:
        find_endpoint(network, action->endpoint_id, &place)->astray = FALSE;
        break;
    case NR_ACTION_SET_OPTIONS:
        apply_options(network, action);
        break;
    case NR_ACTION_MOVE:
        apply_move(network, nr_actual_find(actual, action->detail), action->port_id);
        break;
    default:
        g_assert_true(g_ptr_array_remove(actual->networks, network));
    }
}

void fixture_apply(NrActual *actual, const GPtrArray *plan)
{
    for (guint i = 0; i < plan->len; i++)
        apply_action(actual, g_ptr_array_index(plan, i));
}

void fixture_pass(NrActual *actual, const char *guests, const char *const *files,
                  const NrPolicy *policy, const char *expected)
{
    g_autoptr(GPtrArray) known = fixture_guests(guests);
    g_autoptr(GPtrArray) networks = fixture_networks(files);
    g_autoptr(NrDesired) desired = fixture_decide(known, networks, policy);
    g_autoptr(GPtrArray) plan = nr_plan_new(desired, actual);
    g_autofree char *shown = fixture_show_plan(plan);

    g_assert_cmpstr(shown, ==, expected);
    fixture_apply(actual, plan);
}

void fixture_remove_tree(const char *path)
{
    g_autoptr(GDir) dir = g_dir_open(path, 0, NULL);
    const char *name;

    while (dir && (name = g_dir_read_name(dir))) {
        g_autofree char *below = g_build_filename(path, name, NULL);

        fixture_remove_tree(below);
    }
    g_remove(path);
}
