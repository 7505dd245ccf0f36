/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What guests may ask for by themselves, where no network file offers it: [policy] of the
 * configuration file. Whoever may edit a guest is trusted with no more than this. Pure.
 */
#ifndef NR_DAEMON_POLICY_H
#define NR_DAEMON_POLICY_H

#include "daemon/place.h"

typedef enum {
    NR_IMPLICIT_SAFE, /* only where nothing else can be meant */
    NR_IMPLICIT_ALL,  /* also every lone server and lone udp */
    NR_IMPLICIT_NO,
} NrImplicit;

/* The lists are as they are written, each word by itself, NULL-terminated. */
typedef struct {
    NrImplicit implicit;
    gboolean system;    /* root's manager: guests may ask only for what these allow */
    char **bridges;     /* [policy] bridges=: glob patterns; NULL: none */
    char **peers;       /* [policy] peers=: "HOST:PORT", see nr_policy_is_peer(); NULL: none */
    char **addresses;   /* [policy] addresses=: of this host, prefix.h; NULL: any */
    char **ports;       /* [policy] ports=: "1024-65535", "80"; NULL: any */
    gboolean guard_udp; /* [policy] guard-udp=: of the system's manager */
    gboolean hooked;    /* a hook serves this connection: defined guests need no listener */
    char *config;       /* path of the configuration file, for messages */
} NrPolicy;

/* Whether a word may stand in the list. */
gboolean nr_policy_is_bridge(const char *word);
/* HOST is a prefix, "[2001:db8::/32]", or a glob pattern; PORT a number, "12000-12999", or such a
 * pattern. "*" is any peer. */
gboolean nr_policy_is_peer(const char *word);
gboolean nr_policy_is_address(const char *word);
gboolean nr_policy_is_ports(const char *word);

gboolean nr_policy_allows_bridge(const NrPolicy *policy, const char *bridge);
/* peer: as nr_value_peer() writes it. */
gboolean nr_policy_allows_peer(const NrPolicy *policy, const char *peer);
gboolean nr_policy_allows_address(const NrPolicy *policy, const NrPlace *place);
gboolean nr_policy_allows_port(const NrPolicy *policy, const NrPlace *place);

/* The configuration file, as a sentence names it. Borrowed. */
const char *nr_policy_file(const NrPolicy *policy);

#endif
