/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Header: u16 version, u16 type, u32 serial, u32 length of all. Attributes follow without gaps,
 * each at a multiple of 4, the last one padded too. Every walk over them goes by attr_next(), which
 * believes no length, so that even a message nobody has checked is never read out of its bounds.
 */
#include "common/ctl-proto.h"

#include <errno.h>
#include <string.h>

#define MARK_OVERFLOW ((size_t)CTL_MSG_MAX + 1) /* a len no message can have */
#define PAD(n)        (((size_t)(n) + 3) & ~(size_t)3)

struct header {
    uint16_t version;
    uint16_t type;
    uint32_t serial;
    uint32_t length;
};

struct attr_header {
    uint16_t id;
    uint16_t length;
};

_Static_assert(sizeof(struct header) == 12, "the header is part of the protocol");
_Static_assert(sizeof(struct attr_header) == 4, "the attribute header is part of the protocol");

static struct header header_of(const struct ctl_msg *msg)
{
    struct header header = { 0 };

    if (msg->len >= sizeof(header) && msg->len <= CTL_MSG_MAX)
        memcpy(&header, msg->buf, sizeof(header));
    return header;
}

void ctl_msg_begin(struct ctl_msg *msg, enum ctl_type type, uint32_t serial)
{
    struct header header = { .version = CTL_VERSION, .type = (uint16_t)type, .serial = serial };

    memcpy(msg->buf, &header, sizeof(header));
    msg->len = sizeof(header);
}

static void put(struct ctl_msg *msg, enum ctl_attr attr, const void *value, size_t length)
{
    struct attr_header header = { .id = (uint16_t)attr, .length = (uint16_t)length };
    uint8_t *to;

    if (msg->len > CTL_MSG_MAX || length > CTL_MSG_MAX ||
        CTL_MSG_MAX - msg->len < sizeof(header) + PAD(length)) {
        msg->len = MARK_OVERFLOW;
        return;
    }
    to = msg->buf + msg->len;
    memcpy(to, &header, sizeof(header));
    to += sizeof(header);
    memcpy(to, value, length);
    memset(to + length, 0, PAD(length) - length);
    msg->len += sizeof(header) + PAD(length);
}

void ctl_put_u32(struct ctl_msg *msg, enum ctl_attr attr, uint32_t value)
{
    put(msg, attr, &value, sizeof(value));
}

void ctl_put_u64(struct ctl_msg *msg, enum ctl_attr attr, uint64_t value)
{
    put(msg, attr, &value, sizeof(value));
}

void ctl_put_str(struct ctl_msg *msg, enum ctl_attr attr, const char *text)
{
    if (text)
        put(msg, attr, text, strlen(text));
}

int ctl_msg_end(struct ctl_msg *msg)
{
    struct header header = header_of(msg);

    if (msg->len > CTL_MSG_MAX)
        return -EMSGSIZE;
    header.length = (uint32_t)msg->len;
    memcpy(msg->buf, &header, sizeof(header));
    return 0;
}

/*
 * Steps to the attribute at *pos. 1: there is one, value and length are set and *pos is behind it;
 * 0: the message ends here; -EPROTO: it does not hold what it says.
 */
static int attr_next(const struct ctl_msg *msg, size_t *pos, uint16_t *ret_id,
                     const uint8_t **ret_value, size_t *ret_length)
{
    struct attr_header header;
    size_t left;

    if (msg->len > CTL_MSG_MAX || *pos > msg->len)
        return -EPROTO;
    left = msg->len - *pos;
    if (left == 0)
        return 0;
    if (left < sizeof(header))
        return -EPROTO;
    memcpy(&header, msg->buf + *pos, sizeof(header));
    if (left - sizeof(header) < PAD(header.length))
        return -EPROTO;

    *ret_id = header.id;
    *ret_value = msg->buf + *pos + sizeof(header);
    *ret_length = header.length;
    *pos += sizeof(header) + PAD(header.length);
    return 1;
}

int ctl_msg_check(const struct ctl_msg *msg)
{
    struct header header = header_of(msg);
    size_t pos = sizeof(header), length;
    const uint8_t *value;
    uint16_t id;
    int r;

    if (msg->len < sizeof(header) || msg->len > CTL_MSG_MAX)
        return -EPROTO;
    if (header.version != CTL_VERSION) /* first: another version's length may be elsewhere */
        return -EPROTONOSUPPORT;
    if (header.length != msg->len)
        return -EPROTO;
    do {
        r = attr_next(msg, &pos, &id, &value, &length);
    } while (r > 0);
    return r;
}

int ctl_msg_check_page(struct ctl_msg *msg)
{
    msg->len = CTL_MSG_MAX;
    msg->len = header_of(msg).length;
    return ctl_msg_check(msg);
}

