/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "xml/metadata-xml.h"

#include <string.h>

#include "xml/value.h"
#include "xml/xml-reader.h"

const char *const nr_metadata_keys[] = { "mac", "alias", "dev", NULL };
static const char *const no_attributes[] = { NULL };
static const char *const nic_attributes[] = { "mac",  "alias",  "dev", "network", "bridge",
                                              "peer", "ignore", "pin", NULL };

static const NrXmlShape domain_shape = { .attributes = no_attributes,
                                         .expected = "no attribute is",
                                         .children = TRUE };
static const NrXmlShape nic_shape = {
    .attributes = nic_attributes,
    .expected = "one of mac, alias, dev, one of network, bridge, peer, ignore, and pin are",
};

/* One reading: the wishes by index of NIC, given to the guest only if all of it is right. */
typedef struct {
    const NrGuest *guest;
    NrWish *wishes;
    const xmlNode *node; /* being read, for messages */
    char *fault;
} Reading;

static void G_GNUC_PRINTF(2, 3) set_fault(Reading *reading, const char *format, ...)
{
    g_autofree char *name = nr_xml_name(reading->node);
    g_autofree char *text = NULL;
    va_list args;

    va_start(args, format);
    text = g_strdup_vprintf(format, args);
    va_end(args);
    reading->fault = g_strdup_printf("line %ld: <%s>: %s", xmlGetLineNo(reading->node), name, text);
}

static gboolean check_shape(Reading *reading, const NrXmlShape *shape)
{
    long line;
    g_autofree char *fault = nr_xml_check_shape(reading->node, shape, &line);

    if (fault)
        reading->fault = g_strdup_printf("line %ld: %s", line, fault);
    return !fault;
}

/* Exactly one of these attributes: its name, and its value (new string). */
static const char *one_of(Reading *reading, const char *const names[], const char *purpose,
                          char **ret_value)
{
    const char *found = NULL;
    g_autofree char *list = g_strjoinv(", ", (char **)names);

    for (gsize i = 0; names[i]; i++) {
        char *value = nr_xml_attribute(reading->node, names[i]);

        if (value && found) {
            set_fault(reading, "both %s and %s; one of %s was expected, to say %s", found, names[i],
                      list, purpose);
            g_free(value);
            return NULL;
        }
        if (value) {
            found = names[i];
            *ret_value = value;
        }
    }
    if (!found)
        set_fault(reading, "one of %s was expected, to say %s", list, purpose);
    return found;
}

char *nr_metadata_key_fault(const char *key, const char *value)
{
    g_autofree char *quoted = nr_value_quote(value);
    struct mac mac;

    if (strcmp(key, "mac") == 0 && mac_parse(&mac, value) < 0)
        return g_strdup_printf("mac %s is not a MAC address such as 52:54:00:12:34:56", quoted);
    if (strcmp(key, "alias") == 0 && !g_str_has_prefix(value, "ua-"))
        return g_strdup_printf("alias %s is libvirt's own, made anew at each start; mac, dev, or "
                               "an alias that begins with ua- was expected",
                               quoted);
    return NULL;
}

static gboolean is_named(const NrNic *nic, const char *key, const char *value)
{
    struct mac mac;

    if (strcmp(key, "mac") == 0)
        return mac_parse(&mac, value) == 0 && !mac_is_zero(mac) && mac_equal(nic->mac, mac);
    return g_strcmp0(strcmp(key, "alias") == 0 ? nic->alias : nic->target_dev, value) == 0;
}

char *nr_metadata_find_nic(const NrGuest *guest, const char *key, const char *value, int *ret)
{
    g_autofree char *quoted = nr_value_quote(value);
    char *fault = nr_metadata_key_fault(key, value);

    *ret = -1;
    for (guint i = 0; !fault && i < guest->nics->len; i++) {
        if (!is_named(g_ptr_array_index(guest->nics, i), key, value))
            continue;
        if (*ret >= 0)
            fault = g_strdup_printf("two interfaces of this guest have %s %s", key, quoted);
        *ret = (int)i;
    }
    if (!fault && *ret < 0)
        fault = g_strdup_printf("no interface of this guest has %s %s", key, quoted);
    return fault;
}

/* The index of the one NIC that is meant, or -1. */
static int find_nic(Reading *reading)
{
    g_autofree char *value = NULL;
    g_autofree char *fault = NULL;
    const char *key = one_of(reading, nr_metadata_keys, "which interface is meant", &value);
    int found;

    if (!key)
        return -1;
    fault = nr_metadata_find_nic(reading->guest, key, value, &found);
    if (!fault)
        return found;
    set_fault(reading, "%s", fault);
    return -1;
}

/* NULL, or what was expected. */
static const char *read_network(const char *value, NrWish *ret)
{
    if (!nr_value_is_network_name(value))
        return NR_NETWORK_NAME_EXPECTED;
    ret->network = g_strdup(value);
    return NULL;
}

