/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A network namespace of the test's own, and the devices in it. Failures end the test. */
#ifndef NR_TESTS_NETNS_H
#define NR_TESTS_NETNS_H

#include <stdbool.h>
#include <stdint.h>
#include "net/link.h"

/* Enters a new one, as root or in a new user namespace; its loopback device is up. */
void netns_enter(void);
/* True (and the test is skipped) where TAPs cannot be made, which for root never holds. */
bool netns_skip_without_tun(void);

/* type: "bridge" or "veth" (whose other end lives and dies with it). It is set up. */
void netns_link_add(const char *name, const char *type);
void netns_link_del(const char *name);
bool netns_link_exists(const char *name);
struct link_state netns_link(const char *name);
void netns_link_up(const char *name, bool up);
void netns_link_mtu(const char *name, uint32_t mtu);
void netns_link_mac(const char *name, const char *mac);
void netns_enslave(const char *name, const char *master);
void netns_address_add(const char *name, const char *address);
unsigned netns_link_count(void);

#endif
