/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "net/bridge.h"

#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include "common/scope.h"
#include "net/link.h"
#include "net/stable-mac.h"
#include "net/sysctl.h"

#define TAP_PATTERN "nrtap%d"
#define FIRST_BYTE  0xfe /* above what other members have: a bridge prefers the lowest */

static int bridge_get(const char *name, struct link_state *ret)
{
    int r = link_get(name, ret);

    if (r < 0)
        return r;
    return ret->bridge ? 0 : -ENOTSUP;
}

/* Of a device; where the kernel has no IPv6 there is nothing to set. */
static int set_ipv6(const char *ifname, const char *setting, const char *value)
{
    char path[64 + IFNAMSIZ];
    int r;

    snprintf(path, sizeof(path), "net/ipv6/conf/%s/%s", ifname, setting);
    r = sysctl_write(path, value);
    return r == -ENOENT ? 0 : r;
}

/*
 * A bridge without members whose address nobody has set takes that of its first member, whatever it
 * is, and is left with zeros when that one goes. Setting the address it has makes it stay.
 */
static int keep_address(const struct link_state *bridge)
{
    struct link_change same = { .mac = &bridge->mac };
    bool members;
    int r;

    if (mac_is_zero(bridge->mac))
        return 0; /* had members once and lost its address with them: nothing to keep */
    r = link_has_members(bridge->ifindex, &members);
    if (r < 0 || members)
        return r;
    return link_set(bridge->ifindex, &same);
}

/* fresh: its address is the kernel's throw of dice, which may begin with FIRST_BYTE, too. */
static int enslave(const struct link_state *bridge, const char *name, const struct link_state *tap,
                   bool fresh)
{
    struct link_change before = { .mtu = bridge->mtu };
    struct link_change join = { .master = bridge->ifindex, .up = true };
    struct mac mac;
    int r;

    if (fresh || tap->mac.b[0] != FIRST_BYTE) {
        r = stable_mac(FIRST_BYTE, name, &mac);
        if (r < 0)
            return r;
        before.mac = &mac;
    }
    r = set_ipv6(name, "disable_ipv6", "1"); /* else it would have an address of its own */
    if (r < 0)
        return r;
    r = link_set(tap->ifindex, &before);
    if (r < 0)
        return r;
    r = keep_address(bridge);
    if (r < 0)
        return r;
    return link_set(tap->ifindex, &join);
}

int bridge_tap_create(const char *bridge, char ret_name[TAP_NAME_MAX])
{
    struct link_state to, tap;
    _cleanup_(closep) int fd = -1;
    char name[TAP_NAME_MAX];
    int r = bridge_get(bridge, &to);

    if (r < 0)
        return r;
    fd = tap_create(TAP_PATTERN, name);
    if (fd < 0)
        return fd;
    r = link_get(name, &tap);
    if (r < 0)
        return r;
    r = enslave(&to, name, &tap, true);
    if (r < 0)
        return r; /* the TAP goes with its descriptor */
    memcpy(ret_name, name, TAP_NAME_MAX);
    return steal_fd(&fd);
}

int bridge_enslave(const char *bridge, const char *tap)
{
    struct link_change up = { .up = true };
    struct link_state to, state;
    int r = bridge_get(bridge, &to);

    if (r < 0)
        return r;
    r = link_get(tap, &state);
    if (r < 0)
        return r;
    if (state.master != to.ifindex)
        return enslave(&to, tap, &state, false);
    return state.up ? 0 : link_set(state.ifindex, &up); /* somebody has set it down */
}

int bridge_release(const char *bridge, const char *tap)
{
    struct link_change leave = { .master = -1, .down = true };
    struct link_state from, state;
    int r = bridge_get(bridge, &from);

    if (r < 0)
        return r;
    r = link_get(tap, &state);
    if (r < 0)
        return r;
    return state.master == from.ifindex ? link_set(state.ifindex, &leave) : -ENOENT;
}

int bridge_create(const char *name, struct mac mac)
{
    struct link_change up = { .up = true };
    struct link_state bridge;
    int r = link_add_bridge(name, mac);

    if (r < 0 && r != -EEXIST)
        return r;
    r = link_get(name, &bridge);
    if (r == 0 && (!bridge.bridge || !mac_equal(bridge.mac, mac)))
        return -EEXIST;
    if (r == 0)
        r = set_ipv6(name, "accept_ra", "0");
    if (r == 0)
        r = set_ipv6(name, "autoconf", "0");
    return r < 0 ? r : link_set(bridge.ifindex, &up);
}

int bridge_remove(const char *name)
{
    struct link_state bridge;
    bool members;
    int r = bridge_get(name, &bridge);

    if (r == 0)
        r = link_has_members(bridge.ifindex, &members);
    if (r == 0)
        r = members ? -EBUSY : link_remove(bridge.ifindex);
    return r == -ENODEV ? 0 : r;
}