static const char *read_bridge(const char *value, NrWish *ret)
{
    if (!nr_value_is_bridge_name(value))
        return NR_BRIDGE_NAME_EXPECTED;
    ret->bridge = g_strdup(value);
    return NULL;
}

static const char *read_peer(const char *value, NrWish *ret)
{
    return nr_value_peer(value, &ret->peer);
}

static const char *read_ignore(const char *value, NrWish *ret)
{
    ret->ignore = strcmp(value, "yes") == 0;
    return ret->ignore ? NULL : "'yes'";
}

static const struct {
    const char *name;
    const char *(*read)(const char *value, NrWish *ret);
} purposes[] = {
    { "network", read_network },
    { "bridge", read_bridge },
    { "peer", read_peer },
    { "ignore", read_ignore },
};

static gboolean read_value(Reading *reading, const char *what, const char *value, NrWish *ret)
{
    g_autofree char *quoted = nr_value_quote(value);
    const char *expected = NULL;

    for (gsize i = 0; i < G_N_ELEMENTS(purposes); i++)
        if (strcmp(what, purposes[i].name) == 0)
            expected = purposes[i].read(value, ret);
    if (expected)
        set_fault(reading, "%s %s: %s was expected", what, quoted, expected);
    return !expected;
}

static gboolean is_empty(const NrWish *wish)
{
    return !nr_wish_has_place(wish) && !wish->ignore && wish->pin == NR_PIN_UNSAID;
}

/* Beside a place, or alone: then the place is where the NIC is anyway. */
static gboolean read_pin(Reading *reading, const char *what, NrPin *ret)
{
    g_autofree char *text = nr_xml_attribute(reading->node, "pin");
    g_autofree char *quoted = text ? nr_value_quote(text) : NULL;

    if (text && strcmp(what, "ignore") == 0)
        set_fault(reading, "both ignore and pin; one of them was expected");
    else if (text && !nr_value_pin(text, ret))
        set_fault(reading, "pin %s: 'yes' or 'no' was expected", quoted);
    return !reading->fault;
}

static gboolean has_attribute(const Reading *reading, const char *const *names)
{
    for (; *names; names++) {
        g_autofree char *value = nr_xml_attribute(reading->node, *names);

        if (value)
            return TRUE;
    }
    return FALSE;
}

/* What is said of the NIC besides its pin; "pin" where that is all. */
static const char *read_purpose(Reading *reading, char **ret_value)
{
    static const char *const wishes[] = { "network", "bridge", "peer", "ignore", NULL };
    static const char *const pin[] = { "pin", NULL };

    if (has_attribute(reading, pin) && !has_attribute(reading, wishes))
        return pin[0];
    return one_of(reading, wishes, "what for", ret_value);
}

static gboolean read_wish(Reading *reading, const NrNic *nic, NrWish *ret)
{
    g_autofree char *value = NULL;
    const char *what = read_purpose(reading, &value);
    g_auto(NrWish) wish = { 0 };

    if (!what || (value && !read_value(reading, what, value, &wish)) ||
        !read_pin(reading, what, &wish.pin))
        return FALSE;
    if (!is_empty(ret)) {
        set_fault(reading, "the same interface was named before; once was expected");
        return FALSE;
    }
    if (nic->kind == NR_NIC_OTHER && strcmp(what, "ignore") != 0) {
        set_fault(reading, "an interface of libvirt's own networks; one of type client, server or "
                           "udp was expected");
        return FALSE;
    }
    nr_wish_copy(ret, &wish);
    return TRUE;
}

static gboolean read_interface(Reading *reading)
{
    int index;

    if (!nr_xml_is(reading->node, NR_METADATA_NS, "interface")) {
        set_fault(reading, "<interface> of namespace " NR_METADATA_NS " was expected");
        return FALSE;
    }
    if (!check_shape(reading, &nic_shape))
        return FALSE;
    index = find_nic(reading);
    return index >= 0 && read_wish(reading, g_ptr_array_index(reading->guest->nics, index),
                                   &reading->wishes[index]);
}

static gboolean read_all(Reading *reading, const xmlNode *element)
{
    reading->node = element;
    if (!check_shape(reading, &domain_shape))
        return FALSE;
    for (const xmlNode *node = element->children; node; node = node->next) {
        reading->node = node;
        if (node->type == XML_ELEMENT_NODE && !read_interface(reading))
            return FALSE;
    }
    return TRUE;
}

void nr_metadata_xml_apply(NrGuest *guest, xmlNode *element)
{
    g_autofree NrWish *wishes = g_new0(NrWish, guest->nics->len + 1);
    Reading reading = { .guest = guest, .wishes = wishes };
    gboolean good = read_all(&reading, element);

    for (guint i = 0; i < guest->nics->len; i++) {
        NrNic *nic = g_ptr_array_index(guest->nics, i);

        nr_wish_clear(&nic->wish);
        if (good)
            nic->wish = wishes[i];
        else
            nr_wish_clear(&wishes[i]);
    }
    g_free(guest->metadata_fault);
    guest->metadata_fault = reading.fault;
}
