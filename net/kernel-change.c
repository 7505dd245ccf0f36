/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "net/kernel-change.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include "net/address.h"
#include "net/bridge.h"
#include "net/kernel-route.h"
#include "net/kernel-setting.h"
#include "net/link.h"
#include "net/nat.h"
#include "net/stable-mac.h"
#include "net/udp-guard.h"

#define FIRST_BYTE 0x52 /* locally administered, as other bridges of virtual machines have it */
#define SET        "set"

static void set_state(char ret[KERNEL_STATE_MAX], const char *state)
{
    snprintf(ret, KERNEL_STATE_MAX, "%s", state);
}

/* The aim of what is there or is not. */
static int to_be_set(const struct host_change *change, const char *before,
                     char ret[KERNEL_STATE_MAX])
{
    set_state(ret, SET);
    return 0;
}

/* A bridge: its state is its address, by which one that somebody else has made meanwhile is told
 * from ours. */

static int bridge_look(const struct host_change *change, char ret[KERNEL_STATE_MAX])
{
    struct link_state link;
    char mac[MAC_TEXT_MAX];
    int r = link_get(change->device, &link);

    if (r < 0 && r != -ENODEV)
        return r;
    if (r == 0 && !link.bridge)
        return -ENOTSUP;
    set_state(ret, r == 0 ? mac_format(link.mac, mac) : "");
    return 0;
}

static int bridge_aim(const struct host_change *change, const char *before,
                      char ret[KERNEL_STATE_MAX])
{
    char words[sizeof("bridge ") + HOST_DEVICE_MAX], text[MAC_TEXT_MAX];
    struct mac mac;
    int r = 0;

    if (*before) {
        set_state(ret, before);
        return 0;
    }
    snprintf(words, sizeof(words), "bridge %s", change->device);
    r = stable_mac(FIRST_BYTE, words, &mac);
    if (r == 0)
        set_state(ret, mac_format(mac, text));
    return r;
}

static int bridge_put(const struct host_change *change, const char *state)
{
    struct mac mac;

    if (!*state)
        return bridge_remove(change->device);
    return mac_parse(&mac, state) == 0 ? bridge_create(change->device, mac) : -EINVAL;
}

/* An address */

static int address_look(const struct host_change *change, char ret[KERNEL_STATE_MAX])
{
    struct link_state link;
    bool there = false;
    int r = link_get(change->device, &link);

    if (r == 0)
        r = address_is_set(link.ifindex, change->value, &there);
    if (r < 0 && r != -ENODEV)
        return r;
    set_state(ret, there ? SET : "");
    return 0;
}

static int address_put(const struct host_change *change, const char *state)
{
    struct link_state link;
    bool there, elsewhere = false;
    int r = link_get(change->device, &link);

    if (r < 0)
        return r;
    r = address_is_set(link.ifindex, change->value, &there);
    if (r < 0 || there == !!*state)
        return r;
    if (*state)
        r = address_is_elsewhere(link.ifindex, change->value, &elsewhere);
    if (r < 0 || elsewhere)
        return r < 0 ? r : -EADDRINUSE;
    return *state ? address_add(link.ifindex, change->value)
                  : address_remove(link.ifindex, change->value);
}

/* Masquerading: whoever takes the rule away, or the whole ruleset, meant it. */

static int nat_look(const struct host_change *change, char ret[KERNEL_STATE_MAX])
{
    bool there = false;
    int r = nat_is_set(change->device, change->value, &there);

    set_state(ret, there ? SET : "");
    return r;
}

static int nat_put(const struct host_change *change, const char *state)
{
    bool there = false;
    int r;

    if (!*state)
        return nat_remove(change->device, change->value);
    r = nat_is_set(change->device, change->value, &there);
    return r < 0 || there ? r : nat_add(change->device, change->value);
}

/* The guard of udp ports: its table, whatever is in it. One that is there before is not ours. */

static int guard_look(const struct host_change *change, char ret[KERNEL_STATE_MAX])
{
    bool there = false;
    int r = udp_guard_is_set(&there);

    set_state(ret, there ? SET : "");
    return r;
}

static int guard_aim(const struct host_change *change, const char *before,
                     char ret[KERNEL_STATE_MAX])
{
    set_state(ret, SET);
    return *before ? -EEXIST : 0;
}

static int guard_put(const struct host_change *change, const char *state)
{
    bool there = false;
    int r;

    if (!*state)
        return udp_guard_remove();
    r = udp_guard_is_set(&there);
    return r < 0 || there ? r : udp_guard_add();
}

static const struct {
    int (*look)(const struct host_change *change, char ret[KERNEL_STATE_MAX]);
    int (*aim)(const struct host_change *change, const char *before, char ret[KERNEL_STATE_MAX]);
    int (*put)(const struct host_change *change, const char *state);
} kinds[HOST_CHANGE_KINDS] = {
    [HOST_BRIDGE] = { bridge_look, bridge_aim, bridge_put },
    [HOST_ADDRESS] = { address_look, to_be_set, address_put },
    [HOST_HEAR_ROUTERS] = { setting_look, setting_aim, setting_put },
    [HOST_FORWARD_V4] = { setting_look, setting_aim, setting_put },
    [HOST_FORWARD_V6] = { setting_look, setting_aim, setting_put },
    [HOST_ROUTE] = { host_route_look, to_be_set, host_route_put },
    [HOST_PROXY_NDP] = { setting_look, setting_aim, setting_put },
    [HOST_PROXY] = { proxy_look, to_be_set, proxy_put },
    [HOST_NAT] = { nat_look, to_be_set, nat_put },
    [HOST_GUARD_UDP] = { guard_look, guard_aim, guard_put },
};

/* A move is more than a state could say: uplink.h has it, and a journal has none. */
int kernel_look(const struct host_change *change, char ret[KERNEL_STATE_MAX])
{
    if (!kinds[change->kind].look)
        return -ENOTSUP;
    return kinds[change->kind].look(change, ret);
}

int kernel_aim(const struct host_change *change, const char *before, char ret[KERNEL_STATE_MAX])
{
    return kinds[change->kind].aim(change, before, ret);
}

int kernel_put(const struct host_change *change, const char *state)
{
    return kinds[change->kind].put(change, state);
}
