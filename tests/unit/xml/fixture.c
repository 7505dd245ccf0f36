/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fixture.h"

#include <libxml/parser.h>
#include <libxml/relaxng.h>
#include <string.h>

#include "xml/user-network.h"

static char *read_file(const char *path, gsize *ret_length)
{
    g_autoptr(GError) error = NULL;
    char *text = NULL;

    g_file_get_contents(path, &text, ret_length, &error);
    g_assert_no_error(error);
    return text;
}

static char *data_path(const char *folder, const char *name)
{
    return g_test_build_filename(G_TEST_DIST, folder, name, NULL);
}

static void case_free(gpointer data)
{
    Case *c = data;

    g_free(c->folder);
    g_free(c->name);
    g_free(c->text);
    g_free(c);
}

static int compare_names(gconstpointer a, gconstpointer b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static GPtrArray *case_names(const char *folder)
{
    g_autofree char *path = data_path(folder, NULL);
    g_autoptr(GError) error = NULL;
    g_autoptr(GDir) dir = g_dir_open(path, 0, &error);
    GPtrArray *names = g_ptr_array_new_with_free_func(g_free);
    const char *name;

    g_assert_no_error(error);
    while ((name = g_dir_read_name(dir))) {
        if (g_str_has_suffix(name, ".xml"))
            g_ptr_array_add(names, g_strdup(name));
    }
    g_ptr_array_sort(names, compare_names);
    return names;
}

static char *expectations(const char *folder)
{
    g_autofree char *file = g_strconcat(folder, ".expect", NULL);
    g_autofree char *path = data_path(file, NULL);

    return read_file(path, NULL);
}

static void test_no_block_is_left(gconstpointer data)
{
    const char *folder = data;
    g_autofree char *all = expectations(folder);
    g_autoptr(GPtrArray) names = case_names(folder);
    guint blocks = 0;

    if (g_getenv("NR_EXPECT_OUT")) {
        g_test_skip("new expectations are being written");
        return;
    }
    for (const char *at = all; (at = strstr(at, "== ")); at++)
        blocks += at == all || at[-1] == '\n';
    g_assert_cmpuint(blocks, ==, names->len);
    g_assert_cmpuint(blocks, >, 0);
}

void fixture_add(const char *folder, void (*test)(const Case *))
{
    g_autoptr(GPtrArray) names = case_names(folder);
    g_autofree char *left = g_strdup_printf("/%s/expectations-are-all-used", folder);

    for (guint i = 0; i < names->len; i++) {
        Case *c = g_new0(Case, 1);
        g_autofree char *stem = NULL;
        g_autofree char *path = NULL;
        g_autofree char *test_path = NULL;

        c->folder = g_strdup(folder);
        c->name = g_strdup(g_ptr_array_index(names, i));
        path = data_path(folder, c->name);
        c->text = read_file(path, &c->length);
        stem = g_strndup(c->name, strlen(c->name) - strlen(".xml"));
        test_path = g_strdup_printf("/%s/%s", folder, stem);
        g_test_add_data_func_full(test_path, c, (GTestDataFunc)(void (*)(void))test, case_free);
    }
    g_test_add_data_func_full(left, g_strdup(folder), test_no_block_is_left, g_free);
}

static void write_out(const char *directory, const Case *c, const char *got)
{
    g_autofree char *flat = g_strdelimit(g_strdup(c->folder), "/", '_');
    g_autofree char *path = g_strdup_printf("%s/%s.expect", directory, flat);
    FILE *file = fopen(path, "a");

    g_assert_nonnull(file);
    fprintf(file, "== %s\n%s", c->name, got);
    g_assert_cmpint(fclose(file), ==, 0);
}

void fixture_expect(const Case *c, const char *got)
{
    const char *directory = g_getenv("NR_EXPECT_OUT");
    g_autofree char *all = NULL;
    g_autofree char *head = g_strdup_printf("== %s\n", c->name);
    g_autofree char *expected = NULL;
    const char *begin;
    const char *end;

    if (directory) {
        write_out(directory, c, got);
        return;
    }
    all = expectations(c->folder);
    begin = strstr(all, head);
    g_assert_nonnull(begin);
    begin += strlen(head);
    end = strstr(begin, "\n== ");
    expected = end ? g_strndup(begin, end + 1 - begin) : g_strdup(begin);
    g_assert_cmpstr(got, ==, expected);
}

static void dump_text(GString *out, const char *key, const char *text)
{
    g_autofree char *shown = text ? nr_printable(text) : NULL;

    if (shown)
        g_string_append_printf(out, " %s='%s'", key, shown);
}

static void dump_address(GString *out, const char *key, const NrAddress *address)
{
    g_autofree char *text = nr_address_format(address);

    if (address->host || address->l4_port)
        g_string_append_printf(out, " %s %s", key, text);
    if (!address->host && address->l4_port)
        g_string_append_printf(out, ":%u", address->l4_port);
}

static void dump_pin(GString *out, NrPin pin)
{
    g_string_append(out, pin == NR_PIN_YES ? " pinned" : pin == NR_PIN_NO ? " not pinned" : "");
}

static void dump_rate(GString *out, const char *key, const struct port_rate *rate)
{
    char text[PORT_RATE_TEXT_MAX];

    if (rate->average)
        g_string_append_printf(out, " %s %s", key, port_rate_format(rate, text));
}

static void dump_nic(GString *out, const NrNic *nic)
{
    char mac[MAC_TEXT_MAX];

    g_string_append_printf(out, "  %s %s", mac_format(nic->mac, mac), nr_nic_kind_name(nic->kind));
    dump_address(out, "ours", &nic->ours);
    dump_address(out, "theirs", &nic->theirs);
    dump_text(out, "alias", nic->alias);
    dump_text(out, "dev", nic->target_dev);
    g_string_append(out, nic->link_down ? " down" : "");
    dump_rate(out, "sends", &nic->sends);
    dump_rate(out, "gets", &nic->gets);
    dump_text(out, "network", nic->wish.network);
    dump_text(out, "bridge", nic->wish.bridge);
    dump_text(out, "peer", nic->wish.peer);
    g_string_append(out, nic->wish.ignore ? " ignored" : "");
    dump_pin(out, nic->wish.pin);
    g_string_append_c(out, '\n');
    if (nic->fault)
        g_string_append_printf(out, "    fault: %s\n", nic->fault);
}

char *fixture_dump_guest(const NrGuest *guest)
{
    g_autofree char *name = nr_printable(guest->name);
    GString *out = g_string_new(NULL);

    g_string_append_printf(out, "guest '%s' (%" G_GSIZE_FORMAT " bytes) %s id %d %s\n", name,
                           strlen(guest->name), guest->uuid, guest->id,
                           nr_guest_state_name(guest->state));
    if (guest->metadata_fault)
        g_string_append_printf(out, "  metadata: %s\n", guest->metadata_fault);
    for (guint i = 0; i < guest->nics->len; i++)
        dump_nic(out, g_ptr_array_index(guest->nics, i));
    return g_string_free(out, FALSE);
}

static void dump_match(GString *out, const NrMatch *match)
{
    g_string_append(out, "  match");
    dump_text(out, "domain", match->domain);
    if (match->kind >= 0)
        g_string_append_printf(out, " %s", nr_nic_kind_name((NrNicKind)match->kind));
    dump_text(out, "host", match->host);
    if (match->port_low)
        g_string_append_printf(out, " %u-%u", match->port_low, match->port_high);
    dump_pin(out, match->pin);
    g_string_append_c(out, '\n');
}

static void dump_dhcp(GString *out, const NrDhcp *dhcp)
{
    g_string_append_printf(out, "  dhcp %s\n", dhcp->ip);
    for (guint i = 0; i < dhcp->ranges->len; i++) {
        const NrDhcpRange *range = g_ptr_array_index(dhcp->ranges, i);

        g_string_append_printf(out, "    %s to %s for %u s\n", range->start, range->end,
                               range->lease_s);
    }
    for (guint i = 0; i < dhcp->hosts->len; i++) {
        const NrDhcpHost *host = g_ptr_array_index(dhcp->hosts, i);

        g_string_append_printf(out, "    %s", host->ip);
        dump_text(out, "mac", host->mac);
        dump_text(out, "name", host->name);
        g_string_append_c(out, '\n');
    }
}

static void dump_addressing(GString *out, const NrAddressing *addressing)
{
    for (guint i = 0; i < addressing->dhcps->len; i++)
        dump_dhcp(out, g_ptr_array_index(addressing->dhcps, i));
    if (addressing->domain)
        g_string_append_printf(out, "  domain '%s'%s\n", addressing->domain,
                               addressing->domain_local ? " local" : "");
    g_string_append(out, addressing->dns ? "  dns\n" : addressing->no_dns ? "  no dns\n" : "");
    for (guint i = 0; i < addressing->dns_hosts->len; i++) {
        const NrDnsHost *host = g_ptr_array_index(addressing->dns_hosts, i);

        g_string_append_printf(out, "    %s", host->ip);
        for (guint k = 0; k < host->names->len; k++)
            g_string_append_printf(out, " %s", (char *)g_ptr_array_index(host->names, k));
        g_string_append_c(out, '\n');
    }
    for (guint i = 0; i < addressing->forwarders->len; i++)
        g_string_append_printf(out, "    asks %s\n",
                               (char *)g_ptr_array_index(addressing->forwarders, i));
}

static void dump_routes(GString *out, const GPtrArray *routes)
{
    for (guint i = 0; i < routes->len; i++) {
        const NrRoute *route = g_ptr_array_index(routes, i);

        g_string_append_printf(out, "  route %s", route->destination);
        dump_text(out, "gateway", route->gateway);
        g_string_append(out, route->proxy ? " proxy\n" : "\n");
    }
}

char *fixture_dump_network(const NrNetwork *network)
{
    GString *out = g_string_new(NULL);

    g_string_append_printf(out, "network '%s' of '%s'", network->name, network->file);
    dump_pin(out, network->pin);
    g_string_append_c(out, '\n');
    for (guint i = 0; i < network->listens->len; i++) {
        const NrAddress *address = g_ptr_array_index(network->listens, i);

        dump_address(out, "  listen", address);
        if (address->admit)
            g_string_append_printf(out, " admit '%s'", address->admit);
        g_string_append_c(out, '\n');
    }
    for (guint i = 0; i < network->udps->len; i++) {
        dump_address(out, "  udp", g_ptr_array_index(network->udps, i));
        g_string_append_c(out, '\n');
    }
    if (network->bridge)
        g_string_append_printf(out, "  bridge '%s'\n", network->bridge);
    if (network->forward || network->forward_dev) {
        g_string_append_printf(out, "  forward %d", network->forward);
        dump_text(out, "dev", network->forward_dev);
        g_string_append(out, network->nat_v6 ? " nat-v6" : "");
        g_string_append_c(out, '\n');
    }
    for (guint i = 0; i < network->port_forwards->len; i++) {
        const NrPortForward *forward = g_ptr_array_index(network->port_forwards, i);

        g_string_append_printf(out, "  %s %u-%u to %u", forward->udp ? "udp" : "tcp",
                               forward->start, forward->end, forward->to_start);
        dump_text(out, "address", forward->address);
        dump_text(out, "to", forward->to);
        g_string_append_c(out, '\n');
    }
    if (network->forward == NR_FORWARD_USER) {
        g_autofree char *options = nr_user_network_options(network);

        g_string_append_printf(out, "  user:%s\n", options);
    }
    for (guint i = 0; i < network->ips->len; i++)
        g_string_append_printf(out, "  ip %s\n", (char *)g_ptr_array_index(network->ips, i));
    dump_routes(out, network->routes);
    if (network->addressing)
        dump_addressing(out, network->addressing);
    for (guint i = 0; i < network->peers->len; i++) {
        dump_address(out, "  peer", g_ptr_array_index(network->peers, i));
        g_string_append_c(out, '\n');
    }
    for (guint i = 0; i < network->groups->len; i++) {
        const NrGroup *group = g_ptr_array_index(network->groups, i);

        dump_address(out, "  multicast", &group->address);
        dump_text(out, "dev", group->dev);
        g_string_append_c(out, '\n');
    }
    for (guint i = 0; i < network->matches->len; i++)
        dump_match(out, g_ptr_array_index(network->matches, i));
    return g_string_free(out, FALSE);
}

static void on_schema_message(void *data, const char *format, ...)
{
    /* what a schema says is not what is tested */
}

gboolean fixture_is_valid(const char *schema, xmlNode *root)
{
    g_autofree char *path = g_build_filename(g_getenv("NR_SCHEMAS"), schema, NULL);
    xmlRelaxNGParserCtxt *parser = xmlRelaxNGNewParserCtxt(path);
    xmlRelaxNG *compiled = xmlRelaxNGParse(parser);
    xmlRelaxNGValidCtxt *checker;
    xmlDoc *doc = xmlNewDoc((const xmlChar *)"1.0");
    int r;

    g_assert_nonnull(compiled);
    checker = xmlRelaxNGNewValidCtxt(compiled);
    xmlRelaxNGSetValidErrors(checker, on_schema_message, on_schema_message, NULL);
    xmlDocSetRootElement(doc, xmlDocCopyNode(root, doc, 1));
    r = xmlRelaxNGValidateDoc(checker, doc);
    g_assert_cmpint(r, >=, 0);
    xmlFreeDoc(doc);
    xmlRelaxNGFreeValidCtxt(checker);
    xmlRelaxNGFree(compiled);
    xmlRelaxNGFreeParserCtxt(parser);
    return r == 0;
}

xmlDoc *fixture_tree(const Case *c)
{
    xmlDoc *doc = xmlReadMemory(c->text, (int)c->length, c->name, NULL, XML_PARSE_NONET);

    g_assert_nonnull(doc);
    return doc;
}
