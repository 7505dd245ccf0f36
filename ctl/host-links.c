/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ctl/host-links.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#define SYS_NET "/sys/class/net"

static void link_free(gpointer p)
{
    NrHostLink *link = p;

    g_free(link->name);
    g_free(link->master);
    g_free(link->address);
    g_free(link);
}

NrHostLink *nr_host_link_new(const char *name)
{
    NrHostLink *link = g_new0(NrHostLink, 1);

    link->name = g_strdup(name);
    return link;
}

GPtrArray *nr_host_links_new(void)
{
    return g_ptr_array_new_with_free_func(link_free);
}

const NrHostLink *nr_host_links_find(const GPtrArray *links, const char *name)
{
    for (guint i = 0; i < links->len; i++) {
        const NrHostLink *link = links->pdata[i];

        if (g_str_equal(link->name, name))
            return link;
    }
    return NULL;
}

/* A number of the device's folder, in any base; 0 where there is none. */
static guint64 read_number(const char *name, const char *attribute)
{
    g_autofree char *path = g_build_filename(SYS_NET, name, attribute, NULL);
    g_autofree char *text = NULL;

    return g_file_get_contents(path, &text, NULL, NULL) ? g_ascii_strtoull(text, NULL, 0) : 0;
}

static NrHostLink *link_read(const char *name)
{
    NrHostLink *link = nr_host_link_new(name);
    g_autofree char *bridge = g_build_filename(SYS_NET, name, "bridge", NULL);
    g_autofree char *master = g_build_filename(SYS_NET, name, "master", NULL);
    g_autofree char *target = g_file_read_link(master, NULL);

    link->bridge = g_file_test(bridge, G_FILE_TEST_IS_DIR);
    link->master = target ? g_path_get_basename(target) : NULL;
    link->up = read_number(name, "flags") & IFF_UP;
    link->tap = read_number(name, "tun_flags") & IFF_TAP;
    return link;
}

static guint prefix_of(const guint8 *mask, gsize length)
{
    guint bits = 0;

    for (gsize i = 0; i < length; i++)
        bits += (guint)__builtin_popcount(mask[i]);
    return bits;
}

/* New string; NULL where it is of no family of ours, or link-local, which each device has. */
static char *address_format(const struct ifaddrs *entry)
{
    const struct sockaddr_in *v4 = (const void *)entry->ifa_addr;
    const struct sockaddr_in6 *v6 = (const void *)entry->ifa_addr;
    const struct sockaddr_in *mask4 = (const void *)entry->ifa_netmask;
    const struct sockaddr_in6 *mask6 = (const void *)entry->ifa_netmask;
    char text[INET6_ADDRSTRLEN];

    if (!v4 || !mask4)
        return NULL;
    if (v4->sin_family == AF_INET && inet_ntop(AF_INET, &v4->sin_addr, text, sizeof(text)))
        return g_strdup_printf("%s/%u", text,
                               prefix_of((const void *)&mask4->sin_addr, sizeof(mask4->sin_addr)));
    if (v4->sin_family == AF_INET6 && !IN6_IS_ADDR_LINKLOCAL(&v6->sin6_addr) &&
        inet_ntop(AF_INET6, &v6->sin6_addr, text, sizeof(text)))
        return g_strdup_printf("%s/%u", text,
                               prefix_of((const void *)&mask6->sin6_addr, sizeof(v6->sin6_addr)));
    return NULL;
}

static void read_addresses(const GPtrArray *links)
{
    struct ifaddrs *all = NULL;

    if (getifaddrs(&all) < 0)
        return;
    for (const struct ifaddrs *entry = all; entry; entry = entry->ifa_next) {
        NrHostLink *link = (NrHostLink *)nr_host_links_find(links, entry->ifa_name);

        if (link && !link->address)
            link->address = address_format(entry);
    }
    freeifaddrs(all);
}

static int compare_links(gconstpointer a, gconstpointer b)
{
    const NrHostLink *const *x = a, *const *y = b;

    return strcmp((*x)->name, (*y)->name);
}

GPtrArray *nr_host_links_read(void)
{
    GPtrArray *links = nr_host_links_new();
    g_autoptr(GDir) dir = g_dir_open(SYS_NET, 0, NULL);
    const char *name;

    while (dir && (name = g_dir_read_name(dir)))
        g_ptr_array_add(links, link_read(name));
    g_ptr_array_sort(links, compare_links);
    read_addresses(links);
    return links;
}
