/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Guests that start together, one dialling where the other listens. QEMU dials once, so the later
 * one's hook lets the earlier one come up first: only then is what was decided for it true, and may
 * change. It has come up when it runs: QEMU binds and dials before. What else shows it spares the
 * wait for libvirt, whose lists wait for every hook, that of the later one too. Pure but for
 * `listens`.
 */
#ifndef NR_DAEMON_PARTNERS_H
#define NR_DAEMON_PARTNERS_H

#include "daemon/attempts.h"
#include "daemon/place.h"

typedef struct {
    NrGuest *guest;   /* reference: as it was announced */
    const NrNic *nic; /* the guest's */
    NrPlace place;    /* where it dials or listens */
} NrPartner;

/* What tells that one is up; all borrowed. */
typedef struct {
    const GPtrArray *guests;    /* NrGuest, as they are now */
    const NrDesired *desired;   /* of the last pass, or NULL */
    const NrAttempts *attempts; /* the same */
    const NrActual *actual;
    /* Whether its own QEMU listens at its place by now. */
    gboolean (*listens)(const NrPartner *partner, gpointer data);
    gpointer data;
} NrPartnerView;

GPtrArray *nr_partners_new(void); /* NrPartner */
/* Those of the guests that are announced, and not in the list yet. */
void nr_partners_find(GPtrArray *partners, const GPtrArray *guests, const NrGuest *guest,
                      GHashTable *resolved);
/* The first that is not up, or NULL. One that has ended, or cannot come up, is not waited for. */
const NrPartner *nr_partners_awaited(const GPtrArray *partners, const NrPartnerView *view);

#endif
