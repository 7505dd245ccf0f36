/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Worlds for tests of the model, as text. One guest a line:
 *
 *   running 3 web: client 127.0.0.1:12345, udp 127.0.0.1:5601>127.0.0.1:5602 @lab
 *   announced 4 db: server :23456                          (no address: any)
 *   defined - old: client localhost:12345 @ignore, other @bridge:br0
 *
 * The NIC's address is libvirt's <source>, udp's second its <local>. Behind @ is what the metadata
 * says: a network, "bridge:NAME", "ignore". sends=AVERAGE and gets=AVERAGE are its bandwidth.
 * Guests go through domain XML and its reader.
 */
#ifndef NR_TESTS_MODEL_FIXTURE_H
#define NR_TESTS_MODEL_FIXTURE_H

#include "daemon/desired.h"
#include "daemon/plan.h"

/* UUIDs and MACs follow from the line's number, from 1: 52:54:00:00:LINE:NIC. */
GPtrArray *fixture_guests(const char *text);
NrGuest *fixture_guest(const char *line);
/*
 * A lab of running guests with four NICs each. MIXED: two links of a ring (mirrored udp), a client
 * of one in fifty addresses, a server. CROWDED: all that can be is at one address.
 */
typedef enum { FIXTURE_MIXED, FIXTURE_CROWDED } FixtureLab;
GPtrArray *fixture_lab(FixtureLab lab, guint count);
/* Network files with an address and two rules each. */
GPtrArray *fixture_lab_networks(guint count);
/* What is inside <network>, one file for each; NULL-terminated. A ! before it: it is stopped. */
GPtrArray *fixture_networks(const char *const *bodies);
/* 127.0.0.1 and 10.0.0.1 are this host's; "localhost", "me", "any", "far" resolve, "nowhere" does
 * not, any other name is still being resolved. */
NrDesired *fixture_decide(const GPtrArray *guests, const GPtrArray *networks,
                          const NrPolicy *policy);
/* A line for each binding, "GUEST.NIC KIND ...", and for each network, "[NAME] ENDPOINT...". */
char *fixture_show(const NrDesired *desired);
/* One line for each action; ", after NAME" where it has to come after another network's. */
char *fixture_show_plan(const GPtrArray *plan);
/* Does to the model of what exists what a whole pass does to the world. */
void fixture_apply(NrActual *actual, const GPtrArray *plan);
/* A pass as the manager makes it, which is to be what the text says. */
void fixture_pass(NrActual *actual, const char *guests, const char *const *files,
                  const NrPolicy *policy, const char *expected);
/* A folder of a test's own, with all that is in it. */
void fixture_remove_tree(const char *path);
NrBinding *fixture_binding(const NrDesired *desired, const char *which); /* "web.0" */

#endif
