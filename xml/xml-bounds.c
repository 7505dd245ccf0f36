/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One walk over the bytes, no memory. It knows of XML only where tags, comments, CDATA sections and
 * instructions begin and end. As long as libxml2 finds no error both see the same tags; at its
 * first error the reader stops feeding it. So what is counted here is all that libxml2 ever builds.
 */
#include "xml/xml-bounds.h"

#include <string.h>

#include "xml/domain-xml.h"

/* libxml2 keeps all of these in its buffer while it reads them. An argument of a program is at most
 * 128 kB, and arguments are the longest attributes there are. */
#define TAG_MAX_BYTES     (256 * 1024)
#define BRACKET_MAX_BYTES (1024 * 1024)
#define OUTSIDE_MAX_BYTES (64 * 1024) /* blanks before and after the root element */

typedef struct {
    const char *text; /* where it is */
    const char *end;
    const NrXmlBounds *bounds;
    guint depth;
    guint nodes;
} Walk;

typedef struct {
    const char *begin;
    const char *end;
} Bracket;

static const Bracket brackets[] = {
    { "<!--", "-->" },
    { "<![CDATA[", "]]>" },
    { "<?", "?>" },
};

static gboolean begins_with(const Walk *walk, const char *what)
{
    gsize length = strlen(what);

    return (gsize)(walk->end - walk->text) >= length && memcmp(walk->text, what, length) == 0;
}

static gboolean count_node(Walk *walk, GError **error)
{
    if (++walk->nodes <= walk->bounds->nodes)
        return TRUE;
    g_set_error(error, NR_XML_ERROR, NR_XML_ERROR_LIMIT,
                "more than %u elements and attributes are refused", walk->bounds->nodes);
    return FALSE;
}

static gboolean check_bytes(gsize bytes, gsize max, const char *where, GError **error)
{
    if (bytes <= max)
        return TRUE;
    g_set_error(error, NR_XML_ERROR, NR_XML_ERROR_LIMIT,
                "more than %" G_GSIZE_FORMAT " bytes %s are refused", max, where);
    return FALSE;
}

static gboolean skip_bracket(Walk *walk, const Bracket *bracket, GError **error)
{
    const char *begin = walk->text + strlen(bracket->begin);
    const char *end = memmem(begin, walk->end - begin, bracket->end, strlen(bracket->end));

    if (!end) {
        g_set_error(error, NR_XML_ERROR, NR_XML_ERROR_MALFORMED, "'%s' without '%s'",
                    bracket->begin, bracket->end);
        return FALSE;
    }
    if (!check_bytes(end - walk->text, BRACKET_MAX_BYTES, "in one comment or the like", error))
        return FALSE;
    walk->text = end + strlen(bracket->end);
    return count_node(walk, error);
}

/* From '<' past '>'. *ret_closed: it was an end tag, or "/>". */
static gboolean skip_tag(Walk *walk, gboolean *ret_closed, GError **error)
{
    const char *at = walk->text + 1;
    guint attributes = 0;
    char quote = '\0';

    for (; at < walk->end && (quote || *at != '>'); at++) {
        if (quote)
            quote = *at == quote ? '\0' : quote;
        else if (*at == '"' || *at == '\'')
            quote = *at;
        else if (*at == '=' && ++attributes > walk->bounds->attributes) {
            g_set_error(error, NR_XML_ERROR, NR_XML_ERROR_LIMIT,
                        "more than %u attributes in one element are refused",
                        walk->bounds->attributes);
            return FALSE;
        } else if (*at == '=' && !count_node(walk, error))
            return FALSE;
    }
    if (!check_bytes(at - walk->text, TAG_MAX_BYTES, "in one tag", error))
        return FALSE;
    if (at >= walk->end) {
        g_set_error(error, NR_XML_ERROR, NR_XML_ERROR_MALFORMED, "a tag without '>'");
        return FALSE;
    }
    *ret_closed = at[-1] == '/' || walk->text[1] == '/';
    walk->text = at + 1;
    return TRUE;
}

static gboolean walk_tag(Walk *walk, GError **error)
{
    const char *tag = walk->text;
    gboolean closed;

    if (tag[1] == '!') {
        g_set_error(error, NR_XML_ERROR, NR_XML_ERROR_MALFORMED,
                    "a document type (<!DOCTYPE ...>) is refused");
        return FALSE;
    }
    if (!skip_tag(walk, &closed, error))
        return FALSE;
    if (tag[1] == '/') {
        walk->depth -= walk->depth > 0;
        return TRUE;
    }
    if (walk->depth >= walk->bounds->depth) {
        walk->text = tag;
        g_set_error(error, NR_XML_ERROR, NR_XML_ERROR_LIMIT,
                    "elements inside each other more than %u deep are refused",
                    walk->bounds->depth);
        return FALSE;
    }
    walk->depth += !closed;
    return count_node(walk, error);
}

static gboolean walk_markup(Walk *walk, GError **error)
{
    if (walk->end - walk->text < 2) {
        g_set_error(error, NR_XML_ERROR, NR_XML_ERROR_MALFORMED, "a tag without '>'");
        return FALSE;
    }
    for (guint i = 0; i < G_N_ELEMENTS(brackets); i++) {
        if (begins_with(walk, brackets[i].begin))
            return skip_bracket(walk, &brackets[i], error);
    }
    return walk_tag(walk, error);
}

/* To the next '<', or the end. */
static gboolean skip_text(Walk *walk, GError **error)
{
    const char *next = memchr(walk->text, '<', walk->end - walk->text);

    if (!next)
        next = walk->end;
    if (walk->depth == 0 &&
        !check_bytes(next - walk->text, OUTSIDE_MAX_BYTES, "outside of the root element", error))
        return FALSE;
    walk->text = next;
    return TRUE;
}

gboolean nr_xml_bounds_check(const char *text, gsize length, const NrXmlBounds *bounds,
                             gsize *ret_offset, GError **error)
{
    Walk walk = { .text = text, .end = text + length, .bounds = bounds };

    while (walk.text < walk.end) {
        if (!skip_text(&walk, error) || (walk.text < walk.end && !walk_markup(&walk, error))) {
            *ret_offset = walk.text - text;
            return FALSE;
        }
    }
    return TRUE;
}
