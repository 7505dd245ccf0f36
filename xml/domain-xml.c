/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * libvirt's words speak for the guest. Here, and nowhere else, they are turned round: where the
 * guest sends is `ours`, where it listens is `theirs`.
 */
#include "xml/domain-xml.h"

#include <string.h>

#include "xml/metadata-xml.h"
#include "xml/value.h"
#include "xml/xml-reader.h"

#define NAME_MAX_BYTES  1023 /* what a hook request can carry */
#define NIL_UUID        "00000000-0000-0000-0000-000000000000"
#define METADATA_FAMILY "urn:netrelay:" /* all versions of our namespace */

static const NrXmlBounds bounds = {
    .bytes = NR_DOMAIN_XML_MAX,
    .depth = NR_DOMAIN_DEPTH_MAX,
    .nodes = 64 * NR_DOMAIN_NICS_MAX, /* libvirt writes about 30 for a NIC */
    .attributes = 64,                 /* libvirt's own elements have no more than 20 */
};

/* What the guest does with an address decides which ones make sense. */
typedef enum {
    PURPOSE_SEND,  /* one certain address */
    PURPOSE_BIND,  /* any address will do */
    PURPOSE_GROUP, /* a multicast group */
} Purpose;

static void G_GNUC_PRINTF(2, 3) set_fault(NrNic *nic, const char *format, ...)
{
    va_list args;

    if (nic->fault)
        return; /* the first one is enough to be cured */
    va_start(args, format);
    nic->fault = g_strdup_vprintf(format, args);
    va_end(args);
}

/* Takes an absent or empty address for any address, as QEMU does where it binds. */
static void read_bound_host(NrAddress *ret, const char *text)
{
    if (!text || !*text)
        ret->host = g_strdup("");
}

/* Also with brackets or a zone, which an address in libvirt's XML does not have. */
static gboolean looks_like_ipv6(const char *text)
{
    const char *colon = strchr(text, ':');

    return colon && strchr(colon + 1, ':');
}

static void check_host(NrNic *nic, NrHostKind kind, const char *host, const char *element,
                       const char *text, Purpose purpose)
{
    g_autofree char *quoted = nr_value_quote(text);

    if (kind == NR_HOST_IPV6 || looks_like_ipv6(text))
        set_fault(nic, "address %s of <%s> is IPv6, and QEMU's socket NICs speak IPv4 only", quoted,
                  element);
    else if (kind == NR_HOST_NONE)
        set_fault(nic, "address %s of <%s> is neither an IPv4 address nor a host name", quoted,
                  element);
    else if (purpose == PURPOSE_SEND && strcmp(host, "0.0.0.0") == 0)
        set_fault(nic,
                  "address 0.0.0.0 of <%s> stands for any address; the guest needs one to "
                  "send to",
                  element);
    else if (purpose == PURPOSE_GROUP && kind == NR_HOST_IPV4 && !nr_value_is_group(host))
        set_fault(nic, "address %s of <%s> is not a multicast group", quoted, element);
}

static void read_host(NrNic *nic, const xmlNode *element, Purpose purpose, NrAddress *ret)
{
    const char *name = (const char *)element->name;
    g_autofree char *text = nr_xml_attribute(element, "address");
    NrHostKind kind;

    if (purpose == PURPOSE_BIND)
        read_bound_host(ret, text);
    if (ret->host)
        return;
    if (!text) {
        set_fault(nic, "<%s> has no address; an IPv4 address or a host name was expected", name);
        return;
    }
    kind = nr_value_host(text, &ret->host);
    check_host(nic, kind, ret->host, name, text, purpose);
}

static void read_l4_port(NrNic *nic, const xmlNode *element, NrAddress *ret)
{
    const char *name = (const char *)element->name;
    g_autofree char *text = nr_xml_attribute(element, "port");
    g_autofree char *quoted = text ? nr_value_quote(text) : NULL;

    if (!text)
        set_fault(nic, "<%s> has no port; " NR_L4_PORT_EXPECTED " was expected", name);
    else if (!nr_value_l4_port(text, &ret->l4_port))
        set_fault(nic, "port %s is not " NR_L4_PORT_EXPECTED ", in <%s>", quoted, name);
}

static void read_address(NrNic *nic, const xmlNode *parent, const char *name, Purpose purpose,
                         NrAddress *ret)
{
    const xmlNode *element = nr_xml_child(parent, name);

    if (!element) {
        set_fault(nic, "<%s address='...' port='...'/> is missing in <%s>", name,
                  (const char *)parent->name);
        return;
    }
    read_host(nic, element, purpose, ret);
    read_l4_port(nic, element, ret);
}

