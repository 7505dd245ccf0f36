/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Domain XML made to hurt: refused within a second, with less than 32 MB of growth; and many
 * threads that read at once. */
#include <malloc.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "xml/domain-xml.h"

#define SECONDS_MAX   1.0
#define GROWTH_MAX_KB (32 * 1024)

/* A sanitizer keeps what was freed, and looks at every byte again and again. */
#if defined(__SANITIZE_ADDRESS__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZED 1
#endif
#endif
#ifndef SANITIZED
#define SANITIZED 0
#endif

static long status_kb(const char *key)
{
    g_autofree char *text = NULL;
    const char *at;

    g_assert_true(g_file_get_contents("/proc/self/status", &text, NULL, NULL));
    at = strstr(text, key);
    g_assert_nonnull(at);
    return strtol(at + strlen(key), NULL, 10);
}

/* The high-water mark starts anew from what is resident now. */
static gboolean reset_peak(void)
{
    FILE *file = fopen("/proc/self/clear_refs", "w");
    gboolean good = file && fputs("5", file) >= 0;

    if (file && fclose(file) != 0)
        good = FALSE;
    return good;
}

/* Of this thread: what others have to do at the same time is not the reader's. */
static double cpu_seconds(void)
{
    struct timespec t;

    g_assert_cmpint(clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t), ==, 0);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Frees `owned`. */
static void expect_refused(char *owned, gsize length, NrXmlError code, const char *words)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *text = owned;
    gboolean measured = malloc_trim(0) >= 0 && reset_peak() && !SANITIZED;
    long before = status_kb("VmRSS:");
    double began = cpu_seconds();
    NrGuest *guest = nr_domain_xml_parse(text, length, &error);
    double seconds = cpu_seconds() - began;
    long growth = status_kb("VmHWM:") - before;

    g_assert_null(guest);
    g_assert_error(error, NR_XML_ERROR, (int)code);
    g_test_message("%.0f kB of text: %.3f s, %ld kB more; %s", (double)length / 1024, seconds,
                   growth, error->message);
    g_assert_nonnull(strstr(error->message, words));
    g_assert_cmpuint(strlen(error->message), <, 300);
    g_assert_cmpfloat(seconds, <, SANITIZED ? 10 * SECONDS_MAX : SECONDS_MAX);
    if (measured)
        g_assert_cmpint(growth, <, GROWTH_MAX_KB);
}

static GString *begin(void)
{
    return g_string_new("<domain><name>m</name>");
}

static void repeat(GString *text, const char *what, guint times)
{
    for (guint i = 0; i < times; i++)
        g_string_append(text, what);
}

static void refuse(GString *text, NrXmlError code, const char *words)
{
    gsize length = text->len;

    expect_refused(g_string_free(text, FALSE), length, code, words);
}

static void test_50_mb(void)
{
    GString *text = begin();

    repeat(text, "<description>fifty megabytes</description>\n", 50 * 1024 * 1024 / 43);
    refuse(text, NR_XML_ERROR_LIMIT, "16777216");
}

static void test_one_byte_too_many(void)
{
    char *text = g_strnfill(NR_DOMAIN_XML_MAX + 1, ' ');

    expect_refused(text, NR_DOMAIN_XML_MAX + 1, NR_XML_ERROR_LIMIT, "16777216");
}

static void test_depth_10000(void)
{
    GString *text = begin();

    repeat(text, "<a>", 10000);
    repeat(text, "</a>", 10000);
    g_string_append(text, "</domain>");
    refuse(text, NR_XML_ERROR_LIMIT, "64 deep");
}

static void test_100000_interfaces(void)
{
    GString *text = begin();

    g_string_append(text, "<devices>");
    repeat(text, "<interface type='client'><source address='127.0.0.1' port='1'/></interface>\n",
           100000);
    g_string_append(text, "</devices></domain>");
    refuse(text, NR_XML_ERROR_LIMIT, "elements and attributes");
}