enum ctl_type ctl_msg_type(const struct ctl_msg *msg)
{
    return (enum ctl_type)header_of(msg).type;
}

uint32_t ctl_msg_serial(const struct ctl_msg *msg)
{
    return header_of(msg).serial;
}

static const uint8_t *find(const struct ctl_msg *msg, enum ctl_attr attr, unsigned index,
                           size_t *ret_length)
{
    size_t pos = sizeof(struct header);
    const uint8_t *value;
    uint16_t id;

    while (attr_next(msg, &pos, &id, &value, ret_length) > 0) {
        if (id == attr && index-- == 0)
            return value;
    }
    return NULL;
}

bool ctl_get_u32_at(const struct ctl_msg *msg, enum ctl_attr attr, unsigned index, uint32_t *ret)
{
    size_t length;
    const uint8_t *value = find(msg, attr, index, &length);

    if (!value || length != sizeof(*ret))
        return false;
    memcpy(ret, value, sizeof(*ret));
    return true;
}

bool ctl_get_u32(const struct ctl_msg *msg, enum ctl_attr attr, uint32_t *ret)
{
    return ctl_get_u32_at(msg, attr, 0, ret);
}

bool ctl_get_u64(const struct ctl_msg *msg, enum ctl_attr attr, uint64_t *ret)
{
    size_t length;
    const uint8_t *value = find(msg, attr, 0, &length);

    if (!value || length != sizeof(*ret))
        return false;
    memcpy(ret, value, sizeof(*ret));
    return true;
}

bool ctl_get_str(const struct ctl_msg *msg, enum ctl_attr attr, char *ret, size_t size)
{
    return ctl_get_str_at(msg, attr, 0, ret, size);
}

bool ctl_get_str_at(const struct ctl_msg *msg, enum ctl_attr attr, unsigned index, char *ret,
                    size_t size)
{
    size_t length;
    const uint8_t *value = find(msg, attr, index, &length);

    if (!value || length >= size || memchr(value, '\0', length))
        return false;
    memcpy(ret, value, length);
    ret[length] = '\0';
    return true;
}

static const char *const type_names[] = {
    [CTL_HELLO] = "hello",
    [CTL_WELCOME] = "welcome",
    [CTL_DUMP] = "dump",
    [CTL_ENDPOINT] = "endpoint",
    [CTL_PORT] = "port",
    [CTL_DONE] = "done",
    [CTL_ATTACH] = "attach",
    [CTL_DETACH] = "detach",
    [CTL_CLOSE_PORT] = "close-port",
    [CTL_LABEL_PORT] = "label-port",
    [CTL_STOP] = "stop",
    [CTL_REPLY] = "reply",
    [CTL_EVENT_ENDPOINT] = "event-endpoint",
    [CTL_EVENT_PORT] = "event-port",
    [CTL_EVENT_PORT_GONE] = "event-port-gone",
    [CTL_CAPTURE] = "capture",
    [CTL_EVENT_ENDPOINT_GONE] = "event-endpoint-gone",
    [CTL_ADMIT_PORT] = "admit-port",
    [CTL_SET_OPTIONS] = "set-options",
    [CTL_MOVE_PORT] = "move-port",
    [CTL_TAKE_PORT] = "take-port",
    [CTL_EVENT_FORWARDER] = "event-forwarder",
    [CTL_LISTEN] = "listen",
    [CTL_EVENT_DEPOSIT] = "event-deposit",
};

static const char *const endpoint_state_names[] = {
    [CTL_ENDPOINT_LISTENING] = "listening",
    [CTL_ENDPOINT_DIALLING] = "dialling",
    [CTL_ENDPOINT_UP] = "up",
    [CTL_ENDPOINT_ENDED] = "ended",
};

static const char *const port_state_names[] = {
    [CTL_PORT_UP] = "up",     [CTL_PORT_CLOSING] = "closing", [CTL_PORT_BLOCKED] = "blocked",
    [CTL_PORT_HELD] = "held", [CTL_PORT_LEAVING] = "leaving",
};

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

static const char *name_in(const char *const *names, size_t count, unsigned value)
{
    return value < count && names[value] ? names[value] : "?";
}

const char *ctl_type_name(enum ctl_type type)
{
    return name_in(type_names, COUNT(type_names), type);
}

const char *ctl_endpoint_state_name(enum ctl_endpoint_state state)
{
    return name_in(endpoint_state_names, COUNT(endpoint_state_names), state);
}

const char *ctl_port_state_name(enum ctl_port_state state)
{
    return name_in(port_state_names, COUNT(port_state_names), state);
}
