/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "xml/xml-reader.h"

#include <libxml/parser.h>
#include <libxml/xmlerror.h>
#include <string.h>

#include "xml/domain-xml.h"
#include "xml/guest.h"
#include "xml/value.h"
#include "xml/xml-bounds.h"

G_DEFINE_QUARK(nr_xml_error_quark, nr_xml_error)

/* One reading: what libxml2 has not been given yet, and the first thing it said. */
typedef struct {
    const char *text;
    gsize left;
    char *message;
    long line;
    gboolean too_large;
} Reading;

#if LIBXML_VERSION >= 21200
typedef const xmlError *ErrorArg;
#else
typedef xmlErrorPtr ErrorArg;
#endif

static void on_parser_error(void *user_data, ErrorArg error)
{
    xmlParserCtxt *parser = user_data;
    Reading *reading = parser->_private;

    /* Less than fatal are namespaces with odd names, which libvirt lets everybody have. */
    if (error->level < XML_ERR_FATAL && error->code != XML_ERR_NO_MEMORY)
        return;
    if (reading->message)
        return;
    reading->message = g_strchomp(g_strdup(error->message ? error->message : "unreadable"));
    reading->line = error->line;
    reading->too_large = error->code == XML_ERR_NO_MEMORY || error->code == XML_ERR_NAME_TOO_LONG;
}

/*
 * After an error libxml2 reads on, and what it then takes for tags is not what
 * nr_xml_bounds_check() counted. It cannot be stopped from its error callback (its own pointers
 * into the buffer would be left dangling), but it can be starved.
 */
static int on_parser_read(void *user_data, char *buf, int size)
{
    Reading *reading = user_data;
    gsize n = reading->message ? 0 : MIN(reading->left, (gsize)size);

    memcpy(buf, reading->text, n);
    reading->text += n;
    reading->left -= n;
    return (int)n;
}

static void init_once(void)
{
    static gsize once;

    if (g_once_init_enter(&once)) {
        xmlInitParser();
        g_once_init_leave(&once, 1);
    }
}

char *nr_xml_place(const char *file, long line)
{
    g_autofree char *shown = file ? nr_printable(file) : NULL;

    return shown ? g_strdup_printf("%s:%ld", shown, line) : g_strdup_printf("line %ld", line);
}

static void prefix_place(GError **error, const char *file, const char *text, gsize offset)
{
    g_autofree char *place = NULL;
    long line = 1;

    for (gsize i = 0; i < offset; i++)
        line += text[i] == '\n';
    place = nr_xml_place(file, line);
    g_prefix_error(error, "%s: ", place);
}

static gboolean check_text(const char *text, gsize length, const NrXmlBounds *bounds,
                           const char *file, GError **error)
{
    const char *bad;
    gsize offset;

    if (length > bounds->bytes) {
        g_set_error(error, NR_XML_ERROR, NR_XML_ERROR_LIMIT,
                    "%" G_GSIZE_FORMAT " bytes, more than %" G_GSIZE_FORMAT " are refused", length,
                    bounds->bytes);
        offset = 0;
    } else if (!g_utf8_validate_len(text, length, &bad)) {
        g_set_error(error, NR_XML_ERROR, NR_XML_ERROR_MALFORMED, "byte 0x%02x is not UTF-8 text",
                    (guchar)*bad);
        offset = bad - text;
    } else if (nr_xml_bounds_check(text, length, bounds, &offset, error)) {
        return TRUE;
    }
    prefix_place(error, file, text, offset);
    return FALSE;
}

static void set_parser_error(GError **error, const Reading *reading, const char *file)
{
    g_autofree char *place = nr_xml_place(file, MAX(reading->line, 1));
    g_autofree char *shown = nr_printable(reading->message ? reading->message : "not XML");

    g_set_error(error, NR_XML_ERROR,
                reading->too_large ? NR_XML_ERROR_LIMIT : NR_XML_ERROR_MALFORMED, "%s: %s", place,
                shown);
}

