/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The network devices of this host, as anybody may see them: /sys/class/net and getifaddrs(). */
#ifndef NR_CTL_HOST_LINKS_H
#define NR_CTL_HOST_LINKS_H

#include <glib.h>

typedef struct {
    char *name;
    char *master; /* the name of the bridge (or so) that it is a member of, or NULL */
    gboolean bridge, tap, up;
    char
        *address; /* with its prefix, "192.168.9.1/24"; the first that is not link-local, or NULL */
} NrHostLink;

NrHostLink *nr_host_link_new(const char *name);
/* NrHostLink, by name. */
GPtrArray *nr_host_links_new(void);
GPtrArray *nr_host_links_read(void);
/* Borrowed, or NULL. */
const NrHostLink *nr_host_links_find(const GPtrArray *links, const char *name);

#endif
