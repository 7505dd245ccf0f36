/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The doctor's examinations: each looks at one thing, and adds what is wrong with it. */
#ifndef NR_CTL_DOCTOR_H
#define NR_CTL_DOCTOR_H

#include <sys/types.h>
#include "ctl/finding.h"
#include "ctl/firewall.h"
#include "ctl/host-links.h"

/* What the manager tells: its rows (aa{sv}) and its summary (a{sv}). Pure. */
void nr_doctor_status(GPtrArray *findings, GVariant *rows, GVariant *summary);
/* What nobody can mend: NICs that others than their network reach. Pure. */
void nr_doctor_open_nics(GPtrArray *findings, GVariant *rows, gboolean system);
/* Bridges, their members, and TAPs. rows: of the manager, or NULL without one. Pure. */
void nr_doctor_links(GPtrArray *findings, const GPtrArray *links, GVariant *rows);

/* What firewalls do to these networks (NrNetwork). links: as above. Pure. */
void nr_doctor_firewall(GPtrArray *findings, const NrFirewall *firewall, const GPtrArray *networks,
                        const GPtrArray *links);

/* libvirt's hook, for guests of this URI. */
void nr_doctor_hook(GPtrArray *findings, const char *uri);
/* The runtime directory of that user's manager. */
void nr_doctor_runtime_dir(GPtrArray *findings, uid_t uid);
/* Whether libvirtd is confined, and may not run the program that our hook calls. root: "", or where
 * all of that is to be looked for. */
void nr_doctor_apparmor(GPtrArray *findings, const char *root);

#endif
