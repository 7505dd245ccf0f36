/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One relay's control connection: a request, its answers, and the events in between. Says itself
 * what went wrong, and waits for no answer for ever.
 */
#ifndef NR_CTL_RELAY_CLIENT_H
#define NR_CTL_RELAY_CLIENT_H

#include "common/ctl-proto.h"
#include "ctl/command.h"

typedef void (*NrRelayMessage)(const struct ctl_msg *msg, gpointer data);

typedef struct {
    int sock;
    char *place;   /* what it is called in complaints; NULL: there are none */
    char *network; /* "" for one that was started by hand */
    guint32 pid;
    guint32 serial;          /* of the newest request */
    NrRelayMessage on_event; /* or NULL; may be set at any time */
    gpointer event_data;
} NrRelayClient;

/* The relay of --relay, greeted. NULL after it has said why, and *ret_code is the exit code then;
 * quiet says nothing (for completion). */
NrRelayClient *nr_relay_client_new(const NrCall *call, gboolean quiet, NrExit *ret_code);
/* Over a connection that somebody made, which is the client's from here on. */
NrRelayClient *nr_relay_client_new_over(int sock, const char *place, NrExit *ret_code);
void nr_relay_client_free(NrRelayClient *client);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(NrRelayClient, nr_relay_client_free)

/* Begins a request; attributes may follow. */
void nr_relay_request_begin(NrRelayClient *client, struct ctl_msg *request, enum ctl_type type);
/*
 * Sends it and hands every row before the end of the answer to on_row, and the REPLY itself where
 * it says yes; on_row may be NULL. pass_fd: -1, or a descriptor that goes along.
 */
NrExit nr_relay_request(NrRelayClient *client, struct ctl_msg *request, int pass_fd,
                        NrRelayMessage on_row, gpointer data);
/* The events that are there, without waiting. FALSE: the relay is gone. */
gboolean nr_relay_client_drain(NrRelayClient *client);

#endif
