/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The options of a user: endpoint, spelled as QEMU's -netdev user has them: KEY=VALUE, a comma
 * between two, and a comma in a value written twice. Pure.
 */
#ifndef NR_RELAY_USER_OPTIONS_H
#define NR_RELAY_USER_OPTIONS_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

#define USER_TEXT_MAX       2304 /* all options and a NUL; so also each of them */
#define USER_ERROR_MAX      320
#define USER_HOSTNAME_MAX   33 /* what libslirp keeps, with its NUL */
#define USER_DOMAIN_MAX     256
#define USER_BOOTFILE_MAX   128 /* what DHCP has room for, with its NUL */
#define USER_FORWARDS_MAX   32
#define USER_DNSSEARCH_MAX  16
#define USER_DHCP_ADDRESSES 16 /* libslirp gives as many, from dhcp_start on */

/* A port of the host's that leads to a guest. */
struct user_forward {
    bool udp;
    struct in_addr host; /* any: 0.0.0.0 */
    uint16_t host_port;
    struct in_addr guest; /* 0.0.0.0: the first that DHCP gives */
    uint16_t guest_port;
};

struct user_options {
    bool ipv4, ipv6, restricted;
    struct in_addr net, mask, host, dns, dhcp_start;
    struct in6_addr net6, host6, dns6;
    uint8_t net6_bits;
    char hostname[USER_HOSTNAME_MAX]; /* "" here and below: not given */
    char domainname[USER_DOMAIN_MAX];
    char bootfile[USER_BOOTFILE_MAX];
    char tftp[USER_TEXT_MAX];
    char tftp_server_name[USER_TEXT_MAX];
    char dnssearch[USER_DNSSEARCH_MAX][USER_DOMAIN_MAX];
    unsigned n_dnssearch;
    struct user_forward forward[USER_FORWARDS_MAX];
    unsigned n_forwards;
};

/* 0; or -EINVAL, and error is a sentence that names the option and what was expected. */
int user_options_parse(struct user_options *ret, const char *text, char error[USER_ERROR_MAX]);

#endif
