/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a kernel leaves to a device that offers it (virtio_net_hdr): cutting TCP and UDP that was
 * sent in one piece into frames, and completing checksums. Pure.
 */
#ifndef NR_RELAY_SEGMENT_H
#define NR_RELAY_SEGMENT_H

#include <linux/virtio_net.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/*
 * buf has FRAMING_HEADER bytes of room and then a frame of len bytes, of which head tells what is
 * left to do. It becomes ordinary frames, each behind its length; returns their bytes, at most
 * room. -EBADMSG: the frame is not what head says; -EMSGSIZE: no room.
 */
ssize_t segment_frame(uint8_t *buf, size_t len, size_t room, const struct virtio_net_hdr *head);

#endif
