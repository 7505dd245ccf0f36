/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Text -> tree: the one place that configures libxml2. No network, no DTD, so no entities but the
 * five of XML; UTF-8 only, whatever the text declares; bounds are checked before anything is built.
 * Any thread may use it. Errors: NR_XML_ERROR (xml/domain-xml.h).
 */
#ifndef NR_XML_XML_READER_H
#define NR_XML_XML_READER_H

#include <glib.h>
#include <libxml/tree.h>

typedef struct {
    gsize bytes;
    guint depth;
    guint nodes;      /* elements, attributes, comments and the like, all together */
    guint attributes; /* of one element: libxml2 compares each with each */
} NrXmlBounds;

/*
 * text may be NULL where there is none. file (may be NULL) is for messages only: "lab.xml:4: ...",
 * or "line 4: ...".
 */
xmlDoc *nr_xml_read(const char *text, gsize length, const NrXmlBounds *bounds, const char *file,
                    GError **error);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(xmlDoc, xmlFreeDoc)

/* The element's name as it was written, fit for a sentence. New string. */
char *nr_xml_name(const xmlNode *node);
/* "lab.xml:4", or "line 4". New string. */
char *nr_xml_place(const char *file, long line);
/* ns NULL: an element without namespace. */
gboolean nr_xml_is(const xmlNode *node, const char *ns, const char *name);
/* The first child element of that name and no namespace, or NULL. */
const xmlNode *nr_xml_child(const xmlNode *node, const char *name);
/* The attribute of that name and no namespace (new string), or NULL. */
char *nr_xml_attribute(const xmlNode *node, const char *name);
/* All text in it. New string. */
char *nr_xml_text(const xmlNode *node);

/* Says what an element may have. */
typedef struct {
    const char *const *attributes; /* without namespace; NULL-terminated */
    const char *expected;          /* for messages: "mac, alias, dev, ..." or "no attribute" */
    gboolean text;                 /* may have text; blanks are always welcome */
    gboolean children;             /* may have child elements, which the caller judges */
} NrXmlShape;

/* NULL, or what is wrong: a new sentence "<listen>: attribute ... (a, b were expected)", whose line
 * is *ret_line. */
char *nr_xml_check_shape(const xmlNode *node, const NrXmlShape *shape, long *ret_line);

#endif