/* Few enough elements, too many NICs. */
static void test_1025_interfaces(void)
{
    GString *text = begin();

    g_string_append(text, "<devices>");
    repeat(text, "<interface/>\n", NR_DOMAIN_NICS_MAX + 1);
    g_string_append(text, "</devices></domain>");
    refuse(text, NR_XML_ERROR_LIMIT, "line 1025: more than 1024 <interface>");
}

/* libxml2 compares each attribute of an element with each. */
static void test_many_attributes(void)
{
    GString *text = begin();

    g_string_append(text, "<a");
    for (guint i = 0; i < 1000000; i++)
        g_string_append_printf(text, " a%u=''", i);
    g_string_append(text, "/></domain>");
    refuse(text, NR_XML_ERROR_LIMIT, "64 attributes");
}

/* A '>' within quotes ends no tag. */
static void test_many_attributes_after_quoted(void)
{
    GString *text = begin();

    g_string_append(text, "<a x='>'");
    for (guint i = 0; i < 10000; i++)
        g_string_append_printf(text, " a%u=\"'>\"", i);
    g_string_append(text, "/></domain>");
    refuse(text, NR_XML_ERROR_LIMIT, "64 attributes");
}

/* Each prefix is looked up among all that are declared. */
static void test_many_prefixes(void)
{
    GString *text = begin();

    for (guint depth = 0; depth < 60; depth++) {
        g_string_append(text, "<a");
        for (guint i = 0; i < 60; i++)
            g_string_append_printf(text, " xmlns:p%u_%u='u'", depth, i);
        g_string_append(text, ">");
    }
    for (guint i = 0; i < 100000; i++)
        g_string_append(text, "<q:a q:b=''/>");
    refuse(text, NR_XML_ERROR_LIMIT, "elements and attributes");
}

/* As many as are let through, and then an error. */
static void test_full_to_the_brim(void)
{
    GString *text = begin();

    for (guint i = 0; i < 1023; i++) {
        g_string_append(text, "<a");
        for (guint k = 0; k < 60; k++)
            g_string_append_printf(text, " xmlns:p%u='u'", k);
        g_string_append(text, ">some text</a>");
    }
    g_string_append(text, "</domainn>");
    refuse(text, NR_XML_ERROR_MALFORMED, "mismatch");
}

/* After its first error libxml2 reads on inside the comment, and would find an element there. */
static void test_hidden_in_comment(void)
{
    GString *text = begin();

    g_string_append(text, "<!-- \001 <a");
    for (guint i = 0; i < 80000; i++)
        g_string_append_printf(text, " a%u=''", i);
    g_string_append(text, "/> --></domain>");
    refuse(text, NR_XML_ERROR_MALFORMED, "invalid");
}

static void test_one_long_text(void)
{
    GString *text = begin();

    repeat(text, "0123456789abcdef", 15 * 1024 * 1024 / 16);
    g_string_append(text, "</domain>");
    refuse(text, NR_XML_ERROR_LIMIT, "huge text");
}

static void test_one_long_tag(void)
{
    GString *text = begin();

    g_string_append(text, "<a b='");
    repeat(text, "0123456789abcdef", 15 * 1024 * 1024 / 16);
    g_string_append(text, "'/></domain>");
    refuse(text, NR_XML_ERROR_LIMIT, "bytes in one tag");
}

static void test_one_long_name(void)
{
    GString *text = begin();

    g_string_append(text, "<");
    repeat(text, "abcdefghijklmnop", 15 * 1024 * 1024 / 16);
    g_string_append(text, "/></domain>");
    refuse(text, NR_XML_ERROR_LIMIT, "bytes in one tag");
}

static void test_only_less_than(void)
{
    GString *text = g_string_new(NULL);

    repeat(text, "<", 16 * 1024 * 1024);
    refuse(text, NR_XML_ERROR_LIMIT, "bytes in one tag");
}

