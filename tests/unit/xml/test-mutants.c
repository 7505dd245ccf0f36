/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Readers and schemas say the same, also of what nobody has thought of: every good example is
 * changed in every place, one change at a time. What a reader takes its schema takes; what only the
 * reader refuses it refuses for a reason that no schema can say.
 */
#include <string.h>

#include "fixture.h"
#include "xml/domain-xml.h"
#include "xml/metadata-xml.h"
#include "xml/network-xml.h"

static const char *const values[] = {
    "",          "0",       "1",           "65535",       "65536",       "007",
    "5000-5099", "5099-",   "1-2-3",       "5099-5000",   "70000-70001", "10.0.0.1",
    "300.1.1.1", "127.1",   "0.0.0.0",     "::1",         "1::2::3",     "host.example",
    "-x",        "a b",     " br0",        "br0",         "web-*",       "*",
    "230.0.0.1", "yes",     "no",          "client",      "server",      "mcast",
    "any",       "ipv4",    "10.0.0.0/8",  "lo",          "eth1",        "0123456789abcdef",
    "ua-wan",    "net0",    "52:54:00:12", "..",          "fe80::/10",   "52:54:00:00:00:01",
    "h:1",       "h:65535", "h:65536",     "10.0.0.1:",   "0:7",         "[::1]:9",
    "[::]:9",    "::1:9",   "[h]:9",       "[ff02::1]:9", "a..b:9",      "10.0.0.1:9",
};

static const char *const names[] = { "name",  "listen",    "udp",       "bridge", "match",
                                     "peer",  "multicast", "interface", "domain", "mac",
                                     "admit", "address",   "port",      "prefix", "netmask",
                                     "ip",    "dhcp",      "range",     "host",   "lease",
                                     "dns",   "hostname" };

static void add_text(xmlNode *node)
{
    xmlNodeAddContent(node, (const xmlChar *)"x");
}

static void add_child(xmlNode *node)
{
    xmlNewChild(node, NULL, (const xmlChar *)"x", NULL);
}

static void add_attribute(xmlNode *node)
{
    xmlSetProp(node, (const xmlChar *)"x", (const xmlChar *)"1");
}

static void double_it(xmlNode *node)
{
    xmlAddNextSibling(node, xmlCopyNode(node, 1));
}

static void leave_out(xmlNode *node)
{
    xmlUnlinkNode(node);
    xmlFreeNode(node);
}

static void (*const element_changes[])(xmlNode *) = { add_text, add_child, add_attribute, double_it,
                                                      leave_out };

/* The change-th one of that element, from 0; FALSE: there are no more. */
static gboolean change_element(xmlNode *node, guint change)
{
    if (change < G_N_ELEMENTS(element_changes)) {
        element_changes[change](node);
        return TRUE;
    }
    change -= G_N_ELEMENTS(element_changes);
    if (change < G_N_ELEMENTS(names)) {
        xmlNodeSetName(node, (const xmlChar *)names[change]);
        return TRUE;
    }
    change -= G_N_ELEMENTS(names);
    for (xmlAttr *attribute = node->properties; attribute; attribute = attribute->next) {
        if (change == 0)
            return xmlRemoveProp(attribute) == 0;
        change--;
        if (change < G_N_ELEMENTS(values))
            return xmlSetProp(node, attribute->name, (const xmlChar *)values[change]) != NULL;
        change -= G_N_ELEMENTS(values);
    }
    return FALSE;
}

/* The index-th element below node, counting down. */
static xmlNode *element_at(xmlNode *node, guint *index)
{
    for (xmlNode *child = node->children; child; child = child->next) {
        xmlNode *found;

        if (child->type != XML_ELEMENT_NODE)
            continue;
        if ((*index)-- == 0)
            return child;
        found = element_at(child, index);
        if (found)
            return found;
    }
    return NULL;
}

/* --- what is judged */

typedef struct {
    const char *schema;
    /* The element that the schema is of. */
    xmlNode *(*root)(const xmlDoc *doc);
    /* NULL: good. New string. */
    char *(*read)(const char *text, gsize length);
    const char *const *beyond; /* what only a reader can see, in its words */
} Grammar;

static char *read_network(const char *text, gsize length)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(NrNetwork) network = nr_network_xml_parse(text, length, NULL, &error);

    return network ? NULL : g_strdup(error->message);
}

static char *read_metadata(const char *text, gsize length)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(NrGuest) guest = nr_domain_xml_parse(text, length, &error);

    g_assert_no_error(error); /* nothing in the metadata makes a domain unreadable */
    return g_strdup(guest->metadata_fault);
}

