/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An endpoint says where a port leads, and has one text form; it owns no descriptor.
 *
 *   -                             standard input and output
 *   [listen:][ADDR:]PORT          TCP, we listen       ("listen:" may be left out only after -l)
 *   [tcp:]ADDR:PORT               TCP, we dial
 *   LPORT:ADDR:RPORT              UDP; LPORT:ADDR: and :ADDR:RPORT take the other's value,
 *                                 LPORT::RPORT is another port of 127.0.0.1
 *   udp:LADDR:LPORT:RADDR:RPORT   UDP, bound to LADDR:LPORT, peer RADDR:RPORT
 *   udp:[LADDR:]LPORT,learn       UDP, whoever sends to it first is its peer
 *   mcast:GROUP:PORT[@IF]         IP multicast, by the interface that has this name or address;
 *                                 option ttl=HOPS (1: this link only)
 *   unix:PATH                     UNIX stream socket, we dial
 *   unix-listen:PATH              UNIX stream socket, we listen
 *   unix-dgram:PATH:PEER          UNIX datagram socket at PATH, its peer's at PEER
 *   vde:PATH                      a VDE switch, by the directory of its socket
 *   user:[KEY=VALUE,...]          user-mode network: DHCP, DNS, NAT; QEMU's words, see netrelay(1)
 *   tap:NAME                      a TAP device by name, made if there is none; option
 *                                 ip=ADDR/PREFIX, repeatable, for one that is made
 *   bridge:NAME, or NAME          a TAP of ours in the kernel bridge NAME
 *   fd:N                          an inherited descriptor: stream socket or TAP
 *
 * ADDR is an IPv4 address, an IPv6 address in brackets, or a host name. Each form may be followed
 * by options, a comma before each; port-options.h has those that go with every kind. A comma that
 * belongs to a name or value is written twice. The canonical form, which endpoint_format() writes
 * and by which endpoints are compared, always has its scheme and, for udp, all four parts;
 * addresses are written as inet_ntop() does.
 */
#ifndef NR_COMMON_ENDPOINT_H
#define NR_COMMON_ENDPOINT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "common/port-options.h"

#define ENDPOINT_HOST_MAX 254  /* RFC 1035 name and its NUL */
#define ENDPOINT_TEXT_MAX 3072 /* longest canonical form and its NUL */
#define ENDPOINT_NAME_MAX 16   /* IFNAMSIZ */
#define ENDPOINT_PATH_MAX 108  /* sun_path of sockaddr_un */
#define ENDPOINT_USER_MAX 2304 /* all that netrelay-user takes, its 32 forwards at their longest */
#define ENDPOINT_IPS_MAX  4
#define ENDPOINT_IP_MAX   52 /* an IPv6 address, its prefix and the NUL */

enum endpoint_kind {
    ENDPOINT_STDIO,
    ENDPOINT_LISTEN,
    ENDPOINT_TCP,
    ENDPOINT_UDP,
    ENDPOINT_MCAST,
    ENDPOINT_UNIX,
    ENDPOINT_UNIX_LISTEN,
    ENDPOINT_UNIX_DGRAM,
    ENDPOINT_VDE,
    ENDPOINT_USER,
    ENDPOINT_TAP,
    ENDPOINT_BRIDGE,
    ENDPOINT_FD,
    ENDPOINT_KIND_COUNT,
};

struct endpoint_address {
    char host[ENDPOINT_HOST_MAX]; /* without brackets; "" is any address */
    uint16_t l4_port;             /* host byte order; 1-65535 */
};

struct endpoint {
    enum endpoint_kind kind;
    struct endpoint_address local;     /* LISTEN, UDP */
    struct endpoint_address remote;    /* TCP, UDP; MCAST: the group */
    char ifname[ENDPOINT_NAME_MAX];    /* TAP, BRIDGE */
    char path[ENDPOINT_PATH_MAX];      /* UNIX*, VDE */
    char peer_path[ENDPOINT_PATH_MAX]; /* UNIX_DGRAM */
    char mcast_if[ENDPOINT_HOST_MAX];  /* MCAST: a device, or an address of ours; "": the route's */
    char user[ENDPOINT_USER_MAX]; /* USER: its options, a comma between; those inside doubled */
    char ip[ENDPOINT_IPS_MAX][ENDPOINT_IP_MAX]; /* TAP: "192.168.9.1/24"; "" ends them */
    uint8_t ttl;                                /* MCAST: 0 is not given */
    bool learn;                                 /* UDP: there is no peer yet */
    int fd;                                     /* FD: a number, not owned */
    struct port_options options;
};

/*
 * Reads one endpoint in any of the forms above. 0; or -EINVAL, and *ret_expected is a static
 * phrase that says what was expected ("a port number from 1 to 65535").
 */
int endpoint_parse(struct endpoint *ret, const char *text, const char **ret_expected);
/* The argument of -l: [ADDR:]PORT. Same errors. */
int endpoint_parse_listen(struct endpoint *ret, const char *text, const char **ret_expected);
/* Canonical form. Returns buf. */
const char *endpoint_format(const struct endpoint *endpoint, char buf[ENDPOINT_TEXT_MAX]);
/* "listen", "tcp", ...: also the scheme. */
const char *endpoint_kind_name(enum endpoint_kind kind);
/* "127.0.0.1:80", "[::1]:80", "*:80". Returns buf. */
const char *endpoint_address_format(const struct endpoint_address *address,
                                    char buf[ENDPOINT_TEXT_MAX]);

#endif
