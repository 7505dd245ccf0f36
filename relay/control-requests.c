/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a client may ask for: a table of requests. */
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "relay/control-client.h"
#include "relay/held.h"
#include "relay/keeper.h"
#include "relay/move.h"

typedef void handler(struct control_client *client, const struct ctl_msg *msg, int *fd);

static void refuse(struct control_client *client, const struct ctl_msg *msg, int r,
                   const char *text)
{
    client_reply(client, ctl_msg_serial(msg), r, text, 0);
}

/* What is kept and shown to others must be text: UTF-8 without control characters. */
static bool is_text(const char *text)
{
    for (const unsigned char *p = (const unsigned char *)text; *p; ++p) {
        int more = *p < 0x80 ? 0 : *p >= 0xf0 && *p < 0xf5 ? 3 : *p >= 0xe0 ? 2 : 1;

        if (*p < ' ' || *p == 0x7f || (*p >= 0x80 && *p < 0xc2) || *p >= 0xf5)
            return false;
        for (; more > 0; --more)
            if ((*++p & 0xc0) != 0x80)
                return false;
    }
    return true;
}

static void handle_hello(struct control_client *client, const struct ctl_msg *msg, int *fd)
{
    const struct keeper *keeper = client->control->keeper;
    struct ctl_msg answer;
    uint32_t version = CTL_VERSION, judges = 0, looks = 0, keeps = 0;

    if (ctl_get_u32(msg, CTL_A_VERSION, &version) && version < 1) {
        refuse(client, msg, -EPROTONOSUPPORT, "this version is not spoken here");
        return;
    }
    ctl_msg_begin(&answer, CTL_WELCOME, ctl_msg_serial(msg));
    ctl_put_u32(&answer, CTL_A_VERSION, CTL_VERSION);
    ctl_put_str(&answer, CTL_A_NETWORK, keeper->config->network);
    ctl_put_u32(&answer, CTL_A_PID, (uint32_t)getpid());
    ctl_msg_end(&answer);
    client->greeted = true;
    client->looks = client->looks || (ctl_get_u32(msg, CTL_A_LOOKS, &looks) && looks);
    client->judges = !client->looks && ctl_get_u32(msg, CTL_A_JUDGES, &judges) && judges;
    client_put(client, &answer);
    if (!client->looks && ctl_get_u32(msg, CTL_A_KEEPS, &keeps) && keeps)
        deposit_begin(client->control->keeper, client);
}

static void handle_dump(struct control_client *client, const struct ctl_msg *msg, int *fd)
{
    if (client->dump != DUMP_NONE) {
        refuse(client, msg, -EBUSY, "a dump is under way");
        return;
    }
    client->dump = DUMP_COUNTERS;
    client->dump_serial = ctl_msg_serial(msg);
    forwarder_proc_ask_stats(&client->control->keeper->forwarder);
}

/* Whom a listener is to admit; NULL where nothing was said of it. A sentence where it cannot be. */
static const char *read_rules(const struct ctl_msg *msg, enum endpoint_kind kind,
                              struct held_rules **ret)
{
    struct held_rules rules = { 0 };
    unsigned n = 0;

    *ret = NULL;
    while (rules.n_uids < HELD_UIDS_MAX &&
           ctl_get_u32_at(msg, CTL_A_ADMIT_USER, rules.n_uids, &rules.uid[rules.n_uids]))
        ++rules.n_uids;
    for (; n < HELD_HOSTS_MAX &&
           ctl_get_str_at(msg, CTL_A_ADMIT_HOSTS, n, rules.host_text[n], PREFIX_TEXT_MAX);
         ++n)
        if (!prefix_parse(&rules.host[n], rules.host_text[n]))
            return "hosts to be admitted: " PREFIX_EXPECTED " was expected";
    rules.n_hosts = n;
    if (!rules.n_uids && !rules.n_hosts)
        return NULL;
    if (kind != ENDPOINT_LISTEN)
        return "only a listen: endpoint admits connections";
    *ret = malloc(sizeof(rules));
    if (!*ret)
        return "there is no memory left";
    **ret = rules;
    return NULL;
}

