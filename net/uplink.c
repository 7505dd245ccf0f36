/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "net/uplink.h"

#include <errno.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "common/scope.h"
#include "net/link.h"
#include "net/route-talk.h"
#include "net/sysctl.h"

#define DUMP_TRIES 10 /* where others change what is dumped */
#define COPIES_MAX 8  /* of a way that is learned, one for each move */
#define PROMOTE    8  /* in the table of settings */

/* What the bridge is to have from the device: who sends by it, and what the host learns there. The
 * place in this table is recorded. */
static const struct {
    const char *family, *name;
} settings[UPLINK_SETTINGS] = {
    { "ipv6", "disable_ipv6" },
    { "ipv6", "accept_ra" },
    { "ipv6", "autoconf" },
    { "ipv6", "use_tempaddr" },
    { "ipv4", "rp_filter" },
    { "ipv4", "arp_ignore" },
    { "ipv4", "arp_announce" },
    { "ipv4", "arp_filter" },
    [PROMOTE] = { "ipv4", "promote_secondaries" },
};

/* Looking */

static int take(const struct nlmsghdr *message, void *data)
{
    return uplink_take(data, message);
}

static int dump_all(int sock, struct uplink *uplink)
{
    static const struct {
        int type, family;
    } dumps[] = { { RTM_GETADDR, AF_INET },
                  { RTM_GETADDR, AF_INET6 },
                  { RTM_GETROUTE, AF_INET },
                  { RTM_GETROUTE, AF_INET6 } };
    int r = 0;

    uplink->count = 0;
    for (size_t i = 0; i < sizeof(dumps) / sizeof(dumps[0]) && r == 0; i++)
        r = route_talk_dump(sock, dumps[i].type, dumps[i].family, take, uplink);
    return r;
}

/* Of the device that is named there. */
static int look(int sock, struct uplink *uplink)
{
    struct link_state link;
    int r = link_get(uplink->device, &link);

    if (r < 0)
        return r;
    uplink->ifindex = link.ifindex;
    uplink->device_mac = link.mac;
    r = -EAGAIN;
    for (int i = 0; i < DUMP_TRIES && r == -EAGAIN; i++)
        r = dump_all(sock, uplink);
    return r;
}

int uplink_look(const char *device, struct uplink **ret)
{
    _cleanup_(freep) struct uplink *uplink = calloc(1, sizeof(*uplink));
    _cleanup_(closep) int sock = route_talk_open();
    int r;

    if (!uplink || sock < 0)
        return uplink ? sock : -ENOMEM;
    snprintf(uplink->device, sizeof(uplink->device), "%s", device);
    r = look(sock, uplink);
    if (r < 0)
        return r;
    *ret = steal_ptr(&uplink);
    return 0;
}

/* Settings */

static void setting_path(char ret[96], const char *device, size_t i)
{
    snprintf(ret, 96, "net/%s/conf/%s/%s", settings[i].family, device, settings[i].name);
}

static void record_settings(struct uplink_record *record)
{
    char path[96];

    for (size_t i = 0; i < UPLINK_SETTINGS; i++) {
        setting_path(path, record->uplink.bridge, i);
        if (sysctl_read(path, record->settings[i], UPLINK_SETTING_MAX) < 0)
            record->settings[i][0] = '\0';
    }
}

static void write_setting(const char *device, size_t i, const char *value)
{
    char path[96], now[UPLINK_SETTING_MAX];

    setting_path(path, device, i);
    /* Also what is written and the same begins things anew. */
    if (*value && sysctl_read(path, now, sizeof(now)) == 0 && strcmp(now, value) != 0)
        (void)sysctl_write(path, value);
}

static void copy_settings(const struct uplink *uplink)
{
    char path[96], value[UPLINK_SETTING_MAX];

    for (size_t i = 0; i < UPLINK_SETTINGS; i++) {
        setting_path(path, uplink->device, i);
        if (sysctl_read(path, value, sizeof(value)) == 0)
            write_setting(uplink->bridge, i, value);
    }
}

/* Steps */

struct hands {
    int sock;
    const struct uplink *uplink;
    int device, bridge; /* their indexes now; 0: it is gone */
};

/* Done before, or taken away by somebody. */
static int forgive(const struct uplink_step *step, int error)
{
    if (step->verb == UPLINK_ADD)
        return error == -EEXIST ? 0 : error;
    if (step->verb == UPLINK_REMOVE)
        return error == -EADDRNOTAVAIL || error == -ESRCH || error == -ENOENT ? 0 : error;
    return error;
}

/* There may be the copy, and what a router has said since. */
static bool is_learned_and_goes(const struct uplink_step *step)
{
    return step->verb == UPLINK_REMOVE && uplink_entry_is_learned(step->entry);
}

static int do_entry(const struct hands *hands, const struct uplink_step *step)
{
    const struct uplink_place place = { .from = hands->uplink->ifindex,
                                        .to = step->on_bridge ? hands->bridge : hands->device };
    uint32_t buf[UPLINK_MESSAGE_MAX / sizeof(uint32_t)];
    struct nlmsghdr *message = uplink_entry_request(step->entry, step->verb, place, buf);
    int r = message ? route_talk_ask(hands->sock, message) : -E2BIG;

    for (int i = 0; i < COPIES_MAX && r == 0 && is_learned_and_goes(step); i++)
        r = route_talk_ask(hands->sock, message);
    return forgive(step, r);
}

/* What somebody has removed has taken with it all that it had. */
static bool is_gone(const struct hands *hands, const struct uplink_step *step)
{
    bool of_bridge = step->action != UPLINK_ENTRY || step->on_bridge;
    bool of_device =
        step->action == UPLINK_ENTRY ? !step->on_bridge : step->action != UPLINK_TAKE_MAC;

    return (of_bridge && !hands->bridge) || (of_device && !hands->device);
}

