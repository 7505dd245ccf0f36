/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Connections that a listener accepted and that nobody has admitted yet: kept, and no byte of them
 * read or sent, since no forwarder has them. That of another host, or of a far end that is gone
 * already, is decided on at once. For one of this host a client of the control socket that said so
 * in its HELLO, the manager, decides with ADMIT_PORT or CLOSE_PORT: it knows which process is whose
 * guest. Where there is none, or it is silent for HELD_MS, the user decides whose process it is;
 * and where even that is not to be known the connection is admitted: a QEMU dials once only.
 */
#ifndef NR_RELAY_HELD_H
#define NR_RELAY_HELD_H

#include <stdbool.h>
#include <stdint.h>
#include "common/prefix.h"

#define HELD_MAX        64 /* of one listener; more wait in its backlog */
#define HELD_MS         3000
#define TURNED_AWAY_MAX 128 /* by one listener, before it rests: the manager hears of each */
#define TURNED_AWAY_MS  50
#define HELD_UIDS_MAX   8
#define HELD_HOSTS_MAX  32

struct attachment;
struct holding;
struct keeper;

/* Whom a listener admits. */
struct held_rules {
    unsigned n_uids;
    uint32_t uid[HELD_UIDS_MAX];
    unsigned n_hosts;
    struct prefix host[HELD_HOSTS_MAX];
    char host_text[HELD_HOSTS_MAX][PREFIX_TEXT_MAX]; /* as they were given */
};

/* A new one of a listener with rules: admitted, closed and freed, or held from here on. */
void held_begin(struct keeper *keeper, struct holding *holding);
/* To the forwarder with it. */
void held_admit(struct keeper *keeper, struct holding *holding);
/* It is not wanted: closed, counted and freed. */
void held_refuse(struct keeper *keeper, struct holding *holding);
/* It is being closed: nothing is due any more. */
void held_forget(struct keeper *keeper, struct holding *holding);
/* Nobody else will decide on what is held; by the rules, then. attachment: NULL is all. */
void held_decide(struct keeper *keeper, const struct attachment *attachment);

#endif