static void handle_attach(struct control_client *client, const struct ctl_msg *msg, int *fd)
{
    char text[ENDPOINT_TEXT_MAX], label[CTL_LABEL_MAX + 1] = "", error[ATTACHMENT_TEXT_MAX];
    char shown[160];
    struct attachment *attachment;
    const char *expected = "an endpoint", *fault;
    struct held_rules *rules;
    struct endpoint endpoint;
    int r;

    if (!ctl_get_str(msg, CTL_A_ENDPOINT, text, sizeof(text))) {
        refuse(client, msg, -EINVAL, "an endpoint is missing");
        return;
    }
    if (ctl_get_str(msg, CTL_A_LABEL, label, sizeof(label)) && !is_text(label)) {
        refuse(client, msg, -EINVAL, "a label is not text");
        return;
    }
    if (endpoint_parse(&endpoint, text, &expected) < 0) {
        snprintf(error, sizeof(error), "'%s' is not an endpoint: expected %s",
                 log_printable(text, shown, sizeof(shown)), expected);
        refuse(client, msg, -EINVAL, error);
        return;
    }
    fault = read_rules(msg, endpoint.kind, &rules);
    if (fault) {
        refuse(client, msg, -EINVAL, fault);
        return;
    }
    r = attachment_new(&attachment, client->control->keeper, &endpoint, label, *fd, false, rules,
                       error);
    if (r < 0) {
        refuse(client, msg, r, error);
        return;
    }
    *fd = -1;
    if (r == ATTACHMENT_PENDING)
        client_wait_for(client, ctl_msg_serial(msg), 0, attachment->id);
    else
        client_reply(client, ctl_msg_serial(msg), 0, NULL, attachment->id);
}

/* A port that its endpoint takes along, or 0. */
static uint32_t port_to_wait_for(struct keeper *keeper, const struct attachment *a)
{
    if (a->ops->ports_stay)
        return 0;
    for (uint32_t slot = 0; slot < keeper->n_slots; ++slot)
        if (keeper->holdings[slot] && keeper->holdings[slot]->attachment == a)
            return keeper->holdings[slot]->id;
    return 0;
}

static void handle_detach(struct control_client *client, const struct ctl_msg *msg, int *fd)
{
    struct keeper *keeper = client->control->keeper;
    struct attachment *attachment;
    uint32_t id, port_id;

    if (!ctl_get_u32(msg, CTL_A_ENDPOINT_ID, &id)) {
        refuse(client, msg, -EINVAL, "an endpoint's id is missing");
        return;
    }
    attachment = keeper_find_attachment(keeper, id);
    if (!attachment) {
        refuse(client, msg, -ENOENT, "there is no such endpoint");
        return;
    }
    port_id = port_to_wait_for(keeper, attachment);
    attachment_detach(attachment);
    if (port_id && keeper_find_port(keeper, port_id))
        client_wait_for(client, ctl_msg_serial(msg), port_id, 0);
    else
        client_reply(client, ctl_msg_serial(msg), 0, NULL, 0);
}

static struct holding *named_port(struct control_client *client, const struct ctl_msg *msg)
{
    struct holding *holding = NULL;
    uint32_t id;

    if (!ctl_get_u32(msg, CTL_A_PORT_ID, &id)) {
        refuse(client, msg, -EINVAL, "a port's id is missing");
        return NULL;
    }
    holding = keeper_find_port(client->control->keeper, id);
    if (!holding)
        refuse(client, msg, -ENOENT, "there is no such port");
    return holding;
}

static void handle_close_port(struct control_client *client, const struct ctl_msg *msg, int *fd)
{
    struct holding *holding = named_port(client, msg);
    uint32_t id;

    if (!holding)
        return;
    id = holding->id;
    keeper_close_port(client->control->keeper, holding);
    if (keeper_find_port(client->control->keeper, id))
        client_wait_for(client, ctl_msg_serial(msg), id, 0);
    else
        client_reply(client, ctl_msg_serial(msg), 0, NULL, 0);
}

/* False: they are none, and it has been said. */
static bool read_options(struct control_client *client, const struct ctl_msg *msg, const char *text,
                         struct port_options *ret)
{
    char error[512], shown[160];
    const char *expected = port_options_parse(ret, text);

    if (!expected)
        return true;
    snprintf(error, sizeof(error), "'%s' are not options: expected %s",
             log_printable(text, shown, sizeof(shown)), expected);
    refuse(client, msg, -EINVAL, error);
    return false;
}

