/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A network's relay is replaced by the installed program, and its guests keep their connections:
 * the one that runs is killed, another one goes on with what it has deposited. Where that does not
 * come up, or lacks a connection, the program of before goes on, which is kept open for it.
 * relays.c, which owns it, says what becomes of the relays meanwhile.
 */
#ifndef NR_DAEMON_UPGRADE_H
#define NR_DAEMON_UPGRADE_H

#include "daemon/relay-proc.h"

typedef struct NrUpgrade NrUpgrade;

/* Does it run another program than the one that is installed? Where nobody can tell it does not. */
gboolean nr_upgrade_is_due(const NrRelaySettings *settings, const NrRelay *relay);
/* Kills this relay, which is READY. done is called once, at the end, after which the upgrade is to
 * be freed: 0, or why the relay is the one of before (text). NULL: *ret_text says why it cannot
 * be. */
NrUpgrade *nr_upgrade_new(const NrRelaySettings *settings, NrRelay *relay, NrReply done,
                          gpointer data, char **ret_text);
void nr_upgrade_free(NrUpgrade *upgrade);

gboolean nr_upgrade_is_of(const NrUpgrade *upgrade, const NrRelay *relay);
const char *nr_upgrade_network(const NrUpgrade *upgrade);
/* A relay of it is gone, or could not be started: text. TRUE: start another one, and say so;
 * *ret_image is then as nr_relay_spawn() wants it. FALSE: it has ended. */
gboolean nr_upgrade_next(NrUpgrade *upgrade, const char *text, int *ret_image);
/* This relay is the one that was started. */
void nr_upgrade_started(NrUpgrade *upgrade, NrRelay *relay);
/* It is READY. */
void nr_upgrade_relay_ready(NrUpgrade *upgrade);

#endif
