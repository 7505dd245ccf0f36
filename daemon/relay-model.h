/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What one relay has, as its messages tell: rows of a dump, events, and successful requests. A
 * dump marks what it and later events mention; what is not marked at its end is gone. Ports that
 * an event declared gone while a dump runs stay gone, whatever a row written earlier says. Pure:
 * no descriptor, no clock.
 */
#ifndef NR_DAEMON_RELAY_MODEL_H
#define NR_DAEMON_RELAY_MODEL_H

#include "daemon/actual.h"

typedef struct NrRelayModel NrRelayModel;

NrRelayModel *nr_relay_model_new(void);
void nr_relay_model_free(NrRelayModel *model);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(NrRelayModel, nr_relay_model_free)
/* Borrowed; its name is NULL until somebody sets it. */
NrActualNetwork *nr_relay_model_network(NrRelayModel *model);

void nr_relay_model_dump_begin(NrRelayModel *model);
void nr_relay_model_dump_end(NrRelayModel *model);
/* ENDPOINT, PORT, and their events. 0; -EPROTO: malformed; -E2BIG: too many. */
int nr_relay_model_endpoint(NrRelayModel *model, const struct ctl_msg *msg);
int nr_relay_model_port(NrRelayModel *model, const struct ctl_msg *msg);
int nr_relay_model_port_gone(NrRelayModel *model, const struct ctl_msg *msg);
/* Requests that were granted. The event of an attached endpoint may come before or after. */
void nr_relay_model_attached(NrRelayModel *model, guint32 id, const char *text, const char *label);
void nr_relay_model_detached(NrRelayModel *model, guint32 id);
void nr_relay_model_set_closing(NrRelayModel *model, guint32 id);
void nr_relay_model_set_label(NrRelayModel *model, guint32 id, const char *label);
void nr_relay_model_set_options(NrRelayModel *model, guint32 id, const char *options);

#endif
