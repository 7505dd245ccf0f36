/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "net/uplink-plan.h"

#include <errno.h>
#include <string.h>

/* What is to be moved */

/* Where the entry goes: behind the addresses, or before the newer ones of IPv6. */
static size_t place_of(const struct uplink *uplink, const struct uplink_entry *entry)
{
    size_t at = 0;

    if (!uplink_entry_is_address(entry))
        return uplink->count;
    while (at < uplink->count && uplink_entry_is_address(&uplink->entries[at]) &&
           (!uplink_entry_is_v6(entry) || !uplink_entry_is_v6(&uplink->entries[at])))
        at++;
    return at;
}

static const struct uplink_entry *find(const struct uplink *uplink,
                                       const struct uplink_entry *entry)
{
    for (size_t i = 0; i < uplink->count; i++)
        if (uplink_entry_same(&uplink->entries[i], entry))
            return &uplink->entries[i];
    return NULL;
}

int uplink_take(struct uplink *uplink, const struct nlmsghdr *message)
{
    struct uplink_entry entry;
    int r = uplink_entry_take(message, uplink->ifindex, &entry);
    size_t at;

    if (r <= 0)
        return r;
    if (uplink_entry_is_learned(&entry) && find(uplink, &entry))
        return 0; /* a copy, which comes behind what it is a copy of */
    if (uplink->count == UPLINK_ENTRIES_MAX)
        return -ENOSPC;
    at = place_of(uplink, &entry);
    memmove(&uplink->entries[at + 1], &uplink->entries[at],
            (uplink->count - at) * sizeof(uplink->entries[0]));
    uplink->entries[at] = entry;
    uplink->count++;
    return 0;
}

static void drop(struct uplink *uplink, size_t at)
{
    uplink->count--;
    memmove(&uplink->entries[at], &uplink->entries[at + 1],
            (uplink->count - at) * sizeof(uplink->entries[0]));
}

static bool comes_by_itself(const struct uplink *uplink, const struct uplink_entry *entry)
{
    for (size_t i = 0; i < uplink->count && !uplink_entry_is_address(entry); i++)
        if (uplink_entry_is_address(&uplink->entries[i]) &&
            uplink_entry_comes_with(entry, &uplink->entries[i]))
            return true;
    return false;
}

void uplink_prune(struct uplink *uplink)
{
    for (size_t i = uplink->count; i-- > 0;)
        if (comes_by_itself(uplink, &uplink->entries[i]))
            drop(uplink, i);
}

void uplink_follow(struct uplink *uplink, const struct uplink *now)
{
    for (size_t i = uplink->count; i-- > 0;) {
        const struct uplink_entry *found = find(now, &uplink->entries[i]);

        if (!found)
            drop(uplink, i);
        else if (uplink_entry_is_timed(found))
            uplink->entries[i] = *found;
    }
}

/* The steps */

struct steps {
    struct uplink_step *all;
    size_t count;
};

static void add_link(struct steps *steps, enum uplink_action action, const struct mac *mac)
{
    steps->all[steps->count++] = (struct uplink_step){ .action = action, .mac = mac };
}

static void add_entry(struct steps *steps, enum uplink_verb verb, bool on_bridge,
                      const struct uplink_entry *entry)
{
    steps->all[steps->count++] = (struct uplink_step){
        .action = UPLINK_ENTRY, .verb = verb, .on_bridge = on_bridge, .entry = entry
    };
}

static void give_addresses(struct steps *steps, const struct uplink *uplink, bool to_bridge)
{
    for (size_t i = 0; i < uplink->count; i++)
        if (uplink_entry_is_address(&uplink->entries[i]))
            add_entry(steps, UPLINK_ADD, to_bridge, &uplink->entries[i]);
}

static void turn_routes(struct steps *steps, const struct uplink *uplink, bool to_bridge)
{
    for (size_t i = 0; i < uplink->count; i++) {
        const struct uplink_entry *entry = &uplink->entries[i];

        if (uplink_entry_is_address(entry))
            continue;
        add_entry(steps, UPLINK_ADD, to_bridge, entry);
        add_entry(steps, UPLINK_REMOVE, !to_bridge, entry);
    }
}

/* The last one first: the first IPv4 address of a subnet would take the others with it. The device
 * keeps its link-local addresses: the kernel gives it such anyway. */
static void take_addresses(struct steps *steps, const struct uplink *uplink, bool from_bridge)
{
    for (size_t i = uplink->count; i-- > 0;) {
        const struct uplink_entry *entry = &uplink->entries[i];

        if (uplink_entry_is_address(entry) && (from_bridge || !uplink_entry_is_link_local(entry)))
            add_entry(steps, UPLINK_REMOVE, from_bridge, entry);
    }
}

static void settle_addresses(struct steps *steps, const struct uplink *uplink, bool on_bridge)
{
    for (size_t i = 0; i < uplink->count; i++)
        if (uplink_entry_is_address(&uplink->entries[i]) && uplink_entry_is_v6(&uplink->entries[i]))
            add_entry(steps, UPLINK_SETTLE, on_bridge, &uplink->entries[i]);
}

size_t uplink_plan_there(const struct uplink *uplink, struct uplink_step ret[UPLINK_STEPS_MAX])
{
    struct steps steps = { ret, 0 };

    add_link(&steps, UPLINK_TAKE_MAC, &uplink->device_mac);
    give_addresses(&steps, uplink, true);
    add_link(&steps, UPLINK_JOIN, NULL);
    turn_routes(&steps, uplink, true);
    take_addresses(&steps, uplink, false);
    settle_addresses(&steps, uplink, true);
    return steps.count;
}

size_t uplink_plan_back(const struct uplink *uplink, struct uplink_step ret[UPLINK_STEPS_MAX])
{
    struct steps steps = { ret, 0 };

    give_addresses(&steps, uplink, false);
    add_link(&steps, UPLINK_LEAVE, NULL);
    turn_routes(&steps, uplink, false);
    take_addresses(&steps, uplink, true);
    settle_addresses(&steps, uplink, false);
    add_link(&steps, UPLINK_TAKE_MAC, &uplink->bridge_mac);
    return steps.count;
}
