/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a link has asked its relay and has no answer to yet. Each request has a deadline, and is
 * answered exactly once: by the relay, by the deadline, or by the end of the link. Callbacks may
 * free the link, and this with it.
 */
#ifndef NR_DAEMON_RELAY_REQUESTS_H
#define NR_DAEMON_RELAY_REQUESTS_H

#include "daemon/relay-link.h"

typedef struct NrRelayRequests NrRelayRequests;

typedef struct {
    guint32 serial;
    enum ctl_type type;
    guint32 id;  /* DETACH: the endpoint; LABEL_PORT, ADMIT_PORT, SET_OPTIONS: the port */
    char *text;  /* ATTACH: the endpoint's canonical text; SET_OPTIONS: the options */
    char *label; /* ATTACH */
    /* private */
    NrRelayRequests *requests;
    NrReply reply;
    gpointer data;
    guint timer;
} NrRelayRequest;

NrRelayRequests *nr_relay_requests_new(void);
/* What is open is forgotten, unanswered. */
void nr_relay_requests_free(NrRelayRequests *requests);

/* With a serial of its own; reply may be NULL. Owned by the table until it is answered. */
NrRelayRequest *nr_relay_requests_add(NrRelayRequests *requests, enum ctl_type type, NrReply reply,
                                      gpointer data);
/* For what a relay answers after it was stopped for an hour: no deadline. */
void nr_relay_request_be_patient(NrRelayRequest *request);
/* NULL: there is none, or it was too late. */
NrRelayRequest *nr_relay_requests_find(const NrRelayRequests *requests, guint32 serial);
/* Takes the request out and answers it. */
void nr_relay_request_finish(NrRelayRequest *request, int error, const char *text);
/* Answers all with this error: the relay has ended. */
void nr_relay_requests_fail(NrRelayRequests *requests, int error);

#endif
