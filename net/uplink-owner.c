/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "net/uplink-owner.h"

#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "common/scope.h"
#include "net/link.h"
#include "net/uplink.h"

#define PATH_BYTES 128
#define TEXT_BYTES 4096

static enum uplink_verdict say(char reason[UPLINK_REASON_MAX], enum uplink_verdict verdict,
                               const char *format, ...) __attribute__((format(printf, 3, 4)));

static enum uplink_verdict say(char reason[UPLINK_REASON_MAX], enum uplink_verdict verdict,
                               const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(reason, UPLINK_REASON_MAX, format, args);
    va_end(args);
    return verdict;
}

/* What files say: "" where there is none. */
static void read_text(const char *path, char ret[TEXT_BYTES])
{
    _cleanup_(closep) int fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    ssize_t n = fd < 0 ? 0 : read(fd, ret, TEXT_BYTES - 1);

    ret[n > 0 ? n : 0] = '\0';
}

/* Who cares for it. Each of them leaves a sign that others may read. */

/* A lease of IPv4 runs down; of IPv6 the kernel itself sees to what routers advertise. */
static bool has_lease(const char *device)
{
    _cleanup_(freep) struct uplink *uplink = NULL;
    bool lease = false;

    if (uplink_look(device, &uplink) < 0)
        return false;
    for (size_t i = 0; i < uplink->count && !lease; i++)
        lease = uplink_entry_is_address(&uplink->entries[i]) &&
                uplink_entry_is_timed(&uplink->entries[i]) &&
                !uplink_entry_is_advertised(&uplink->entries[i]);
    return lease;
}

static bool by_network_manager(int ifindex)
{
    char path[PATH_BYTES], text[TEXT_BYTES];

    snprintf(path, sizeof(path), "/run/NetworkManager/devices/%d", ifindex);
    read_text(path, text);
    return strstr(text, "connection-uuid=") != NULL;
}

static bool by_networkd(int ifindex)
{
    char path[PATH_BYTES], text[TEXT_BYTES];

    snprintf(path, sizeof(path), "/run/systemd/netif/links/%d", ifindex);
    read_text(path, text);
    return strstr(text, "NETWORK_FILE=") && !strstr(text, "ADMIN_STATE=unmanaged");
}

/* The file of a client that was killed stays: only that of a living process counts. */
static bool is_alive(const char *path)
{
    char text[TEXT_BYTES], proc[PATH_BYTES];
    long pid;

    read_text(path, text);
    pid = strtol(text, NULL, 10);
    snprintf(proc, sizeof(proc), "/proc/%ld", pid);
    return pid > 0 && access(proc, F_OK) == 0;
}

static bool by_dhcp_client(const char *device)
{
    static const char *const files[] = {
        "/run/dhclient.%s.pid", "/run/dhclient-%s.pid", "/run/dhclient6.%s.pid",
        "/run/dhcpcd/%s.pid",   "/run/dhcpcd/%s-4.pid", "/run/dhcpcd-%s.pid",
        "/run/udhcpc.%s.pid",
    };
    char path[PATH_BYTES];

    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        /* The formats are those above, each with one %s. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
        snprintf(path, sizeof(path), files[i], device);
#pragma GCC diagnostic pop
        if (is_alive(path))
            return true;
    }
    return false;
}

static enum uplink_verdict judge_owner(const char *device, int ifindex,
                                       char reason[UPLINK_REASON_MAX])
{
    const char *who = by_network_manager(ifindex)                   ? "NetworkManager"
                      : by_networkd(ifindex)                        ? "systemd-networkd"
                      : by_dhcp_client(device) || has_lease(device) ? "a DHCP client"
                                                                    : NULL;

    if (!who)
        return UPLINK_FREE;
    return say(reason, UPLINK_OWNED,
               "%s looks after %s, and would give it back what is moved away, or take it from the "
               "bridge; have it look after the bridge and leave %s alone, or insist with "
               "netrelayctl net-start --force",
               who, device, device);
}

/* What it is */

static bool has_part(const char *device, const char *part)
{
    char path[PATH_BYTES];

    snprintf(path, sizeof(path), "/sys/class/net/%s/%s", device, part);
    return access(path, F_OK) == 0;
}

static enum uplink_verdict judge_master(const char *device, int master, const char *bridge,
                                        char reason[UPLINK_REASON_MAX])
{
    char name[IF_NAMESIZE];

    if (!if_indextoname((unsigned)master, name))
        snprintf(name, sizeof(name), "another device");
    if (strcmp(name, bridge) == 0)
        return say(
            reason, UPLINK_ELSEWHERE,
            "%s is in %s already, and not by netrelay; leave out dev='%s', and the bridge is "
            "used as it is",
            device, bridge, device);
    return say(reason, UPLINK_ELSEWHERE, "%s belongs to %s already; name that one, or take it out",
               device, name);
}

static enum uplink_verdict judge_kind(const char *device, const struct link_state *link,
                                      char reason[UPLINK_REASON_MAX])
{
    if (link->bridge)
        return say(reason, UPLINK_UNFIT,
                   "%s is a bridge, and a bridge cannot be in another; name it as the <bridge>",
                   device);
    if (!link->ethernet)
        return say(
            reason, UPLINK_UNFIT,
            "%s is not an Ethernet device, and no other can be in a bridge; route instead of "
            "bridging, mode='route' or 'nat'",
            device);
    if (link->narrow)
        return say(reason, UPLINK_UNFIT,
                   "%s is a macvlan or ipvlan, and gets only frames of its own address; route "
                   "instead of bridging, mode='route' or 'nat'",
                   device);
    if (has_part(device, "wireless") || has_part(device, "phy80211"))
        return say(reason, UPLINK_UNFIT,
                   "%s is wireless, and an access point takes only frames of its own address; "
                   "route instead of bridging, mode='route' or 'nat'",
                   device);
    return UPLINK_FREE;
}

/* Of frames there is one taker: a VLAN on top is none, for it gets those with its tag before. */
static enum uplink_verdict judge_taken(const char *device, int ifindex,
                                       char reason[UPLINK_REASON_MAX])
{
    char taker[LINK_NAME_MAX];

    if (link_taken_by(ifindex, taker) < 0 || !*taker)
        return UPLINK_FREE;
    return say(reason, UPLINK_UNFIT,
               "%s takes the frames that come in by %s, so no bridge can; take %s away, or route "
               "instead of bridging, mode='route' or 'nat'",
               taker, device, taker);
}

enum uplink_verdict uplink_judge(const char *device, const char *bridge,
                                 char reason[UPLINK_REASON_MAX])
{
    enum uplink_verdict verdict;
    struct link_state link;

    *reason = '\0';
    if (link_get(device, &link) < 0)
        return say(reason, UPLINK_ABSENT, "there is no device %s", device);
    verdict = judge_kind(device, &link, reason);
    if (verdict == UPLINK_FREE && link.master)
        verdict = judge_master(device, link.master, bridge, reason);
    if (verdict == UPLINK_FREE)
        verdict = judge_taken(device, link.ifindex, reason);
    return verdict == UPLINK_FREE ? judge_owner(device, link.ifindex, reason) : verdict;
}
