/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What of a relay cannot be made again (its memory, and connections of guests) is deposited with
 * the manager, so that keeper and forwarder may die together. The register, a file of the keeper's
 * own that the manager holds too, says what each connection was: it is written before the
 * connection is given and erased before anybody else may have it, so that it never claims too
 * much. A keeper that is started with a deposit goes on with it before it does anything else. What
 * is still held, and what takes datagrams, is not deposited: it is made again, or not yet a port.
 *
 * A restored port of a dialer is nobody's until that endpoint is attached again, which then does
 * not dial; for a while it is waited for.
 */
#ifndef NR_RELAY_DEPOSIT_H
#define NR_RELAY_DEPOSIT_H

#include <stdbool.h>
#include "relay/loop.h"

struct attachment;
struct control_client;
struct holding;
struct keeper;

struct deposit {
    int fd;                        /* the register; -1: there is none, as nobody could have it */
    struct control_client *client; /* who keeps; NULL: nobody */
    bool given[2];                 /* to it: register and memory */
    bool dirty;                    /* something is still to be given */
    struct loop_timer retry;
    struct loop_timer unclaimed;
};

/* A register that says nothing yet, for a relay with a manager. 0 or negative errno. */
int deposit_open(struct keeper *keeper);
/* Its register, the memory and connections that are open from first on: all that was there is
 * there again, or nothing is (-EPROTO, and they are closed). */
int deposit_restore(struct keeper *keeper, int first, unsigned n);

/* An id has been given. */
void deposit_note_id(const struct keeper *keeper);
/* The port is there, or is another one now. */
void deposit_note(struct keeper *keeper, struct holding *holding);
/* Nobody is to find the port of this slot any more. */
void deposit_erase(const struct keeper *keeper, uint32_t slot);

/* This client keeps from here on. */
void deposit_begin(struct keeper *keeper, struct control_client *client);
void deposit_client_gone(struct keeper *keeper, const struct control_client *client);
/* Gives what is due, as far as the client takes it; called once a round. */
void deposit_flush(struct keeper *keeper);

/* The endpoint is attached: what is left of its ports is its own. */
void deposit_claim(struct attachment *attachment);

#endif