static xmlNode *find_ours(xmlNode *node)
{
    for (; node; node = node->next) {
        const char *href = node->ns ? (const char *)node->ns->href : "";
        xmlNode *found = g_str_equal(href, NR_METADATA_NS) ? node : find_ours(node->children);

        if (found)
            return found;
    }
    return NULL;
}

static xmlNode *metadata_root(const xmlDoc *doc)
{
    return find_ours(xmlDocGetRootElement(doc));
}

static const char *const network_beyond[] = { "an IP address or a host name was expected",
                                              "is given twice",
                                              "a group from 224.0.0.0 to 239.255.255.255",
                                              "the lower number was expected first",
                                              "two as in 5000-5099, was expected",
                                              "address 0.0.0.0: ",
                                              "one with a prefix length such as",
                                              "an address or name of another host",
                                              "an address of this host on the bridge",
                                              "one such as 255.255.255.0 was expected",
                                              "whom the guests take for their router",
                                              "a guest's address, or the first one of a subnet",
                                              "one address was expected",
                                              "a guest's address was expected",
                                              "IP address of the same family",
                                              "<route> without a <bridge>",
                                              "<route proxy='yes'> needs",
                                              "the device that leads out was expected",
                                              "a name of letters, digits, '.'",
                                              "<ip> without a <bridge>",
                                              "mode 'bridge' without a <bridge>",
                                              "dev is the <bridge> itself",
                                              "an address for a guest beside the host's own",
                                              "an IP address was expected",
                                              "the lower address was expected first",
                                              "a NIC's address such as",
                                              "nothing in it",
                                              "64 or more was expected",
                                              "2 minutes to 68 years were expected",
                                              "reads like a number or a time",
                                              "<dhcp> or <dns> on the bridge",
                                              "<dns> without an <ip>",
                                              "with mode='user'",
                                              "one of those that guests get",
                                              "<portForward> ",
                                              "an IPv4 address was expected",
                                              "or more was expected",
                                              "last port would be beyond",
                                              NULL };
static const char *const metadata_beyond[] = {
    "interfaces of this guest have",       "no interface of this guest has",
    "the same interface was named before", "one of type client, server or udp",
    "an address or name of another host",  NULL
};

static const Grammar network_grammar = { "network.rng", xmlDocGetRootElement, read_network,
                                         network_beyond };
static const Grammar metadata_grammar = { "metadata.rng", metadata_root, read_metadata,
                                          metadata_beyond };

static gboolean is_beyond(const Grammar *grammar, const char *fault)
{
    for (const char *const *words = grammar->beyond; *words; words++)
        if (strstr(fault, *words))
            return TRUE;
    return FALSE;
}

/* --- the whole */

static void judge(const Grammar *grammar, xmlDoc *doc)
{
    gboolean valid = fixture_is_valid(grammar->schema, grammar->root(doc));
    g_autofree char *fault = NULL;
    xmlChar *text = NULL;
    int length;

    xmlDocDumpMemory(doc, &text, &length);
    fault = grammar->read((const char *)text, (gsize)length);
    if (valid ? fault && !is_beyond(grammar, fault) : !fault)
        g_error("%s %s what the reader %s%s:\n%s", grammar->schema, valid ? "takes" : "refuses",
                fault ? "refuses: " : "takes", fault ? fault : "", (const char *)text);
    xmlFree(text);
}

/* FALSE: there is no such change, or no such element. */
static gboolean try_one(const Case *c, const Grammar *grammar, guint index, guint change,
                        gboolean *ret_element)
{
    xmlDoc *doc = fixture_tree(c);
    xmlNode *element = element_at(grammar->root(doc), &index);
    gboolean changed = element && change_element(element, change);

    *ret_element = element != NULL;
    if (changed)
        judge(grammar, doc);
    xmlFreeDoc(doc);
    return changed;
}

static void test_mutants(const Case *c, const Grammar *grammar)
{
    gboolean element = TRUE;
    guint count = 0;

    for (guint index = 0; element; index++)
        for (guint change = 0; try_one(c, grammar, index, change, &element); change++)
            count++;
    g_test_message("%u mutants", count);
}

static void test_network(const Case *c)
{
    test_mutants(c, &network_grammar);
}

static void test_metadata(const Case *c)
{
    test_mutants(c, &metadata_grammar);
}

int main(int argc, char *argv[])
{
    g_test_init(&argc, &argv, NULL);
    fixture_add("network/good", test_network);
    fixture_add("metadata/good", test_metadata);
    return g_test_run();
}
