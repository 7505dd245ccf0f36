/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "netns.h"

#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <net/if.h>
#include <netlink/netlink.h>
#include <netlink/route/addr.h>
#include <netlink/route/link.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

static bool is_root;

static void write_file(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);

    g_assert_cmpint(fd, >=, 0);
    g_assert_cmpint(write(fd, text, strlen(text)), ==, (ssize_t)strlen(text));
    close(fd);
}

void netns_enter(void)
{
    uid_t uid = geteuid();

    is_root = uid == 0;
    if (is_root) {
        g_assert_no_errno(unshare(CLONE_NEWNET));
    } else {
        g_autofree char *map = g_strdup_printf("0 %u 1", (unsigned)uid);

        if (unshare(CLONE_NEWUSER | CLONE_NEWNET) < 0) {
            g_print("1..0 # SKIP no user namespaces here: %s\n", g_strerror(errno));
            exit(0);
        }
        write_file("/proc/self/uid_map", map);
    }
    netns_link_up("lo", true);
}

bool netns_skip_without_tun(void)
{
    int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);
    char reason[128];

    if (fd >= 0) {
        close(fd);
        return false;
    }
    g_snprintf(reason, sizeof(reason), "/dev/net/tun: %s", g_strerror(errno));
    g_assert_false(is_root); /* root must run these */
    g_test_skip(reason);
    return true;
}

static struct nl_sock *route_socket(void)
{
    struct nl_sock *sock = nl_socket_alloc();

    g_assert_nonnull(sock);
    g_assert_cmpint(nl_connect(sock, NETLINK_ROUTE), ==, 0);
    return sock;
}

void netns_link_add(const char *name, const char *type)
{
    struct nl_sock *sock = route_socket();
    struct rtnl_link *link = rtnl_link_alloc();

    rtnl_link_set_name(link, name);
    g_assert_cmpint(rtnl_link_set_type(link, type), ==, 0);
    g_assert_cmpint(rtnl_link_add(sock, link, NLM_F_CREATE | NLM_F_EXCL), ==, 0);
    rtnl_link_put(link);
    nl_socket_free(sock);
    netns_link_up(name, true);
}

void netns_link_del(const char *name)
{
    struct nl_sock *sock = route_socket();
    struct rtnl_link *link = rtnl_link_alloc();

    rtnl_link_set_name(link, name);
    g_assert_cmpint(rtnl_link_delete(sock, link), ==, 0);
    rtnl_link_put(link);
    nl_socket_free(sock);
}

bool netns_link_exists(const char *name)
{
    return if_nametoindex(name) != 0;
}

struct link_state netns_link(const char *name)
{
    struct link_state state;

    g_assert_cmpint(link_get(name, &state), ==, 0);
    return state;
}

/* By ioctl: link_set() is under test, and cannot set down. */
void netns_link_up(const char *name, bool up)
{
    int sock = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    struct ifreq ifr = { 0 };

    g_strlcpy(ifr.ifr_name, name, sizeof(ifr.ifr_name));
    g_assert_no_errno(ioctl(sock, SIOCGIFFLAGS, &ifr));
    ifr.ifr_flags = (short)(up ? ifr.ifr_flags | IFF_UP : ifr.ifr_flags & ~IFF_UP);
    g_assert_no_errno(ioctl(sock, SIOCSIFFLAGS, &ifr));
    close(sock);
}

void netns_link_mtu(const char *name, uint32_t mtu)
{
    struct link_change change = { .mtu = mtu };

    g_assert_cmpint(link_set(netns_link(name).ifindex, &change), ==, 0);
}

void netns_link_mac(const char *name, const char *text)
{
    struct mac mac;
    struct link_change change = { .mac = &mac };

    g_assert_cmpint(mac_parse(&mac, text), ==, 0);
    g_assert_cmpint(link_set(netns_link(name).ifindex, &change), ==, 0);
}

void netns_enslave(const char *name, const char *master)
{
    struct link_change change = { .master = netns_link(master).ifindex };

    g_assert_cmpint(link_set(netns_link(name).ifindex, &change), ==, 0);
}

void netns_address_add(const char *name, const char *address)
{
    struct nl_sock *sock = route_socket();
    struct rtnl_addr *entry = rtnl_addr_alloc();
    struct nl_addr *local;

    g_assert_cmpint(nl_addr_parse(address, AF_UNSPEC, &local), ==, 0);
    rtnl_addr_set_ifindex(entry, netns_link(name).ifindex);
    g_assert_cmpint(rtnl_addr_set_local(entry, local), ==, 0);
    g_assert_cmpint(rtnl_addr_add(sock, entry, 0), ==, 0);
    nl_addr_put(local);
    rtnl_addr_put(entry);
    nl_socket_free(sock);
}

unsigned netns_link_count(void)
{
    struct if_nameindex *all = if_nameindex();
    unsigned count = 0;

    g_assert_nonnull(all);
    while (all[count].if_index != 0)
        count++;
    if_freenameindex(all);
    return count;
}
