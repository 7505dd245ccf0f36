/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "xml/metadata-edit.h"

#include <string.h>
#include "xml/domain-xml.h"
#include "xml/metadata-xml.h"
#include "xml/value.h"
#include "xml/xml-reader.h"

const char *const nr_metadata_places[] = { "network", "bridge", "peer", NULL };

static const NrXmlBounds bounds = {
    .bytes = 1024 * 1024,
    .depth = NR_DOMAIN_DEPTH_MAX,
    .nodes = 64 * NR_DOMAIN_NICS_MAX,
    .attributes = 64,
};

void nr_metadata_edited_free(NrMetadataEdited *edited)
{
    if (!edited)
        return;
    g_free(edited->element);
    g_clear_pointer(&edited->guest, nr_guest_unref);
    g_free(edited->to);
    g_free(edited->where);
    g_free(edited);
}

static void G_GNUC_PRINTF(2, 3) refuse(GError **error, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    if (error)
        *error = g_error_new_valist(NR_XML_ERROR, NR_XML_ERROR_INVALID, format, args);
    va_end(args);
}

static xmlDoc *read_element(const char *text, GError **error)
{
    g_autoptr(xmlDoc) doc =
        nr_xml_read(text ? text : "<domain/>", text ? strlen(text) : 9, &bounds, NULL, error);

    if (!doc) {
        g_prefix_error(error, "the guest's metadata for netrelay: ");
        return NULL;
    }
    if (!nr_xml_is(xmlDocGetRootElement(doc), NULL, "domain")) {
        g_autofree char *name = nr_xml_name(xmlDocGetRootElement(doc));

        refuse(error, "the guest's metadata for netrelay is <%s>, where <domain> was expected",
               name);
        return NULL;
    }
    return g_steal_pointer(&doc);
}

/* Lines */

static gboolean same_name(const char *key, const char *a, const char *b)
{
    struct mac first, second;

    if (strcmp(key, "mac") == 0 && mac_parse(&first, a) == 0 && mac_parse(&second, b) == 0)
        return mac_equal(first, second);
    return g_str_equal(a, b);
}

/* Whether the line names that NIC, by whatever name, or has the very name of one that is gone. */
static gboolean is_of(const xmlNode *line, const NrGuest *guest, const NrMetadataEdit *edit,
                      int nic)
{
    if (!nr_xml_is(line, NULL, "interface"))
        return FALSE;
    for (const char *const *key = nr_metadata_keys; *key; key++) {
        g_autofree char *value = nr_xml_attribute(line, *key);
        g_autofree char *fault = NULL;
        int index;

        if (!value)
            continue;
        if (g_str_equal(*key, edit->by) && same_name(*key, value, edit->nic))
            return TRUE;
        fault = nr_metadata_find_nic(guest, *key, value, &index);
        if (!fault && index == nic && nic >= 0)
            return TRUE;
    }
    return FALSE;
}

/* The first line of that NIC from there on, or NULL. */
static xmlNode *find_line(xmlNode *from, const NrGuest *guest, const NrMetadataEdit *edit, int nic)
{
    for (xmlNode *node = from; node; node = node->next)
        if (is_of(node, guest, edit, nic))
            return node;
    return NULL;
}

/* Takes the place off; notes what it was, of the first line. */
static void clear_place(xmlNode *line, NrMetadataEdited *edited)
{
    for (const char *const *place = nr_metadata_places; *place; place++) {
        xmlAttr *attribute = xmlHasNsProp(line, (const xmlChar *)*place, NULL);

        if (!attribute)
            continue;
        if (!edited->to) {
            edited->to = g_strdup(*place);
            edited->where = nr_xml_attribute(line, *place);
        }
        xmlRemoveProp(attribute);
    }
}

/* Nothing but the NIC's name: then it says nothing. */
static gboolean is_bare(const xmlNode *line)
{
    for (const xmlAttr *attribute = line->properties; attribute; attribute = attribute->next)
        if (attribute->ns || !g_strv_contains(nr_metadata_keys, (const char *)attribute->name))
            return FALSE;
    for (const xmlNode *child = line->children; child; child = child->next)
        if (!xmlIsBlankNode(child))
            return FALSE;
    return TRUE;
}

/* The layout is made anew: a line each. Text that is more than layout stays. */
static void clear_layout(xmlNode *root)
{
    for (xmlNode *node = root->children, *next; node; node = next) {
        next = node->next;
        if (node->type != XML_TEXT_NODE || !xmlIsBlankNode(node))
            continue;
        xmlUnlinkNode(node);
        xmlFreeNode(node);
    }
}