static void handle_admit_port(struct control_client *client, const struct ctl_msg *msg, int *fd)
{
    struct holding *holding = named_port(client, msg);
    char label[CTL_LABEL_MAX + 1] = "", text[CTL_MSG_MAX];
    struct port_options options;
    bool limits;

    if (!holding)
        return;
    if (ctl_get_str(msg, CTL_A_LABEL, label, sizeof(label)) && !is_text(label)) {
        refuse(client, msg, -EINVAL, "a label is not text");
        return;
    }
    limits = ctl_get_str(msg, CTL_A_OPTIONS, text, sizeof(text));
    if (limits && !read_options(client, msg, text, &options))
        return;
    if (limits)
        keeper_set_options(client->control->keeper, holding, &options);
    if (*label)
        keeper_label_port(client->control->keeper, holding, label);
    if (holding->state == HOLDING_HELD)
        held_admit(client->control->keeper, holding);
    else
        control_port_changed(client->control, holding);
    client_reply(client, ctl_msg_serial(msg), 0, NULL, 0);
}

static void handle_move_port(struct control_client *client, const struct ctl_msg *msg, int *fd)
{
    struct holding *holding = named_port(client, msg);
    int r;

    if (!holding)
        return;
    if (*fd < 0) {
        refuse(client, msg, -EINVAL, "a connection to the other relay has to come along");
        return;
    }
    r = move_begin(client->control->keeper, holding, *fd);
    if (r == 0)
        *fd = -1;
    if (r == -ENOTSUP)
        refuse(client, msg, r, "only a TCP connection that is admitted can move");
    else if (r == -EBUSY)
        refuse(client, msg, r, "another relay is being offered it");
    else
        client_reply(client, ctl_msg_serial(msg), r, r < 0 ? strerror(-r) : NULL, 0);
}

static bool is_tcp_connection(int fd)
{
    struct sockaddr_storage peer;
    socklen_t len = sizeof(int), peer_len = sizeof(peer);
    int protocol = 0;

    return fd >= 0 && getsockopt(fd, SOL_SOCKET, SO_PROTOCOL, &protocol, &len) == 0 &&
           protocol == IPPROTO_TCP && getpeername(fd, (struct sockaddr *)&peer, &peer_len) == 0;
}

static void handle_take_port(struct control_client *client, const struct ctl_msg *msg, int *fd)
{
    char endpoint[ENDPOINT_TEXT_MAX] = "", label[CTL_LABEL_MAX + 1] = "";
    char text[PORT_OPTIONS_TEXT_MAX] = "";
    struct port_options options;
    int r;

    ctl_get_str(msg, CTL_A_ENDPOINT, endpoint, sizeof(endpoint));
    ctl_get_str(msg, CTL_A_LABEL, label, sizeof(label));
    ctl_get_str(msg, CTL_A_OPTIONS, text, sizeof(text));
    if (!is_tcp_connection(*fd)) {
        refuse(client, msg, -EINVAL, "a TCP connection has to come along");
        return;
    }
    if (!is_text(label) || !is_text(endpoint)) {
        refuse(client, msg, -EINVAL, "a label or an endpoint is not text");
        return;
    }
    if (!read_options(client, msg, text, &options))
        return;
    r = keeper_take(client->control->keeper, *fd, endpoint, label, &options);
    if (r == 0)
        *fd = -1;
    client_reply(client, ctl_msg_serial(msg), r, r < 0 ? strerror(-r) : NULL, 0);
}

static void handle_label_port(struct control_client *client, const struct ctl_msg *msg, int *fd)
{
    struct holding *holding = named_port(client, msg);
    char label[CTL_LABEL_MAX + 1];

    if (!holding)
        return;
    if (!ctl_get_str(msg, CTL_A_LABEL, label, sizeof(label)) || !is_text(label)) {
        refuse(client, msg, -EINVAL, "a label is missing, too long, or not text");
        return;
    }
    keeper_label_port(client->control->keeper, holding, label);
    client_reply(client, ctl_msg_serial(msg), 0, NULL, 0);
    control_port_changed(client->control, holding);
}

static void handle_set_options(struct control_client *client, const struct ctl_msg *msg, int *fd)
{
    struct holding *holding = named_port(client, msg);
    char text[PORT_OPTIONS_TEXT_MAX];
    struct port_options options;

    if (!holding)
        return;
    if (!ctl_get_str(msg, CTL_A_OPTIONS, text, sizeof(text))) {
        refuse(client, msg, -EINVAL, "options are missing or too long");
        return;
    }
    if (!read_options(client, msg, text, &options))
        return;
    keeper_set_options(client->control->keeper, holding, &options);
    client_reply(client, ctl_msg_serial(msg), 0, NULL, 0);
    control_port_changed(client->control, holding);
}

