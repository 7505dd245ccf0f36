/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Control messages between a relay's keeper and whoever manages it, over SOCK_SEQPACKET: one
 * message a packet. A message is a 12-byte header and attributes (u16 id, u16 length, value,
 * padded to 4), host byte order: both ends are on one machine. Unknown attributes are passed over,
 * unknown types answered with CTL_REPLY -EOPNOTSUPP. Pure: no descriptor, no allocation.
 *
 *   client: HELLO (judges, looks, keeps)     relay: WELCOME (version, network, pid), then events
 *           one that looks is refused all that changes something, as long as its connection lasts:
 *           its descriptor can be given to whoever may see and no more
 *   client: DUMP                         relay: ENDPOINT..., PORT..., DONE (forwarder)
 *   client: ATTACH (endpoint, label)     relay: REPLY (error, error text, endpoint id)
 *           listen: with users, hosts: connections of others are closed, and one of this host is
 *           held until a client that judges, if there is one, says ADMIT_PORT or CLOSE_PORT
 *           with SCM_RIGHTS: the TAP of a bridge: or tap: endpoint, or a connected socket (fd:)
 *   client: DETACH (endpoint id)         relay: REPLY   ports a listener accepted stay
 *   client: CLOSE_PORT (port id)         relay: REPLY   once every holder has closed it
 *   client: LABEL_PORT (port id, label)  relay: REPLY
 *   client: ADMIT_PORT (port id, label, options)  relay: REPLY  a held one takes part from here on,
 *                                                  with these options from its first frame on
 *   client: SET_OPTIONS (port id, options) relay: REPLY  they are these and no others
 *   client: MOVE_PORT (port id)          relay: REPLY   it is leaving; PORT_GONE says that it is
 *           with SCM_RIGHTS: a connection to another relay's control socket  there, or PORT that it
 *                                                       stays
 *   relay: HELLO, TAKE_PORT (endpoint, label, options), on that connection; the other relay: REPLY
 *           with SCM_RIGHTS: a TCP connection, which is a port of that one from here on
 *   client: LISTEN                       relay: REPLY   clients come by this socket from here on
 *           with SCM_RIGHTS: a bound SOCK_SEQPACKET socket, as its own has no place any more
 *   client: STOP                         relay: REPLY, then it ends; end of file means it is gone
 *   client: CAPTURE (snaplen; ids of ports, of endpoints, each as often as wanted; a label: ports
 *                    whose label begins so, those to come too; nothing named: all ports, each frame
 *                    once, where it comes in), with SCM_RIGHTS: a SOCK_SEQPACKET socket
 *                                        relay: REPLY; then capture-proto.h on that socket
 *   relay, to each client that said HELLO: EVENT_ENDPOINT, EVENT_ENDPOINT_GONE, EVENT_PORT,
 *                                          EVENT_PORT_GONE; serial 0
 *   relay, to the one that said last in its HELLO that it keeps: EVENT_DEPOSIT (what; a port's id)
 *           with SCM_RIGHTS: the register; the memory; a port's connection, until EVENT_PORT_GONE.
 *           A relay that is started with these goes on where one that was killed stopped
 *
 * The register is a file of pages of CTL_MSG_MAX bytes, each with an EVENT_DEPOSIT or zeros: first
 * one of the relay itself (version of its memory, network, the last id that it has given), then
 * one for each port that is deposited (id, inode of its socket, kind, endpoint, whether that has
 * to claim it, label, options, since).
 *
 * Every answer carries its request's serial. A label is the client's own text, kept and shown.
 */
#ifndef NR_COMMON_CTL_PROTO_H
#define NR_COMMON_CTL_PROTO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CTL_VERSION   1
#define CTL_MSG_MAX   4096
#define CTL_LABEL_MAX 128 /* bytes, and their NUL */

enum ctl_type {
    CTL_HELLO = 1,
    CTL_WELCOME,
    CTL_DUMP,
    CTL_ENDPOINT,
    CTL_PORT,
    CTL_DONE,
    CTL_ATTACH,
    CTL_DETACH,
    CTL_CLOSE_PORT,
    CTL_LABEL_PORT,
    CTL_STOP,
    CTL_REPLY,
    CTL_EVENT_ENDPOINT, /* as ENDPOINT: a new state */
    CTL_EVENT_PORT,     /* as PORT: opened, or changed its state */
    CTL_EVENT_PORT_GONE,
    CTL_CAPTURE,
    CTL_EVENT_ENDPOINT_GONE, /* as ENDPOINT: it is detached */
    CTL_ADMIT_PORT,
    CTL_SET_OPTIONS,
    CTL_MOVE_PORT,
    CTL_TAKE_PORT,
    CTL_EVENT_FORWARDER, /* it has ended, ERROR_TEXT says how; another one takes over */
    CTL_LISTEN,
    CTL_EVENT_DEPOSIT,
};

/* u: uint32_t, U: uint64_t, s: text without NUL inside */
enum ctl_attr {
    CTL_A_VERSION = 1,   /* u */
    CTL_A_NETWORK,       /* s */
    CTL_A_PID,           /* u: the keeper */
    CTL_A_ERROR,         /* u: positive errno; absent or 0 is success */
    CTL_A_ERROR_TEXT,    /* s: one sentence without full stop */
    CTL_A_ENDPOINT_ID,   /* u: from 1; never reused within a relay's life */
    CTL_A_PORT_ID,       /* u: from 1; never reused within a relay's life */
    CTL_A_ENDPOINT,      /* s: canonical text form */
    CTL_A_LABEL,         /* s */
    CTL_A_STATE,         /* u: enum ctl_endpoint_state, or enum ctl_port_state */
    CTL_A_LOCAL,         /* s: our address of a port, "127.0.0.1:12345" */
    CTL_A_PEER,          /* s: the far end's; "pid 123" of one without, on a UNIX socket of ours */
    CTL_A_DETAIL,        /* s: a TAP's name; why a dialer is not through; whom a listener refuses */
    CTL_A_SINCE,         /* U: seconds since the epoch, of the state */
    CTL_A_RX_FRAMES,     /* U: into the vswitch */
    CTL_A_RX_BYTES,      /* U */
    CTL_A_TX_FRAMES,     /* U: out of the vswitch */
    CTL_A_TX_BYTES,      /* U */
    CTL_A_DROPS,         /* U: all reasons */
    CTL_A_DROP_QUEUE,    /* U: the port's queue was full */
    CTL_A_DROP_RUNT,     /* U: shorter than an Ethernet header */
    CTL_A_DROP_SIZE,     /* U: too long for the port */
    CTL_A_DROP_STRANGER, /* U: a datagram from somebody else; of a listener: a connection */
    CTL_A_DROP_ERROR,    /* U: the kernel refused it */
    CTL_A_QUEUED,        /* U: bytes waiting */
    CTL_A_DROP_FILTER,   /* U: its source address may not come in there */
    CTL_A_DROP_LOOP,     /* U: it had gone round, or its port is blocked */
    CTL_A_DROP_STORM,    /* U: more floods a second than the port may send */
    CTL_A_SNAPLEN,       /* u: so much of a frame is captured at most; absent: all */
    CTL_A_JUDGES,        /* u: 1: this client says whose connections are admitted */
    CTL_A_ADMIT_USER,    /* u: uid of processes whose connections may be; as often as wanted */
    CTL_A_ADMIT_HOSTS,   /* s: "any", "10.0.0.0/8": other hosts whose are; as often as wanted */
    CTL_A_OPTIONS,       /* s: of a port, as port-options.h has them; "": none */
    CTL_A_LOOKS,         /* u: 1: this client will only look */
    CTL_A_DROP_HOST,     /* U: of a listener: connections of hosts that it does not admit */
    CTL_A_KEEPS,         /* u: 1: this client keeps what is deposited */
    CTL_A_DEPOSIT,       /* u: enum ctl_deposit */
    CTL_A_INODE,         /* U: of a socket */
    CTL_A_KIND,          /* u: of a port; the relay's own number */
    CTL_A_CLAIMED,       /* u: 1: a port is nobody's until its endpoint is attached again */
    CTL_A_SOURCE,        /* s: the address that a port's first frame came from */
    CTL_A_FORWARDER,     /* u: pid of the one that has taken over all ports; absent: none has */
};

/* The detail of a dialer that gets through and is hung up on, by one that does not admit us. */
#define CTL_DETAIL_HUNG_UP      "it ends each connection at once"
#define CTL_DETAIL_HUNG_UP_HERE "it is on this host, and ends each connection at once"
/* How the detail of a listener ends that refused a host. */
#define CTL_DETAIL_REFUSED "its admit= does not have that host"

enum ctl_endpoint_state {
    CTL_ENDPOINT_LISTENING,
    CTL_ENDPOINT_DIALLING, /* with back-off, for ever */
    CTL_ENDPOINT_UP,       /* has its one port */
    CTL_ENDPOINT_ENDED,    /* its port closed and it does not dial; detach it */
};

enum ctl_port_state {
    CTL_PORT_UP,
    CTL_PORT_CLOSING, /* some holder still has the descriptor */
    CTL_PORT_BLOCKED, /* it closes a loop: nothing passes until that is gone */
    CTL_PORT_HELD,    /* not yet admitted: nothing is read or sent */
    CTL_PORT_LEAVING, /* to another relay, as soon as its far end has read what it is owed */
};

enum ctl_deposit {
    CTL_DEPOSIT_REGISTER,
    CTL_DEPOSIT_MEMORY,
    CTL_DEPOSIT_PORT,
};

struct ctl_msg {
    _Alignas(8) uint8_t buf[CTL_MSG_MAX];
    size_t len;
};

/* Building. Puts that do not fit mark the message, and ctl_msg_end() says so. */
void ctl_msg_begin(struct ctl_msg *msg, enum ctl_type type, uint32_t serial);
void ctl_put_u32(struct ctl_msg *msg, enum ctl_attr attr, uint32_t value);
void ctl_put_u64(struct ctl_msg *msg, enum ctl_attr attr, uint64_t value);
/* NULL is left out. */
void ctl_put_str(struct ctl_msg *msg, enum ctl_attr attr, const char *text);
/* 0, or -EMSGSIZE. */
int ctl_msg_end(struct ctl_msg *msg);

/*
 * Reading. ctl_msg_check() once after receiving: header and every attribute's bounds. 0, -EPROTO
 * for a malformed message, -EPROTONOSUPPORT for another header version.
 */
int ctl_msg_check(const struct ctl_msg *msg);
/* The same for one that begins a buffer of CTL_MSG_MAX bytes: its length is found and set. */
int ctl_msg_check_page(struct ctl_msg *msg);
enum ctl_type ctl_msg_type(const struct ctl_msg *msg);
uint32_t ctl_msg_serial(const struct ctl_msg *msg);
/* False where the attribute is absent or has another size. The first one counts. */
bool ctl_get_u32(const struct ctl_msg *msg, enum ctl_attr attr, uint32_t *ret);
/* The attribute of which there may be several: the index-th of them, from 0. */
bool ctl_get_u32_at(const struct ctl_msg *msg, enum ctl_attr attr, unsigned index, uint32_t *ret);
bool ctl_get_u64(const struct ctl_msg *msg, enum ctl_attr attr, uint64_t *ret);
/* False also where it does not fit into size with its NUL, or has a NUL inside. */
bool ctl_get_str(const struct ctl_msg *msg, enum ctl_attr attr, char *ret, size_t size);
bool ctl_get_str_at(const struct ctl_msg *msg, enum ctl_attr attr, unsigned index, char *ret,
                    size_t size);

/* One table for logs, status and tests; "?" out of range. */
const char *ctl_type_name(enum ctl_type type);
const char *ctl_endpoint_state_name(enum ctl_endpoint_state state);
const char *ctl_port_state_name(enum ctl_port_state state);

#endif