static void test_only_comments(void)
{
    GString *text = begin();

    repeat(text, "<!---->", 2 * 1024 * 1024);
    refuse(text, NR_XML_ERROR_LIMIT, "elements and attributes");
}

static void test_only_newlines(void)
{
    GString *text = g_string_new(NULL);

    repeat(text, "\n\n\n\n\n\n\n\n", 2 * 1024 * 1024);
    refuse(text, NR_XML_ERROR_LIMIT, "outside of the root");
}

static void test_newlines_after(void)
{
    GString *text = begin();

    g_string_append(text, "</domain>");
    repeat(text, "\n\n\n\n\n\n\n\n", 2000000);
    refuse(text, NR_XML_ERROR_LIMIT, "outside of the root");
}

static void test_one_long_comment(void)
{
    GString *text = begin();

    g_string_append(text, "<!-- ");
    repeat(text, "0123456789abcdef", 15 * 1024 * 1024 / 16);
    g_string_append(text, " --></domain>");
    refuse(text, NR_XML_ERROR_LIMIT, "in one comment");
}

/* All that is let through at once: tags, comments and texts as long as they may be. */
static void test_long_everything(void)
{
    GString *text = begin();
    g_autofree char *tag = g_strnfill(250 * 1024, 'x');

    for (guint i = 0; i < 10; i++) {
        g_string_append_printf(text, "<a%u b='%s'/>%s<!-- %s -->", i, tag, tag, tag);
        g_string_append_printf(text, "<%s/><![CDATA[%s]]>", "short", tag);
    }
    g_string_append(text, "</domainn>");
    refuse(text, NR_XML_ERROR_MALFORMED, "mismatch");
}

static void test_entities(void)
{
    GString *text = g_string_new("<!DOCTYPE x [<!ENTITY e0 'eeeeeeeeee'>");

    for (guint i = 1; i < 12; i++) {
        g_string_append_printf(text, "<!ENTITY e%u '", i);
        for (guint k = 0; k < 10; k++)
            g_string_append_printf(text, "&e%u;", i - 1);
        g_string_append(text, "'>");
    }
    g_string_append(text, "]><domain><name>&e11;</name></domain>");
    refuse(text, NR_XML_ERROR_MALFORMED, "DOCTYPE");
}

/* What is allowed must not be refused: 1,024 NICs as libvirt writes them, and a long text. */
static void test_largest_allowed(void)
{
    GString *text = begin();
    g_autoptr(GError) error = NULL;
    g_autoptr(NrGuest) guest = NULL;

    g_string_append(text, "<description>");
    repeat(text, "0123456789abcdef", 4 * 1024 * 1024 / 16);
    g_string_append(text, "</description><devices>\n");
    for (guint i = 0; i < NR_DOMAIN_NICS_MAX; i++)
        g_string_append_printf(text,
                               "<interface type='udp'>\n<mac address='52:54:00:00:%02x:%02x'/>\n"
                               "<source address='127.0.0.1' port='%u'>\n"
                               "<local address='127.0.0.1' port='%u'/>\n</source>\n"
                               "<target dev='eth%u'/>\n<model type='virtio'/>\n"
                               "<driver name='qemu' queues='1' iommu='on'/>\n"
                               "<link state='up'/>\n<alias name='ua-%u'/>\n<boot order='%u'/>\n"
                               "<address type='pci' domain='0x0000' bus='0x00' slot='0x03' "
                               "function='0x0' multifunction='on'/>\n</interface>\n",
                               i >> 8, i & 255, 10000 + i, 20000 + i, i, i, i + 1);
    g_string_append(text, "</devices></domain>");
    guest = nr_domain_xml_parse(text->str, text->len, &error);
    g_string_free(text, TRUE);
    g_assert_no_error(error);
    g_assert_cmpuint(guest->nics->len, ==, NR_DOMAIN_NICS_MAX);
    for (guint i = 0; i < guest->nics->len; i++) {
        const NrNic *nic = g_ptr_array_index(guest->nics, i);

        g_assert_null(nic->fault);
        g_assert_cmpuint(nic->ours.l4_port, ==, 10000 + i);
    }
}