static void read_addresses(NrNic *nic, const xmlNode *interface)
{
    const xmlNode *source = nr_xml_child(interface, "source");

    switch (nic->kind) {
    case NR_NIC_DIALS:
        read_address(nic, interface, "source", PURPOSE_SEND, &nic->ours);
        break;
    case NR_NIC_LISTENS:
        read_address(nic, interface, "source", PURPOSE_BIND, &nic->theirs);
        break;
    case NR_NIC_UDP:
        read_address(nic, interface, "source", PURPOSE_SEND, &nic->ours);
        if (source)
            read_address(nic, source, "local", PURPOSE_BIND, &nic->theirs);
        break;
    case NR_NIC_MULTICAST:
        read_address(nic, interface, "source", PURPOSE_GROUP, &nic->ours);
        break;
    case NR_NIC_OTHER:
        break;
    }
}

static NrNicKind read_kind(const xmlNode *interface)
{
    g_autofree char *type = nr_xml_attribute(interface, "type");

    for (NrNicKind kind = NR_NIC_DIALS; kind < NR_NIC_OTHER; kind++) {
        if (g_strcmp0(type, nr_nic_kind_name(kind)) == 0)
            return kind;
    }
    return NR_NIC_OTHER;
}

/* The attribute of a child element, or NULL. */
static char *child_attribute(const xmlNode *parent, const char *child, const char *attribute)
{
    const xmlNode *node = nr_xml_child(parent, child);

    return node ? nr_xml_attribute(node, attribute) : NULL;
}

/* libvirt writes a MAC for every NIC; XML written by hand may have none, and stays zero. */
static void read_mac(NrNic *nic, const xmlNode *interface)
{
    g_autofree char *text = child_attribute(interface, "mac", "address");
    g_autofree char *quoted = text ? nr_value_quote(text) : NULL;

    if (text && mac_parse(&nic->mac, text) < 0)
        set_fault(nic, "address %s of <mac> is not a MAC address such as 52:54:00:12:34:56",
                  quoted);
}

/* libvirt has checked it and keeps it; more than we can count is no limit that anybody meets. */
static guint32 read_amount(const xmlNode *element, const char *name, guint32 most)
{
    g_autofree char *text = nr_xml_attribute(element, name);
    guint64 amount;

    if (!text || !g_ascii_string_to_unsigned(text, 10, 0, G_MAXUINT64, &amount, NULL))
        return 0;
    return (guint32)MIN(amount, most);
}

/* Units and meaning are libvirt's own: KiB a second, and KiB. */
static void read_rate(const xmlNode *bandwidth, const char *direction, struct port_rate *ret)
{
    const xmlNode *element = bandwidth ? nr_xml_child(bandwidth, direction) : NULL;

    if (!element)
        return;
    ret->average = read_amount(element, "average", PORT_RATE_MAX);
    if (!ret->average)
        return;
    ret->peak = read_amount(element, "peak", PORT_RATE_MAX);
    ret->burst = read_amount(element, "burst", PORT_BURST_MAX);
    if (ret->peak <= ret->average)
        ret->peak = 0;
}

static NrNic *read_nic(const xmlNode *interface)
{
    const xmlNode *bandwidth = nr_xml_child(interface, "bandwidth");
    NrNic *nic = nr_nic_new();
    g_autofree char *alias = child_attribute(interface, "alias", "name");
    g_autofree char *link = child_attribute(interface, "link", "state");

    nic->kind = read_kind(interface);
    nic->target_dev = child_attribute(interface, "target", "dev");
    nic->link_down = g_strcmp0(link, "down") == 0;
    if (alias && g_str_has_prefix(alias, "ua-"))
        nic->alias = g_steal_pointer(&alias);
    read_rate(bandwidth, "outbound", &nic->sends);
    read_rate(bandwidth, "inbound", &nic->gets);
    read_mac(nic, interface);
    read_addresses(nic, interface);
    return nic;
}

static gboolean read_nics(NrGuest *guest, const xmlNode *devices, GError **error)
{
    for (const xmlNode *node = devices->children; node; node = node->next) {
        if (!nr_xml_is(node, NULL, "interface"))
            continue;
        if (guest->nics->len >= NR_DOMAIN_NICS_MAX) {
            g_set_error(error, NR_XML_ERROR, NR_XML_ERROR_LIMIT,
                        "line %ld: more than %d <interface> elements are refused",
                        xmlGetLineNo(node), NR_DOMAIN_NICS_MAX);
            return FALSE;
        }
        g_ptr_array_add(guest->nics, read_nic(node));
    }
    return TRUE;
}

static gboolean read_uuid(NrGuest *guest, const xmlNode *domain, GError **error)
{
    const xmlNode *node = nr_xml_child(domain, "uuid");
    g_autofree char *text = node ? g_strstrip(nr_xml_text(node)) : g_strdup(NIL_UUID);
    g_autofree char *quoted = nr_value_quote(text);

    if (!g_uuid_string_is_valid(text)) {
        g_set_error(error, NR_XML_ERROR, NR_XML_ERROR_INVALID, "line %ld: <uuid>: %s is not a UUID",
                    xmlGetLineNo(node), quoted);
        return FALSE;
    }
    guest->uuid = g_ascii_strdown(text, -1);
    return TRUE;
}