static int do_step(const struct hands *hands, const struct uplink_step *step)
{
    const struct link_change mac = { .mac = step->mac };
    const struct link_change join = { .master = hands->bridge }, leave = { .master = -1 };

    switch (step->action) {
    case UPLINK_TAKE_MAC:
        return link_set(hands->bridge, &mac);
    case UPLINK_JOIN:
        return link_set(hands->device, &join);
    case UPLINK_LEAVE:
        return link_set(hands->device, &leave);
    default:
        return do_entry(hands, step);
    }
}

/* *ret: 0 where there is none of that name. */
static int find_index(const char *name, int *ret)
{
    struct link_state link;
    int r = link_get(name, &link);

    *ret = r == 0 ? link.ifindex : 0;
    return r == -ENODEV ? 0 : r;
}

/* The one that is in the bridge, whatever its name is by now. */
static int find_device(const struct uplink *uplink, int bridge, int *ret)
{
    char name[IF_NAMESIZE];
    struct link_state link;

    *ret = uplink->ifindex;
    if (bridge && if_indextoname((unsigned)uplink->ifindex, name) && link_get(name, &link) == 0 &&
        link.master == bridge)
        return 0;
    return find_index(uplink->device, ret);
}

static int begin(struct hands *hands, const struct uplink *uplink)
{
    int r = find_index(uplink->bridge, &hands->bridge);

    if (r == 0)
        r = find_device(uplink, hands->bridge, &hands->device);
    if (r < 0)
        return r;
    hands->uplink = uplink;
    hands->sock = route_talk_open();
    return hands->sock < 0 ? hands->sock : 0;
}

/* There */

static int record_new(int dir_fd, struct uplink_record *record)
{
    struct uplink *uplink = &record->uplink;
    struct link_state bridge;
    _cleanup_(closep) int sock = route_talk_open();
    int r = sock < 0 ? sock : look(sock, uplink);

    if (r == 0)
        r = link_get(uplink->bridge, &bridge);
    if (r < 0)
        return r;
    if (!bridge.bridge)
        return -ENOTSUP;
    uplink->bridge_mac = bridge.mac;
    uplink_prune(uplink);
    record_settings(record);
    return uplink_record_write(dir_fd, record);
}

static int move(const struct uplink *uplink)
{
    struct uplink_step steps[UPLINK_STEPS_MAX];
    struct hands hands;
    size_t count = uplink_plan_there(uplink, steps);
    int r = begin(&hands, uplink);

    if (r < 0)
        return r;
    copy_settings(uplink);
    for (size_t i = 0; i < count && r == 0; i++)
        r = is_gone(&hands, &steps[i]) ? -ENODEV : do_step(&hands, &steps[i]);
    close(hands.sock);
    return r;
}

int uplink_there(int dir_fd, const char *network, const char *device, const char *bridge,
                 long long until)
{
    _cleanup_(freep) struct uplink_record *record = calloc(1, sizeof(*record));
    int r;

    if (!record)
        return -ENOMEM;
    record->until = until;
    snprintf(record->network, sizeof(record->network), "%s", network);
    snprintf(record->uplink.device, sizeof(record->uplink.device), "%s", device);
    snprintf(record->uplink.bridge, sizeof(record->uplink.bridge), "%s", bridge);
    r = record_new(dir_fd, record);
    if (r == 0)
        r = move(&record->uplink);
    if (r < 0)
        return r;
    record->phase = UPLINK_MOVED;
    return uplink_record_write(dir_fd, record);
}

/* Back */

/* What somebody has changed since it was moved stays changed. A bridge that is removed is no word
 * about what was on it: the host would be left without. */
static int begin_return(int dir_fd, struct uplink_record *record)
{
    _cleanup_(freep) struct uplink *now = NULL;
    int r = uplink_look(record->uplink.bridge, &now);

    if (r < 0 && r != -ENODEV)
        return r;
    if (r == 0)
        uplink_follow(&record->uplink, now);
    record->phase = UPLINK_RETURNING;
    /* Where it cannot be written, on a full disk, the way back is more than the note of it: whoever
     * has to begin anew finds on the bridge what is still to come. */
    (void)uplink_record_write(dir_fd, record);
    return 0;
}

/* All that can be had. Returns what was the first fault. */
static int restore(const struct uplink_record *record)
{
    struct uplink_step steps[UPLINK_STEPS_MAX];
    struct hands hands;
    size_t count = uplink_plan_back(&record->uplink, steps);
    int worst = 0, r = begin(&hands, &record->uplink);

    if (r < 0)
        return r;
    write_setting(record->uplink.bridge, PROMOTE, "1"); /* others' addresses there stay */
    for (size_t i = 0; i < count; i++) {
        r = is_gone(&hands, &steps[i]) ? 0 : do_step(&hands, &steps[i]);
        worst = worst ? worst : r;
    }
    for (size_t i = 0; i < UPLINK_SETTINGS; i++)
        write_setting(record->uplink.bridge, i, record->settings[i]);
    close(hands.sock);
    return worst;
}

int uplink_back(int dir_fd, const char *device)
{
    _cleanup_(freep) struct uplink_record *record = NULL;
    int r = uplink_record_read(dir_fd, device, &record);

    if (r == -ENOENT)
        return 0;
    if (r == 0 && record->phase == UPLINK_MOVED)
        r = begin_return(dir_fd, record);
    if (r == 0)
        r = restore(record);
    return r == 0 ? uplink_record_remove(dir_fd, device) : r;
}