#define THREADS 8
#define ROUNDS  300

static char *thread_text(guint number)
{
    return g_strdup_printf("<domain id='%u'><name>guest %u</name><devices>"
                           "<interface type='client'><source address='127.0.0.%u' port='%u'/>"
                           "</interface></devices></domain>",
                           number + 1, number, number + 1, 1000 + number);
}

/* Good and bad by turns: errors of one thread must not show up in another. */
static gpointer read_many(gpointer data)
{
    guint number = GPOINTER_TO_UINT(data);
    g_autofree char *text = thread_text(number);
    g_autofree char *bad = g_strdup_printf("<domain>\n<wrong%u></domain>", number);
    g_autofree char *words = g_strdup_printf("wrong%u line 2 and domain", number);
    g_autoptr(NrGuest) first = nr_domain_xml_parse(text, strlen(text), NULL);

    g_assert_nonnull(first);
    for (guint i = 0; i < ROUNDS; i++) {
        g_autoptr(GError) error = NULL;
        g_autoptr(NrGuest) guest = nr_domain_xml_parse(text, strlen(text), NULL);

        g_assert_true(guest && nr_guest_equal(guest, first));
        g_assert_cmpint(guest->id, ==, (int)number + 1);
        g_assert_null(nr_domain_xml_parse(bad, strlen(bad), &error));
        g_assert_nonnull(strstr(error->message, words));
    }
    return NULL;
}

static void test_threads(void)
{
    GThread *threads[THREADS];

    for (guint i = 0; i < THREADS; i++)
        threads[i] = g_thread_new("reader", read_many, GUINT_TO_POINTER(i));
    for (guint i = 0; i < THREADS; i++)
        g_thread_join(threads[i]);
}

int main(int argc, char *argv[])
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/xml/threads", test_threads); /* first: none has used libxml2 yet */
    g_test_add_func("/xml/largest-allowed", test_largest_allowed);
    g_test_add_func("/xml/refused/50-mb", test_50_mb);
    g_test_add_func("/xml/refused/one-byte-too-many", test_one_byte_too_many);
    g_test_add_func("/xml/refused/depth-10000", test_depth_10000);
    g_test_add_func("/xml/refused/100000-interfaces", test_100000_interfaces);
    g_test_add_func("/xml/refused/1025-interfaces", test_1025_interfaces);
    g_test_add_func("/xml/refused/many-attributes", test_many_attributes);
    g_test_add_func("/xml/refused/many-attributes-after-quoted", test_many_attributes_after_quoted);
    g_test_add_func("/xml/refused/many-prefixes", test_many_prefixes);
    g_test_add_func("/xml/refused/full-to-the-brim", test_full_to_the_brim);
    g_test_add_func("/xml/refused/hidden-in-comment", test_hidden_in_comment);
    g_test_add_func("/xml/refused/one-long-text", test_one_long_text);
    g_test_add_func("/xml/refused/one-long-tag", test_one_long_tag);
    g_test_add_func("/xml/refused/one-long-name", test_one_long_name);
    g_test_add_func("/xml/refused/only-less-than", test_only_less_than);
    g_test_add_func("/xml/refused/only-comments", test_only_comments);
    g_test_add_func("/xml/refused/only-newlines", test_only_newlines);
    g_test_add_func("/xml/refused/newlines-after", test_newlines_after);
    g_test_add_func("/xml/refused/one-long-comment", test_one_long_comment);
    g_test_add_func("/xml/refused/long-everything", test_long_everything);
    g_test_add_func("/xml/refused/nested-entities", test_entities);
    return g_test_run();
}
