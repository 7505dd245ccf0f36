/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/rewire.h"

#include <libvirt/libvirt.h>
#include <libvirt/virterror.h>
#include <stdlib.h>
#include <string.h>
#include "xml/domain-xml.h"
#include "xml/metadata-edit.h"
#include "xml/metadata-xml.h"

/* The two states of a guest that libvirt keeps. */
typedef struct {
    const char *name; /* for a sentence */
    unsigned xml_flags, metadata_flags;
} Side;

static const Side live_side = { "as it runs", 0, VIR_DOMAIN_AFFECT_LIVE };
static const Side config_side = { "in its definition", VIR_DOMAIN_XML_INACTIVE,
                                  VIR_DOMAIN_AFFECT_CONFIG };

void nr_rewire_free(NrRewire *rewire)
{
    if (!rewire)
        return;
    g_free(rewire->uuid);
    g_free(rewire->by);
    g_free(rewire->nic);
    g_free(rewire->to);
    g_free(rewire->where);
    g_free(rewire->fault);
    g_free(rewire->was_to);
    g_free(rewire->was);
    g_free(rewire->config_was_to);
    g_free(rewire->config_was);
    g_free(rewire);
}

static void G_GNUC_PRINTF(3, 4) fail(NrRewire *rewire, virDomainPtr domain, const char *format, ...)
{
    g_autofree char *text = NULL;
    va_list args;

    va_start(args, format);
    text = g_strdup_vprintf(format, args);
    va_end(args);
    rewire->fault = g_strdup_printf("guest %s: %s", virDomainGetName(domain), text);
}

static NrGuest *read_guest(NrRewire *rewire, virDomainPtr domain, const Side *side)
{
    char *xml = virDomainGetXMLDesc(domain, side->xml_flags);
    g_autoptr(GError) error = NULL;
    NrGuest *guest = xml ? nr_domain_xml_parse(xml, strlen(xml), &error) : NULL;

    if (!guest)
        fail(rewire, domain, "its XML cannot be read: %s",
             error ? error->message : virGetLastErrorMessage());
    free(xml);
    return guest;
}

/* FALSE: it cannot be had. NULL: there is none. */
static gboolean read_element(NrRewire *rewire, virDomainPtr domain, const Side *side, char **ret)
{
    *ret = virDomainGetMetadata(domain, VIR_DOMAIN_METADATA_ELEMENT, NR_METADATA_NS,
                                side->metadata_flags);
    if (*ret || virGetLastErrorCode() == VIR_ERR_NO_DOMAIN_METADATA)
        return TRUE;
    fail(rewire, domain, "its metadata cannot be read: %s", virGetLastErrorMessage());
    return FALSE;
}

/* NULL: rewire->fault says why. */
static NrMetadataEdited *edit_side(NrRewire *rewire, virDomainPtr domain, const Side *side)
{
    const NrMetadataEdit edit = { rewire->by, rewire->nic, rewire->to, rewire->where };
    g_autoptr(NrGuest) guest = read_guest(rewire, domain, side);
    NrMetadataEdited *edited = NULL;
    g_autoptr(GError) error = NULL;
    char *element = NULL;

    if (!guest || !read_element(rewire, domain, side, &element))
        return NULL;
    edited = nr_metadata_edit(guest, element, &edit, &error);
    free(element);
    if (!edited)
        fail(rewire, domain, "%s (%s)", error->message, side->name);
    return edited;
}

static gboolean write_side(NrRewire *rewire, virDomainPtr domain, const Side *side,
                           NrMetadataEdited *edited, gboolean *ret_done)
{
    /* Where nothing is to be taken back, all is as it should be on this side. */
    if (!rewire->to && !edited->to)
        return TRUE;
    if (virDomainSetMetadata(domain, VIR_DOMAIN_METADATA_ELEMENT, edited->element, NR_METADATA_KEY,
                             NR_METADATA_NS, side->metadata_flags) < 0) {
        fail(rewire, domain, "its metadata, %s, is not changed: %s", side->name,
             virGetLastErrorMessage());
        return FALSE;
    }
    *ret_done = TRUE;
    if (!rewire->was_to) {
        rewire->was_to = g_steal_pointer(&edited->to);
        rewire->was = g_steal_pointer(&edited->where);
    } else {
        rewire->config_was_to = g_steal_pointer(&edited->to);
        rewire->config_was = g_steal_pointer(&edited->where);
    }
    return TRUE;
}

static void rewire_domain(NrRewire *rewire, virDomainPtr domain)
{
    g_autoptr(NrMetadataEdited) live = NULL, config = NULL;

    if (rewire->live)
        live = edit_side(rewire, domain, &live_side);
    if (rewire->config && !rewire->fault)
        config = edit_side(rewire, domain, &config_side);
    if (rewire->fault ||
        (live && !write_side(rewire, domain, &live_side, live, &rewire->live_done)) ||
        (config && !write_side(rewire, domain, &config_side, config, &rewire->config_done)))
        return;
    if (!rewire->live_done && !rewire->config_done)
        fail(rewire, domain, "its metadata does not attach the NIC %s to anything", rewire->nic);
}

/* FALSE: the guest does not have what is to be changed. */
static gboolean choose_sides(NrRewire *rewire, virDomainPtr domain)
{
    rewire->running = virDomainIsActive(domain) == 1;
    rewire->persistent = virDomainIsPersistent(domain) == 1;
    if (!rewire->live && !rewire->config) {
        rewire->live = rewire->running;
        rewire->config = !rewire->running;
    }
    if (rewire->live && !rewire->running)
        fail(rewire, domain, "it does not run, so only its definition can be changed (--config)");
    else if (rewire->config && !rewire->persistent)
        fail(rewire, domain, "it is transient, so it can be changed only as it runs (--live)");
    return !rewire->fault;
}

void nr_rewire_write(struct _virConnect *connection, NrRewire *rewire)
{
    virDomainPtr domain = NULL;

    if (!connection) {
        rewire->fault = g_strdup("netrelayd has lost its connection to libvirt; try again");
        return;
    }
    virResetLastError();
    domain = virDomainLookupByUUIDString(connection, rewire->uuid);
    if (!domain) {
        rewire->fault = g_strdup(virGetLastErrorMessage());
        return;
    }
    if (choose_sides(rewire, domain))
        rewire_domain(rewire, domain);
    virDomainFree(domain);
}
