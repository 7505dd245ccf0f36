/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The endpoints and ports of a relay as rows, and how a person names one of them. */
#ifndef NR_CTL_RELAY_ROWS_H
#define NR_CTL_RELAY_ROWS_H

#include "ctl/relay-client.h"

typedef struct {
    GPtrArray *endpoints; /* GVariant, a{sv}: id, endpoint, label, state, detail, since */
    GPtrArray *ports;     /* id, endpoint_id, label, state, local, peer, detail, since, counters */
} NrRelayRows;

/* All there is. NULL after the client has said why. */
NrRelayRows *nr_relay_rows_fetch(NrRelayClient *client, NrExit *ret_code);
void nr_relay_rows_free(NrRelayRows *rows);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(NrRelayRows, nr_relay_rows_free)

/* Takes what an event says of an endpoint or a port; the last that is known of a detached endpoint
 * stays, for ports that it left. */
void nr_relay_rows_update(NrRelayRows *rows, const struct ctl_msg *event);

/* The row in an answer or an event. A new reference. */
GVariant *nr_relay_row_new(const struct ctl_msg *msg);
/* As a list, for JSON. Floating. */
GVariant *nr_relay_rows_list(const GPtrArray *rows);
/* The row with this id; borrowed, or NULL. */
GVariant *nr_relay_row_find(const GPtrArray *rows, guint64 id);
/* The text of the endpoint that a port belongs to; "" once it is detached. */
const char *nr_relay_port_endpoint(const NrRelayRows *rows, GVariant *port);
/* What a person calls a port: its label, its far end, its device, or its endpoint. */
const char *nr_relay_port_name(const NrRelayRows *rows, GVariant *port);

/* Is this what the word means: an id, a label, an endpoint in any of its forms, a far end? */
gboolean nr_relay_is_endpoint(GVariant *endpoint, const char *word);
gboolean nr_relay_is_port(GVariant *port, const char *word);
/* Would it be, without the options behind its comma? For words that name nothing else. */
gboolean nr_relay_is_endpoint_without_options(GVariant *endpoint, const char *word);
/* The one row that is meant; NULL after it has said that there is none, or several. */
GVariant *nr_relay_pick_endpoint(const NrRelayRows *rows, const char *word);
GVariant *nr_relay_pick_port(const NrRelayRows *rows, const char *word);

#endif
