/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What failed, and when it is tried again: by network and endpoint ("" is the network's relay,
 * NR_ACTION_DNSMASQ its dnsmasq). And which connections a person has ended.
 * Failures are retried with back-off; an address that a foreign process holds is left alone until
 * a newer guest wants it, so that it is never taken from a process that restarts. Pure: time comes
 * in.
 */
#ifndef NR_DAEMON_ATTEMPTS_H
#define NR_DAEMON_ATTEMPTS_H

#include "daemon/desired.h"
#include "daemon/plan.h"

#define NR_ATTEMPT_FIRST_MS 1000
#define NR_ATTEMPT_LAST_MS  60000

typedef struct {
    char *network;
    char *endpoint;
    int error;        /* negative errno; 0: it worked, and only the back-off is remembered */
    char *text;       /* one sentence without full stop */
    gboolean foreign; /* held by a process of others */
    gboolean laying;  /* of ground: it changes devices itself, so their changes are no reason */
    int newest_id;    /* of NrDesiredEndpoint, when it failed */
    guint delay_ms;
    gint64 next_ms;
} NrAttempt;

typedef struct NrAttempts NrAttempts;

NrAttempts *nr_attempts_new(void);
void nr_attempts_free(NrAttempts *attempts);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(NrAttempts, nr_attempts_free)

/* An action (SPAWN, ATTACH, ENSLAVE) failed. True where nobody was told this before. */
gboolean nr_attempts_failed(NrAttempts *attempts, const NrAction *action, int error,
                            const char *text, gint64 now_ms);
/* A relay ("") or dnsmasq died by itself; one that was young dies at every start, perhaps. */
void nr_attempts_died(NrAttempts *attempts, const char *network, const char *endpoint,
                      gint64 age_ms, const char *text, gint64 now_ms);
void nr_attempts_worked(NrAttempts *attempts, const NrAction *action);
gboolean nr_attempts_allow(const NrAttempts *attempts, const NrAction *action, gint64 now_ms);
/* The failure that stands, or NULL. Borrowed. */
const NrAttempt *nr_attempts_find(const NrAttempts *attempts, const char *network,
                                  const char *endpoint);
/* The endpoint is left to the foreign process that holds its address. */
gboolean nr_attempts_is_foreign(const NrAttempts *attempts, const char *network,
                                const NrDesiredEndpoint *endpoint);
/* Forgets what is not desired any more. */
void nr_attempts_keep(NrAttempts *attempts, const NrDesired *desired);
/* Forgets what is there by now, however it came about. */
void nr_attempts_settle(NrAttempts *attempts, const NrActual *actual);
/* What is foreign, in newer words: explain gives a new string for an endpoint's canonical text. */
void nr_attempts_explain_foreign(NrAttempts *attempts, char *(*explain)(const char *endpoint));
/* Due now, unless foreign. */
void nr_attempts_retry(NrAttempts *attempts, const char *network, const char *endpoint);
/* A person has changed something, which may have been what was wrong: all is due now. */
void nr_attempts_retry_all(NrAttempts *attempts);
/* Devices or their addresses have changed: due now is what may have failed for want of one. */
void nr_attempts_retry_devices(NrAttempts *attempts);
/* A person had the connection with that label cut off, of the guest as it runs with this id. */
void nr_attempts_cut_off(NrAttempts *attempts, const char *label, int guest_id);
gboolean nr_attempts_was_cut_off(const NrAttempts *attempts, const char *label, int guest_id);
/* When the next one is due, or -1. */
gint64 nr_attempts_next(const NrAttempts *attempts);

#endif
