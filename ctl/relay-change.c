/* SPDX-License-Identifier: GPL-2.0-or-later */
/* netrelayctl --relay PATH attach, detach, close, label, stop: what changes a running relay. */
#include <poll.h>
#include <stdio.h>
#include "ctl/relay-rows.h"
#include "daemon/row.h"

#define END_MS 5000

static void print_id(const struct ctl_msg *msg, gpointer data)
{
    guint32 id;

    if (ctl_get_u32(msg, CTL_A_ENDPOINT_ID, &id))
        printf("%u\n", id);
}

NrExit nr_relay_attach_run(const NrCall *call)
{
    NrExit code;
    g_autoptr(NrRelayClient) client = nr_relay_client_new(call, FALSE, &code);
    struct ctl_msg request;

    if (!client)
        return code;
    nr_relay_request_begin(client, &request, CTL_ATTACH);
    ctl_put_str(&request, CTL_A_ENDPOINT, call->operands[0]);
    ctl_put_str(&request, CTL_A_LABEL, call->operand_count > 1 ? call->operands[1] : "");
    return nr_relay_request(client, &request, -1, print_id, NULL);
}

/* A request that is about one row, which the first operand names. */
static NrExit ask_about(const NrCall *call, enum ctl_type type, enum ctl_attr attr)
{
    gboolean is_port = attr == CTL_A_PORT_ID;
    NrExit code;
    g_autoptr(NrRelayClient) client = nr_relay_client_new(call, FALSE, &code);
    g_autoptr(NrRelayRows) rows = client ? nr_relay_rows_fetch(client, &code) : NULL;
    struct ctl_msg request;
    GVariant *row;

    if (!rows)
        return code;
    row = is_port ? nr_relay_pick_port(rows, call->operands[0])
                  : nr_relay_pick_endpoint(rows, call->operands[0]);
    if (!row)
        return NR_EXIT_FAILED;
    nr_relay_request_begin(client, &request, type);
    ctl_put_u32(&request, attr, (guint32)nr_row_number(row, "id"));
    if (type == CTL_LABEL_PORT)
        ctl_put_str(&request, CTL_A_LABEL, call->operands[1]);
    return nr_relay_request(client, &request, -1, NULL, NULL);
}

NrExit nr_relay_detach_run(const NrCall *call)
{
    return ask_about(call, CTL_DETACH, CTL_A_ENDPOINT_ID);
}

NrExit nr_relay_close_run(const NrCall *call)
{
    return ask_about(call, CTL_CLOSE_PORT, CTL_A_PORT_ID);
}

NrExit nr_relay_label_run(const NrCall *call)
{
    return ask_about(call, CTL_LABEL_PORT, CTL_A_PORT_ID);
}

/* Back once it is gone, so that its addresses are free. */
NrExit nr_relay_stop_run(const NrCall *call)
{
    gint64 deadline_us = g_get_monotonic_time() + END_MS * G_TIME_SPAN_MILLISECOND;
    NrExit code;
    g_autoptr(NrRelayClient) client = nr_relay_client_new(call, FALSE, &code);
    struct ctl_msg request;

    if (!client)
        return code;
    nr_relay_request_begin(client, &request, CTL_STOP);
    code = nr_relay_request(client, &request, -1, NULL, NULL);
    while (code == NR_EXIT_DONE && nr_relay_client_drain(client)) {
        gint64 left_ms = (deadline_us - g_get_monotonic_time()) / 1000;
        struct pollfd poll_fd = { .fd = client->sock, .events = POLLIN };

        if (left_ms <= 0) {
            nr_complain("%s: the relay was told to stop, and is still there", call->relay);
            return NR_EXIT_FAILED;
        }
        poll(&poll_fd, 1, (int)left_ms);
    }
    return code;
}
