/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Makes what exists equal what should. Anybody may ask for a pass. It decides at once, and its work
 * goes on after it, on each network by itself: what a later pass wants of a network that is being
 * worked on is put off.
 */
#ifndef NR_DAEMON_RECONCILE_H
#define NR_DAEMON_RECONCILE_H

#include "daemon/attempts.h"
#include "daemon/world.h"

typedef struct NrReconcile NrReconcile;

/* passed is called after each pass, and after the work on a network that one began. */
NrReconcile *nr_reconcile_new(const NrWorld *world, void (*passed)(gpointer data), gpointer data);
void nr_reconcile_free(NrReconcile *reconcile);

/* The relays are adopted: passes may begin. */
void nr_reconcile_start(NrReconcile *reconcile);
/* libvirt's list has come: from here on, what no guest needs is taken away. Before, nothing is: a
 * manager that has just started knows none of the guests whose connections its relays hold. */
void nr_reconcile_guests_known(NrReconcile *reconcile);
gboolean nr_reconcile_knows_guests(const NrReconcile *reconcile);
void nr_reconcile_request(NrReconcile *reconcile);
/* What failed before for this guest is tried in the next pass, without waiting for its back-off. */
void nr_reconcile_retry_guest(NrReconcile *reconcile, const char *uuid);
/* The settings or network files have changed: so is whatever failed. */
void nr_reconcile_files_changed(NrReconcile *reconcile);
void nr_reconcile_links_changed(NrReconcile *reconcile);
void nr_reconcile_relay_died(NrReconcile *reconcile, const char *network, gint64 age_ms,
                             const char *text);
void nr_reconcile_dnsmasq_died(NrReconcile *reconcile, const char *network, gint64 age_ms,
                               const char *text);
/* Asks for a pass; done is called, once, when one has begun after this call, and the work is done
 * that the guest needs for its start ... */
void nr_reconcile_wait_guest(NrReconcile *reconcile, const char *uuid, void (*done)(gpointer data),
                             gpointer data);
/* ... that the network needs; NULL: all of it. */
void nr_reconcile_wait(NrReconcile *reconcile, const char *network, void (*done)(gpointer data),
                       gpointer data);
/* For nobody's sake any more: of all calls with this data. */
void nr_reconcile_cancel(NrReconcile *reconcile, gpointer data);

/* Of the last pass; borrowed until the next. NULL before the first. */
const NrDesired *nr_reconcile_desired(const NrReconcile *reconcile);
const NrAttempts *nr_reconcile_attempts(const NrReconcile *reconcile);
/* A guest's connection goes, because a person wants it so. */
void nr_reconcile_cut_off(NrReconcile *reconcile, const NrBinding *binding);
/* Looks who has the addresses that were others' at the last pass: that process may have ended. */
void nr_reconcile_look_at_foreign(NrReconcile *reconcile);
/* What a pass would do now: NrAction, the caller's. */
GPtrArray *nr_reconcile_plan(NrReconcile *reconcile);

#endif
