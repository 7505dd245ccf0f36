/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Our element in a domain's <metadata>, urn:netrelay:domain:1, applied to the guest's NICs:
 *
 *   <netrelay:domain xmlns:netrelay='urn:netrelay:domain:1'>
 *     <netrelay:interface mac='52:54:00:12:34:56' network='lab'/>
 *     <netrelay:interface alias='ua-wan' bridge='br0'/>
 *     <netrelay:interface dev='eth1' ignore='yes'/>
 *     <netrelay:interface dev='eth2' peer='hostb.example:12345'/>
 *   </netrelay:domain>
 *
 * One of mac, alias, dev names the NIC; one of network, bridge, peer, ignore says what for.
 * libvirt's own netN aliases are refused: they do not exist yet when the guest is prepared, and are
 * reused.
 */
#ifndef NR_XML_METADATA_XML_H
#define NR_XML_METADATA_XML_H

#include "xml/guest.h"

struct _xmlNode;

#define NR_METADATA_NS "urn:netrelay:domain:1"

/* Sets the wishes of the guest's NICs from a <netrelay:domain> element, or guest->metadata_fault
 * (line, element, what was expected) and no wish at all. */
void nr_metadata_xml_apply(NrGuest *guest, struct _xmlNode *element);

/* The attributes that name a NIC; NULL-terminated. */
extern const char *const nr_metadata_keys[];
/* What is wrong with such a name itself (new string), or NULL. */
char *nr_metadata_key_fault(const char *key, const char *value);
/* The index of the one NIC that is so named; or what is wrong (new string). */
char *nr_metadata_find_nic(const NrGuest *guest, const char *key, const char *value, int *ret);

#endif
