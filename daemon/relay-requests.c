/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/relay-requests.h"

#include <errno.h>

struct NrRelayRequests {
    guint32 next_serial;
    GHashTable *open; /* serial -> NrRelayRequest, owned */
};

static void request_free(gpointer p)
{
    NrRelayRequest *request = p;

    if (request->timer)
        g_source_remove(request->timer);
    g_free(request->text);
    g_free(request->label);
    g_free(request);
}

NrRelayRequests *nr_relay_requests_new(void)
{
    NrRelayRequests *requests = g_new0(NrRelayRequests, 1);

    requests->next_serial = 1;
    requests->open = g_hash_table_new_full(NULL, NULL, NULL, request_free);
    return requests;
}

void nr_relay_requests_free(NrRelayRequests *requests)
{
    if (!requests)
        return;
    g_hash_table_unref(requests->open);
    g_free(requests);
}

static gboolean on_late(gpointer data)
{
    NrRelayRequest *request = data;

    request->timer = 0;
    nr_relay_request_finish(request, -ETIMEDOUT, "the relay did not answer in time");
    return G_SOURCE_REMOVE;
}

NrRelayRequest *nr_relay_requests_add(NrRelayRequests *requests, enum ctl_type type, NrReply reply,
                                      gpointer data)
{
    NrRelayRequest *request = g_new0(NrRelayRequest, 1);

    request->requests = requests;
    request->serial = requests->next_serial++;
    if (requests->next_serial == 0) /* 0 marks events */
        requests->next_serial = 1;
    request->type = type;
    request->reply = reply;
    request->data = data;
    request->timer = g_timeout_add(NR_RELAY_REPLY_MS, on_late, request);
    g_hash_table_insert(requests->open, GUINT_TO_POINTER(request->serial), request);
    return request;
}

void nr_relay_request_be_patient(NrRelayRequest *request)
{
    g_source_remove(request->timer);
    request->timer = 0;
}

NrRelayRequest *nr_relay_requests_find(const NrRelayRequests *requests, guint32 serial)
{
    return g_hash_table_lookup(requests->open, GUINT_TO_POINTER(serial));
}

static void answer(NrRelayRequest *request, int error, const char *text)
{
    if (request->reply)
        request->reply(error, text, request->data);
    request_free(request);
}

void nr_relay_request_finish(NrRelayRequest *request, int error, const char *text)
{
    g_hash_table_steal(request->requests->open, GUINT_TO_POINTER(request->serial));
    answer(request, error, text);
}

void nr_relay_requests_fail(NrRelayRequests *requests, int error)
{
    g_autoptr(GList) open = g_hash_table_get_values(requests->open);

    g_hash_table_steal_all(requests->open); /* first, for an answer may free the table */
    for (GList *node = open; node; node = node->next)
        answer(node->data, error, "the relay has ended");
}
