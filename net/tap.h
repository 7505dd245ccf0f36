/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * TAP devices: TUNSETIFF by us (the kernel refuses to make one by rtnetlink), no packet
 * information, non-persistent: a TAP of ours goes with its last descriptor. One that we make has
 * virtio headers (struct virtio_net_hdr, 10 bytes) before its frames, and offers the kernel to
 * take TCP and UDP uncut and checksums only begun; one that was there is used as it is.
 */
#ifndef NR_NET_TAP_H
#define NR_NET_TAP_H

#define TAP_NAME_MAX 16 /* IFNAMSIZ */

/*
 * Makes a TAP; pattern may hold %d. Returns a non-blocking, close-on-exec descriptor that is the
 * caller's, and the name the kernel chose. -EPERM: CAP_NET_ADMIN is missing. -EACCES: /dev/net/tun
 * may not be opened; -ENXIO: it is not there.
 */
int tap_create(const char *pattern, char ret_name[TAP_NAME_MAX]);
/* Opens an existing persistent TAP by name, as its owner may: -EPERM for others. -ENODEV where
 * there is none; and as above. */
int tap_open(const char *name);
/* How long the virtio header before each frame is, 0 where there is none; negative errno. It may
 * take its time, as all that asks a TAP: whoever changes links anywhere is waited for. */
int tap_head_size(int fd);
/* The name of the TAP behind a descriptor: 0, or -EBADFD where it is not one. */
int tap_name(int fd, char ret_name[TAP_NAME_MAX]);

#endif
