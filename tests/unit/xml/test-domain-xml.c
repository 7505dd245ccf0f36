/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Domain XML as its generators write it, wrong values, hostile names, metadata. */
#include <string.h>

#include "fixture.h"
#include "xml/domain-xml.h"
#include "xml/metadata-xml.h"

static const char *error_name(const GError *error)
{
    static const char *const names[] = {
        [NR_XML_ERROR_MALFORMED] = "malformed",
        [NR_XML_ERROR_LIMIT] = "limit",
        [NR_XML_ERROR_INVALID] = "invalid",
    };

    g_assert_cmpint(error->domain, ==, NR_XML_ERROR);
    return names[error->code];
}

static char *dump_parsed(const Case *c)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(NrGuest) guest = nr_domain_xml_parse(c->text, c->length, &error);

    g_assert_true(!guest == !!error);
    if (error)
        return g_strdup_printf("%s: %s\n", error_name(error), error->message);
    return fixture_dump_guest(guest);
}

static void test_domain(const Case *c)
{
    g_autofree char *got = dump_parsed(c);

    g_assert_true(g_str_has_prefix(got, "guest "));
    fixture_expect(c, got);
}

static void test_bad_domain(const Case *c)
{
    g_autofree char *got = dump_parsed(c);

    g_assert_false(g_str_has_prefix(got, "guest "));
    g_assert_true(g_str_is_ascii(got)); /* nothing raw from a text that could not be read */
    fixture_expect(c, got);
}

static xmlNode *find_element(xmlNode *node)
{
    for (; node; node = node->next) {
        const char *href = node->ns ? (const char *)node->ns->href : "";
        xmlNode *found =
            g_str_has_prefix(href, "urn:netrelay:") ? node : find_element(node->children);

        if (found)
            return found;
    }
    return NULL;
}

static gboolean schema_accepts(const Case *c)
{
    xmlDoc *doc = fixture_tree(c);
    xmlNode *element = find_element(xmlDocGetRootElement(doc));
    gboolean valid;

    g_assert_nonnull(element);
    valid = fixture_is_valid("metadata.rng", element);
    xmlFreeDoc(doc);
    return valid;
}

static void check_metadata(const Case *c, gboolean reader, gboolean schema)
{
    g_autoptr(NrGuest) guest = nr_domain_xml_parse(c->text, c->length, NULL);
    g_autofree char *dump = NULL;

    g_assert_nonnull(guest);
    g_assert_true((guest->metadata_fault == NULL) == reader);
    g_assert_true(schema_accepts(c) == schema);
    for (guint i = 0; i < guest->nics->len && !reader; i++) {
        const NrNic *nic = g_ptr_array_index(guest->nics, i);

        g_assert_true(!nic->wish.network && !nic->wish.bridge && !nic->wish.ignore);
    }
    dump = reader ? fixture_dump_guest(guest) : g_strconcat(guest->metadata_fault, "\n", NULL);
    fixture_expect(c, dump);
}

static void test_metadata_good(const Case *c)
{
    check_metadata(c, TRUE, TRUE);
}

static void test_metadata_bad(const Case *c)
{
    check_metadata(c, FALSE, FALSE);
}

static void test_metadata_beyond_schema(const Case *c)
{
    check_metadata(c, FALSE, TRUE);
}

/* What was wished before does not survive, whatever is read now. */
static void test_metadata_applied_again(void)
{
    static const char text[] = "<domain><name>a</name><metadata><n:domain xmlns:n='" NR_METADATA_NS
                               "'><n:interface dev='eth1' network='lab'/></n:domain></metadata>"
                               "<devices><interface type='server'><target dev='eth1'/>"
                               "<source port='1'/></interface></devices></domain>";
    g_autoptr(NrGuest) guest = nr_domain_xml_parse(text, strlen(text), NULL);
    NrNic *nic = g_ptr_array_index(guest->nics, 0);
    xmlNode *element = xmlNewNode(NULL, (const xmlChar *)"domain");
    xmlNode *child = xmlNewChild(element, NULL, (const xmlChar *)"odd", NULL);

    g_assert_cmpstr(nic->wish.network, ==, "lab");
    nr_metadata_xml_apply(guest, element);
    g_assert_nonnull(guest->metadata_fault);
    g_assert_null(nic->wish.network);
    xmlUnlinkNode(child);
    xmlFreeNode(child);
    nr_metadata_xml_apply(guest, element);
    g_assert_null(guest->metadata_fault);
    xmlFreeNode(element);
}

/* A text without a NUL after it: nothing behind its end may be read. */
static void test_length_counts(void)
{
    static const char text[] = "<domain><name>a</name></domain>";
    g_autofree char *exact = g_memdup2(text, strlen(text));
    g_autoptr(NrGuest) guest = nr_domain_xml_parse(exact, strlen(text), NULL);

    g_assert_nonnull(guest);
    for (gsize length = 0; length < strlen(text); length++) {
        g_autofree char *cut = g_memdup2(text, MAX(length, 1));
        g_autoptr(GError) error = NULL;

        g_assert_null(nr_domain_xml_parse(cut, length, &error));
        g_assert_error(error, NR_XML_ERROR, NR_XML_ERROR_MALFORMED);
    }
}

int main(int argc, char *argv[])
{
    g_test_init(&argc, &argv, NULL);
    fixture_add("domain", test_domain);
    fixture_add("domain-bad", test_bad_domain);
    fixture_add("metadata/good", test_metadata_good);
    fixture_add("metadata/bad", test_metadata_bad);
    fixture_add("metadata/beyond-schema", test_metadata_beyond_schema);
    g_test_add_func("/metadata/applied-again", test_metadata_applied_again);
    g_test_add_func("/domain/length-counts", test_length_counts);
    return g_test_run();
}
