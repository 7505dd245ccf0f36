/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "net/tap.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <linux/virtio_net.h>
#include <string.h>
#include <sys/ioctl.h>
#include "common/scope.h"

#ifndef TUN_F_USO4 /* headers before Linux 6.2 */
#define TUN_F_USO4 0x20
#define TUN_F_USO6 0x40
#endif

unsigned if_nametoindex(const char *name); /* <net/if.h> does not go with <linux/if.h> */

/* What this call refuses has to be told from what is refused of a device. */
static int open_tun(void)
{
    int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);

    if (fd >= 0)
        return fd;
    if (errno == ENOENT || errno == ENOTDIR || errno == ENODEV)
        return -ENXIO;
    return errno == EPERM ? -EACCES : -errno; /* a container's rules for devices */
}

static int attach(const char *name, short flags, struct ifreq *ret)
{
    _cleanup_(closep) int fd = -1;

    *ret = (struct ifreq){ .ifr_flags = (short)(IFF_TAP | IFF_NO_PI | flags) };
    if (!name[0] || strlen(name) >= IFNAMSIZ)
        return -EINVAL;
    strcpy(ret->ifr_name, name);
    fd = open_tun();
    if (fd < 0)
        return fd;
    if (ioctl(fd, TUNSETIFF, ret) < 0)
        return -errno;
    return steal_fd(&fd);
}

/*
 * What the kernel may leave to us, most first: checksums, and cutting of TCP and UDP. With fewer of
 * them it only does more itself.
 */
static int offer_offloads(int fd)
{
    static const unsigned offers[] = {
        TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 | TUN_F_TSO_ECN | TUN_F_USO4 | TUN_F_USO6,
        TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 | TUN_F_TSO_ECN,
        0,
    };
    int size = sizeof(struct virtio_net_hdr);

    if (ioctl(fd, TUNSETVNETHDRSZ, &size) < 0)
        return -errno;
    for (size_t i = 0; i < sizeof(offers) / sizeof(offers[0]); ++i)
        if (ioctl(fd, TUNSETOFFLOAD, offers[i]) == 0)
            return 0;
    return -errno;
}

int tap_create(const char *pattern, char ret_name[TAP_NAME_MAX])
{
    struct ifreq ifr;
    /* Exclusively: it is not to become the TAP of somebody who had the name first. */
    _cleanup_(closep) int fd = attach(pattern, (short)(IFF_TUN_EXCL | IFF_VNET_HDR), &ifr);
    int r;

    if (fd < 0)
        return fd;
    r = offer_offloads(fd);
    if (r < 0)
        return r;
    memcpy(ret_name, ifr.ifr_name, TAP_NAME_MAX);
    return steal_fd(&fd);
}

int tap_open(const char *name)
{
    _cleanup_(closep) int fd = -1;
    struct ifreq ifr;

    if (if_nametoindex(name) == 0)
        return -ENODEV;
    fd = attach(name, 0, &ifr);
    if (fd < 0)
        return fd;
    /* It went away after we had looked, and we have just made one: not what was asked for. */
    if (ioctl(fd, TUNGETIFF, &ifr) < 0 || !(ifr.ifr_flags & IFF_PERSIST))
        return -ENODEV;
    /* Whoever had it before may have switched on frames larger than the MTU and empty checksums. */
    if (ioctl(fd, TUNSETOFFLOAD, 0) < 0)
        return -errno;
    return steal_fd(&fd);
}

int tap_head_size(int fd)
{
    struct ifreq ifr = { 0 };
    int size = 0;

    if (ioctl(fd, TUNGETIFF, &ifr) < 0)
        return -errno;
    if (!(ifr.ifr_flags & IFF_VNET_HDR))
        return 0;
    if (ioctl(fd, TUNGETVNETHDRSZ, &size) < 0)
        return -errno;
    return size < (int)sizeof(struct virtio_net_hdr) ? -ENOTSUP : size;
}

int tap_name(int fd, char ret_name[TAP_NAME_MAX])
{
    struct ifreq ifr = { 0 };

    if (ioctl(fd, TUNGETIFF, &ifr) < 0)
        return -EBADFD;
    /* IFF_NO_PI tells nothing here: the kernel uses its bit for IFF_NOFILTER in this answer. */
    if (!(ifr.ifr_flags & IFF_TAP))
        return -EBADFD;
    memcpy(ret_name, ifr.ifr_name, TAP_NAME_MAX);
    return 0;
}
