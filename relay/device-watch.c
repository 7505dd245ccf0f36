/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "relay/device-watch.h"

#include <stddef.h>
#include <unistd.h>
#include "net/link.h"
#include "relay/keeper.h"

#define LOOK_AGAIN_MS 100 /* after a change of devices, which come in swarms */

#define container(p, type, member) ((type *)((char *)(p)-offsetof(type, member)))

static void on_timer(struct loop_timer *timer)
{
    struct keeper *keeper = container(timer, struct keeper, links_timer);

    for (struct attachment *a = keeper->attachments; a; a = a->next)
        if (a->ops->devices_changed)
            a->ops->devices_changed(a);
}

static void on_change(struct loop_io *io, uint32_t revents)
{
    struct keeper *keeper = container(io, struct keeper, links);

    link_monitor_drain(io->fd);
    if (!keeper->links_timer.armed)
        loop_timer_in(&keeper->loop, &keeper->links_timer, LOOK_AGAIN_MS);
}

void device_watch(struct keeper *keeper)
{
    int fd;

    if (keeper->links.fd >= 0)
        return;
    fd = link_monitor_open();
    if (fd < 0)
        return;
    link_monitor_add_addresses(fd);
    keeper->links.on_io = on_change;
    keeper->links_timer.on_timer = on_timer;
    if (loop_add(&keeper->loop, &keeper->links, fd, EPOLLIN) < 0) {
        keeper->links.fd = -1;
        close(fd);
    }
}