xmlDoc *nr_xml_read(const char *text, gsize length, const NrXmlBounds *bounds, const char *file,
                    GError **error)
{
    const int options = XML_PARSE_NONET | XML_PARSE_IGNORE_ENC | XML_PARSE_NOCDATA |
                        XML_PARSE_COMPACT | XML_PARSE_BIG_LINES;
    Reading reading = { .text = text ? text : "", .left = length };
    g_autoptr(xmlDoc) doc = NULL;
    xmlParserCtxt *parser;

    if (!check_text(text, length, bounds, file, error))
        return NULL;
    init_once();
    parser = xmlNewParserCtxt();
    if (!parser)
        g_error("out of memory"); /* as GLib does everywhere else */
    parser->_private = &reading;
    parser->sax->serror = on_parser_error;
    doc = xmlCtxtReadIO(parser, on_parser_read, NULL, &reading, NULL, NULL, options);
    xmlFreeParserCtxt(parser);

    if (!doc || reading.message || !xmlDocGetRootElement(doc)) {
        set_parser_error(error, &reading, file);
        g_free(reading.message);
        return NULL;
    }
    return g_steal_pointer(&doc);
}

static char *full_name(const xmlNs *ns, const xmlChar *name)
{
    const char *prefix = ns ? (const char *)ns->prefix : NULL;
    g_autofree char *full =
        g_strconcat(prefix ? prefix : "", prefix ? ":" : "", (const char *)name, NULL);

    return nr_value_shown(full);
}

char *nr_xml_name(const xmlNode *node)
{
    return full_name(node->ns, node->name);
}

gboolean nr_xml_is(const xmlNode *node, const char *ns, const char *name)
{
    const char *href = node->ns ? (const char *)node->ns->href : NULL;

    return node->type == XML_ELEMENT_NODE && g_strcmp0(href, ns) == 0 &&
           strcmp((const char *)node->name, name) == 0;
}

const xmlNode *nr_xml_child(const xmlNode *node, const char *name)
{
    for (const xmlNode *child = node->children; child; child = child->next) {
        if (nr_xml_is(child, NULL, name))
            return child;
    }
    return NULL;
}

char *nr_xml_attribute(const xmlNode *node, const char *name)
{
    xmlChar *value = xmlGetNoNsProp(node, (const xmlChar *)name);
    char *copy = g_strdup((const char *)value);

    xmlFree(value);
    return copy;
}

char *nr_xml_text(const xmlNode *node)
{
    xmlChar *value = xmlNodeGetContent(node);
    char *copy = g_strdup(value ? (const char *)value : "");

    xmlFree(value);
    return copy;
}

static gboolean is_known_attribute(const xmlAttr *attribute, const NrXmlShape *shape)
{
    return !attribute->ns && g_strv_contains(shape->attributes, (const char *)attribute->name);
}

static gboolean is_welcome_child(const xmlNode *child, const NrXmlShape *shape)
{
    switch (child->type) {
    case XML_ELEMENT_NODE:
        return shape->children;
    case XML_TEXT_NODE:
    case XML_CDATA_SECTION_NODE:
        return shape->text || xmlIsBlankNode(child);
    default:
        return TRUE; /* comments and instructions */
    }
}

static char *unknown_attribute(const char *name, const xmlAttr *attribute, const char *expected)
{
    g_autofree char *full = full_name(attribute->ns, attribute->name);

    return g_strdup_printf("<%s>: attribute '%s' is not known; %s expected", name, full, expected);
}

static char *unwelcome_element(const char *name, const xmlNode *child, long *ret_line)
{
    g_autofree char *inner = nr_xml_name(child);

    *ret_line = xmlGetLineNo(child);
    return g_strdup_printf("<%s> inside <%s>, where no element is expected", inner, name);
}

/* libxml2 knows the line a text ends in; a person looks for where it begins. */
static char *unwelcome_text(const char *name, const xmlNode *child, long *ret_line)
{
    g_autofree char *text = g_strchug(nr_xml_text(child));
    g_autofree char *quoted = NULL;

    *ret_line = xmlGetLineNo(child);
    for (const char *at = text; (at = strchr(at, '\n')); at++)
        --*ret_line;
    quoted = nr_value_quote(g_strchomp(text));
    return g_strdup_printf("<%s>: text %s, where none is expected", name, quoted);
}

char *nr_xml_check_shape(const xmlNode *node, const NrXmlShape *shape, long *ret_line)
{
    g_autofree char *name = nr_xml_name(node);

    *ret_line = xmlGetLineNo(node);
    for (const xmlAttr *attribute = node->properties; attribute; attribute = attribute->next) {
        if (!is_known_attribute(attribute, shape))
            return unknown_attribute(name, attribute, shape->expected);
    }
    for (const xmlNode *child = node->children; child; child = child->next) {
        if (is_welcome_child(child, shape))
            continue;
        return child->type == XML_ELEMENT_NODE ? unwelcome_element(name, child, ret_line)
                                               : unwelcome_text(name, child, ret_line);
    }
    return NULL;
}