static char *write_element(xmlDoc *doc)
{
    xmlBuffer *buffer = xmlBufferCreate();
    char *text;

    if (!buffer || xmlNodeDump(buffer, doc, xmlDocGetRootElement(doc), 0, 1) < 0)
        g_error("out of memory"); /* as GLib does everywhere else */
    text = g_strdup((const char *)xmlBufferContent(buffer));
    xmlBufferFree(buffer);
    return text;
}

/* The whole */

static void attach(xmlNode *root, const NrGuest *guest, const NrMetadataEdit *edit,
                   NrMetadataEdited *edited)
{
    xmlNode *line = find_line(root->children, guest, edit, edited->nic);

    if (!line) {
        line = xmlNewChild(root, NULL, (const xmlChar *)"interface", NULL);
        xmlNewProp(line, (const xmlChar *)edit->by, (const xmlChar *)edit->nic);
    }
    clear_place(line, edited);
    xmlUnsetProp(line, (const xmlChar *)"ignore");
    xmlNewProp(line, (const xmlChar *)edit->to, (const xmlChar *)edit->where);
}

static void detach(xmlNode *root, const NrGuest *guest, const NrMetadataEdit *edit,
                   NrMetadataEdited *edited)
{
    xmlNode *line = root->children;

    while ((line = find_line(line, guest, edit, edited->nic))) {
        xmlNode *next = line->next;

        clear_place(line, edited);
        if (is_bare(line)) {
            xmlUnlinkNode(line);
            xmlFreeNode(line);
        }
        line = next;
    }
}

/* As libvirt does, when it puts the element into the domain's XML. */
static void put_namespace(xmlNode *node, xmlNs *ns)
{
    if (node->type != XML_ELEMENT_NODE)
        return;
    if (!node->ns)
        xmlSetNs(node, ns);
    for (xmlNode *child = node->children; child; child = child->next)
        put_namespace(child, ns);
}

static void read_back(xmlNode *root, NrGuest *guest)
{
    put_namespace(
        root, xmlNewNs(root, (const xmlChar *)NR_METADATA_NS, (const xmlChar *)NR_METADATA_KEY));
    nr_metadata_xml_apply(guest, root);
}

static gboolean may_attach(const NrGuest *guest, int nic, GError **error)
{
    const NrNic *wanted = g_ptr_array_index(guest->nics, nic);

    if (wanted->kind != NR_NIC_OTHER)
        return TRUE;
    refuse(error, "it is an interface of libvirt's own networks; one of type client, server, udp "
                  "or mcast was expected");
    return FALSE;
}

static gboolean change(xmlNode *root, const NrGuest *guest, const NrMetadataEdit *edit,
                       NrMetadataEdited *edited, GError **error)
{
    g_autofree char *fault = nr_metadata_find_nic(guest, edit->by, edit->nic, &edited->nic);

    if (fault)
        edited->nic = -1;
    if (edit->to && fault) {
        refuse(error, "%s", fault);
        return FALSE;
    }
    if (edit->to) {
        if (!may_attach(guest, edited->nic, error))
            return FALSE;
        attach(root, guest, edit, edited);
        return TRUE;
    }
    detach(root, guest, edit, edited);
    if (!fault || edited->to)
        return TRUE;
    refuse(error, "%s", fault);
    return FALSE;
}

NrMetadataEdited *nr_metadata_edit(const NrGuest *guest, const char *element,
                                   const NrMetadataEdit *edit, GError **error)
{
    g_autoptr(NrMetadataEdited) edited = g_new0(NrMetadataEdited, 1);
    g_autoptr(xmlDoc) doc = read_element(element, error);
    xmlNode *root = doc ? xmlDocGetRootElement(doc) : NULL;

    if (!root || !change(root, guest, edit, edited, error))
        return NULL;
    clear_layout(root);
    if (root->children || root->properties)
        edited->element = write_element(doc);
    edited->guest = nr_guest_copy(guest, guest->state);
    read_back(root, edited->guest);
    if (edit->to && edited->guest->metadata_fault) {
        refuse(error, "the guest's metadata for netrelay could not be read then: %s",
               edited->guest->metadata_fault);
        return NULL;
    }
    return g_steal_pointer(&edited);
}
