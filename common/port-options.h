/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What may be said of a port beyond where it leads: who may send through it, and how much. The
 * text form is that of QEMU's options, "key" or "key=value":
 *
 *   pin[=MAC]          only this source address; without one, the first that is seen. Such a port
 *                      is a guest's, too
 *   allow=MAC[/BITS]   these source addresses and no others
 *   deny=MAC[/BITS]    not these; stronger than allow
 *   storm=FRAMES       flooded frames a second at most; 0 is no limit
 *   guest              one guest is behind it: no loop is looked for there
 *   ingress=RATE       so much may come in: AVERAGE[:PEAK[:BURST]] in KiB a second and KiB, where
 *                      PEAK may be empty
 *   egress=RATE        and so much may leave
 */
#ifndef NR_COMMON_PORT_OPTIONS_H
#define NR_COMMON_PORT_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "common/mac.h"

#define PORT_RULES_MAX        16
#define PORT_STORM_MAX        100000000
#define PORT_RATE_MAX         100000000 /* KiB a second */
#define PORT_BURST_MAX        4000000   /* KiB */
#define PORT_RATE_TEXT_MAX    32
#define PORT_OPTIONS_TEXT_MAX 640

/* The first bits of a source address. */
struct mac_rule {
    struct mac mac;
    uint8_t bits; /* 1-48 */
    bool deny;
};

/* How much may pass one way. */
struct port_rate {
    uint32_t average; /* KiB a second; 0: no limit */
    uint32_t peak;    /* KiB a second, for as long as there is a burst; 0: as fast as it goes */
    uint32_t burst;   /* KiB; 0: not given */
};

/* Zeroed: nothing was said. */
struct port_options {
    bool pin;
    bool guest;
    bool limits_storm;  /* or the network's own limit counts */
    struct mac pin_mac; /* zero: the first that is seen */
    uint32_t storm;     /* frames a second; 0: no limit */
    uint32_t n_rules;
    struct mac_rule rule[PORT_RULES_MAX];
    struct port_rate ingress, egress;
};

/* Adds one option: value is NULL where there was no '='. NULL; the phrase that says what was
 * expected; or "" where there is no such key. */
const char *port_options_add(struct port_options *options, const char *key, const char *value);
/* Reads what port_options_format() wrote, or a person: "" or ",KEY", ",KEY=VALUE"... NULL, or the
 * phrase that says what was expected; options are whole only after NULL. */
const char *port_options_parse(struct port_options *options, const char *text);
/* Canonical form with a comma before each option; "" for none. Returns buf. */
const char *port_options_format(const struct port_options *options,
                                char buf[PORT_OPTIONS_TEXT_MAX]);
/* AVERAGE, AVERAGE:PEAK, AVERAGE:PEAK:BURST or AVERAGE::BURST; "" where there is no limit. Returns
 * buf. */
const char *port_rate_format(const struct port_rate *rate, char buf[PORT_RATE_TEXT_MAX]);
/* May a frame with this source address come in? Pinning is not looked at. */
bool port_options_allow(const struct port_options *options, struct mac source);

#endif