static gboolean read_name(NrGuest *guest, const xmlNode *domain, GError **error)
{
    const xmlNode *node = nr_xml_child(domain, "name");
    g_autofree char *text = node ? nr_xml_text(node) : g_strdup("");

    if (!*text) {
        g_set_error(error, NR_XML_ERROR, NR_XML_ERROR_INVALID, "line %ld: <domain> has no <name>",
                    xmlGetLineNo(domain));
        return FALSE;
    }
    if (strlen(text) > NAME_MAX_BYTES) {
        g_set_error(error, NR_XML_ERROR, NR_XML_ERROR_LIMIT,
                    "line %ld: <name>: more than %d bytes are refused", xmlGetLineNo(node),
                    NAME_MAX_BYTES);
        return FALSE;
    }
    guest->name = g_steal_pointer(&text);
    return TRUE;
}

static void read_id(NrGuest *guest, const xmlNode *domain)
{
    g_autofree char *text = nr_xml_attribute(domain, "id");
    guint64 id;

    if (text && g_ascii_string_to_unsigned(text, 10, 0, G_MAXINT, &id, NULL))
        guest->id = (int)id;
}

static void G_GNUC_PRINTF(3, 4)
    refuse_metadata(NrGuest *guest, const xmlNode *node, const char *format, ...)
{
    g_autofree char *name = nr_xml_name(node);
    g_autofree char *text = NULL;
    va_list args;

    va_start(args, format);
    text = g_strdup_vprintf(format, args);
    va_end(args);
    guest->metadata_fault = g_strdup_printf("line %ld: <%s>: %s", xmlGetLineNo(node), name, text);
}

static gboolean is_ours(const xmlNode *node)
{
    return node->type == XML_ELEMENT_NODE && node->ns && node->ns->href &&
           g_str_has_prefix((const char *)node->ns->href, METADATA_FAMILY);
}

/* A prefix nobody declared is no error to libxml2, and here it is somebody's wish all the same. */
static gboolean is_undeclared(const xmlNode *node)
{
    return node->type == XML_ELEMENT_NODE && !node->ns &&
           g_str_has_prefix((const char *)node->name, "netrelay:");
}

/* libvirt keeps one element of a namespace, but what the hook is given need not come from it. */
static void read_metadata(NrGuest *guest, const xmlNode *domain)
{
    const xmlNode *metadata = nr_xml_child(domain, "metadata");
    xmlNode *ours = NULL;

    for (xmlNode *node = metadata ? metadata->children : NULL; node; node = node->next) {
        if (is_undeclared(node)) {
            refuse_metadata(guest, node, "xmlns:netrelay='" NR_METADATA_NS "' was expected");
            return;
        }
        if (!is_ours(node))
            continue;
        if (!nr_xml_is(node, NR_METADATA_NS, "domain")) {
            refuse_metadata(guest, node, "<domain> of namespace " NR_METADATA_NS " was expected");
            return;
        }
        if (ours) {
            refuse_metadata(guest, node, "given twice; first at line %ld", xmlGetLineNo(ours));
            return;
        }
        ours = node;
    }
    if (ours)
        nr_metadata_xml_apply(guest, ours);
}

static gboolean read_domain(NrGuest *guest, const xmlNode *domain, GError **error)
{
    g_autofree char *root = nr_xml_name(domain);

    if (!nr_xml_is(domain, NULL, "domain")) {
        g_set_error(error, NR_XML_ERROR, NR_XML_ERROR_INVALID,
                    "line %ld: <%s>, where <domain> without a namespace was expected",
                    xmlGetLineNo(domain), root);
        return FALSE;
    }
    if (!read_uuid(guest, domain, error) || !read_name(guest, domain, error))
        return FALSE;
    read_id(guest, domain);
    for (const xmlNode *node = domain->children; node; node = node->next) {
        if (nr_xml_is(node, NULL, "devices") && !read_nics(guest, node, error))
            return FALSE;
    }
    read_metadata(guest, domain); /* needs the NICs, which come after it in libvirt's order */
    return TRUE;
}

NrGuest *nr_domain_xml_parse(const char *text, gsize length, GError **error)
{
    g_autoptr(NrGuest) guest = nr_guest_new();
    g_autoptr(xmlDoc) doc = nr_xml_read(text, length, &bounds, NULL, error);

    if (!doc || !read_domain(guest, xmlDocGetRootElement(doc), error))
        return NULL;
    return g_steal_pointer(&guest);
}