/* The ids that a message names, each in an attribute of its own. */
static unsigned read_ids(const struct ctl_msg *msg, enum ctl_attr attr,
                         uint32_t ids[CAPTURE_NAMES_MAX])
{
    unsigned n = 0;

    while (n < CAPTURE_NAMES_MAX && ctl_get_u32_at(msg, attr, n, &ids[n]))
        ++n;
    return n;
}

static void handle_capture(struct control_client *client, const struct ctl_msg *msg, int *fd)
{
    struct capture_wish wish = { .snaplen = CAPTURE_SNAPLEN_MAX };
    int r;

    ctl_get_u32(msg, CTL_A_SNAPLEN, &wish.snaplen);
    if (wish.snaplen > CAPTURE_SNAPLEN_MAX)
        wish.snaplen = CAPTURE_SNAPLEN_MAX;
    wish.n_ports = read_ids(msg, CTL_A_PORT_ID, wish.port);
    wish.n_endpoints = read_ids(msg, CTL_A_ENDPOINT_ID, wish.endpoint);
    ctl_get_str(msg, CTL_A_LABEL, wish.label, sizeof(wish.label));
    r = capture_keep_begin(client->control->keeper, &wish, *fd);
    if (r == 0)
        *fd = -1;
    if (r == -EINVAL)
        refuse(client, msg, r, "a connected socket that keeps packets apart has to come along");
    else if (r == -EBUSY)
        refuse(client, msg, r, "as many captures as can be are running");
    else
        client_reply(client, ctl_msg_serial(msg), r, r < 0 ? strerror(-r) : NULL, 0);
}

static void handle_listen(struct control_client *client, const struct ctl_msg *msg, int *fd)
{
    int r = control_listen(client->control, *fd);

    if (r == 0)
        *fd = -1;
    if (r == -EINVAL)
        refuse(client, msg, r, "a bound socket that keeps packets apart has to come along");
    else
        client_reply(client, ctl_msg_serial(msg), r, r < 0 ? strerror(-r) : NULL, 0);
}

static void handle_stop(struct control_client *client, const struct ctl_msg *msg, int *fd)
{
    log_info("told to stop");
    client_reply(client, ctl_msg_serial(msg), 0, NULL, 0);
    keeper_end(client->control->keeper, EXIT_SUCCESS);
}

static const struct {
    enum ctl_type type;
    handler *handle;
    bool only_looks;
} handlers[] = {
    { .type = CTL_HELLO, .handle = handle_hello, .only_looks = true },
    { .type = CTL_DUMP, .handle = handle_dump, .only_looks = true },
    { .type = CTL_ATTACH, .handle = handle_attach },
    { .type = CTL_DETACH, .handle = handle_detach },
    { .type = CTL_CLOSE_PORT, .handle = handle_close_port },
    { .type = CTL_LABEL_PORT, .handle = handle_label_port },
    { .type = CTL_ADMIT_PORT, .handle = handle_admit_port },
    { .type = CTL_SET_OPTIONS, .handle = handle_set_options },
    { .type = CTL_MOVE_PORT, .handle = handle_move_port },
    { .type = CTL_TAKE_PORT, .handle = handle_take_port },
    { .type = CTL_LISTEN, .handle = handle_listen },
    { .type = CTL_STOP, .handle = handle_stop },
    { .type = CTL_CAPTURE, .handle = handle_capture, .only_looks = true },
};

void control_handle(struct control_client *client, const struct ctl_msg *msg, int *fd)
{
    log_debug("a control client asks: %s", ctl_type_name(ctl_msg_type(msg)));
    for (size_t i = 0; i < sizeof(handlers) / sizeof(handlers[0]); ++i)
        if (handlers[i].type == ctl_msg_type(msg)) {
            if (client->looks && !handlers[i].only_looks)
                refuse(client, msg, -EPERM, "this connection may look, and change nothing");
            else
                handlers[i].handle(client, msg, fd);
            return;
        }
    refuse(client, msg, -EOPNOTSUPP, "this request is not known here");
}
