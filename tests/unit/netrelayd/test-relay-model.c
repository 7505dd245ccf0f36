/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include "daemon/relay-model.h"

static int endpoint_message(NrRelayModel *model, guint32 id, const char *text, guint32 state)
{
    struct ctl_msg msg;

    ctl_msg_begin(&msg, CTL_ENDPOINT, 1);
    ctl_put_u32(&msg, CTL_A_ENDPOINT_ID, id);
    ctl_put_str(&msg, CTL_A_ENDPOINT, text);
    ctl_put_u32(&msg, CTL_A_STATE, state);
    g_assert_cmpint(ctl_msg_end(&msg), ==, 0);
    return nr_relay_model_endpoint(model, &msg);
}

static int port_message(NrRelayModel *model, guint32 id, const char *label, guint64 frames)
{
    struct ctl_msg msg;

    ctl_msg_begin(&msg, CTL_PORT, 1);
    ctl_put_u32(&msg, CTL_A_PORT_ID, id);
    ctl_put_u32(&msg, CTL_A_ENDPOINT_ID, 1);
    ctl_put_str(&msg, CTL_A_LABEL, label);
    ctl_put_u64(&msg, CTL_A_RX_FRAMES, frames);
    g_assert_cmpint(ctl_msg_end(&msg), ==, 0);
    return nr_relay_model_port(model, &msg);
}

static int gone_message(NrRelayModel *model, guint32 id)
{
    struct ctl_msg msg;

    ctl_msg_begin(&msg, CTL_EVENT_PORT_GONE, 0);
    ctl_put_u32(&msg, CTL_A_PORT_ID, id);
    g_assert_cmpint(ctl_msg_end(&msg), ==, 0);
    return nr_relay_model_port_gone(model, &msg);
}

static const NrActualPort *only_port(NrRelayModel *model)
{
    g_assert_cmpuint(nr_relay_model_network(model)->ports->len, ==, 1);
    return nr_relay_model_network(model)->ports->pdata[0];
}

static void test_dump_replaces(void)
{
    g_autoptr(NrRelayModel) model = nr_relay_model_new();

    endpoint_message(model, 1, "listen:127.0.0.1:1", CTL_ENDPOINT_LISTENING);
    endpoint_message(model, 2, "bridge:br0", CTL_ENDPOINT_UP);
    port_message(model, 7, NULL, 1);
    port_message(model, 8, "uuid/mac", 1);
    nr_relay_model_dump_begin(model);
    endpoint_message(model, 1, "listen:127.0.0.1:1", CTL_ENDPOINT_LISTENING);
    port_message(model, 8, "uuid/mac", 5);
    nr_relay_model_dump_end(model);
    g_assert_cmpuint(nr_relay_model_network(model)->endpoints->len, ==, 1);
    g_assert_cmpuint(only_port(model)->id, ==, 8);
    g_assert_cmpuint(only_port(model)->rx_frames, ==, 5);
    g_assert_cmpstr(only_port(model)->label, ==, "uuid/mac");
}

static void test_events_during_a_dump(void)
{
    g_autoptr(NrRelayModel) model = nr_relay_model_new();

    nr_relay_model_dump_begin(model);
    gone_message(model, 7);
    port_message(model, 7, NULL, 1); /* a row that was written before it went */
    port_message(model, 9, NULL, 1); /* an event: newer than the dump */
    nr_relay_model_dump_end(model);
    g_assert_cmpuint(only_port(model)->id, ==, 9);
}

static void test_requests(void)
{
    g_autoptr(NrRelayModel) model = nr_relay_model_new();
    const NrActualEndpoint *endpoint;

    nr_relay_model_attached(model, 1, "listen:127.0.0.1:1", NULL);
    endpoint = nr_relay_model_network(model)->endpoints->pdata[0];
    g_assert_cmpint(endpoint->state, ==, CTL_ENDPOINT_LISTENING);
    endpoint_message(model, 1, "listen:127.0.0.1:1", CTL_ENDPOINT_LISTENING); /* its event */
    nr_relay_model_attached(model, 2, "tcp:127.0.0.1:2", "uuid/mac");
    endpoint_message(model, 2, "tcp:127.0.0.1:2", CTL_ENDPOINT_UP);
    nr_relay_model_attached(model, 2, "tcp:127.0.0.1:2", "uuid/mac"); /* its reply came late */
    g_assert_cmpuint(nr_relay_model_network(model)->endpoints->len, ==, 2);
    endpoint = nr_relay_model_network(model)->endpoints->pdata[1];
    g_assert_cmpint(endpoint->state, ==, CTL_ENDPOINT_UP);
    nr_relay_model_detached(model, 1);
    g_assert_cmpuint(nr_relay_model_network(model)->endpoints->len, ==, 1);
    port_message(model, 3, NULL, 0);
    nr_relay_model_set_label(model, 3, "uuid/mac");
    g_assert_cmpstr(only_port(model)->label, ==, "uuid/mac");
}

static void test_malformed(void)
{
    g_autoptr(NrRelayModel) model = nr_relay_model_new();
    struct ctl_msg msg;

    ctl_msg_begin(&msg, CTL_PORT, 1);
    g_assert_cmpint(ctl_msg_end(&msg), ==, 0);
    g_assert_cmpint(nr_relay_model_port(model, &msg), ==, -EPROTO);
    g_assert_cmpint(nr_relay_model_endpoint(model, &msg), ==, -EPROTO);
    g_assert_cmpint(nr_relay_model_port_gone(model, &msg), ==, -EPROTO);
    g_assert_cmpuint(nr_relay_model_network(model)->ports->len, ==, 0);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/relay-model/dump-replaces", test_dump_replaces);
    g_test_add_func("/relay-model/events-during-a-dump", test_events_during_a_dump);
    g_test_add_func("/relay-model/requests", test_requests);
    g_test_add_func("/relay-model/malformed", test_malformed);
    return g_test_run();
}
