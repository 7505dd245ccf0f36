/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * TCP segments that follow on one another, for a kernel that takes them in one piece
 * (virtio_net_hdr). Payloads stay where they are; only the headers are written anew. What it says
 * of the checksum is vouched for: a segment whose own is wrong is not taken. Pure.
 */
#ifndef NR_RELAY_MERGE_H
#define NR_RELAY_MERGE_H

#include <linux/virtio_net.h>
#include <sys/uio.h>
#include "relay/packet.h"

#define MERGE_FRAMES 64

struct merge {
    struct packet packet;
    struct frame first;
    unsigned n; /* frames */
    bool is_open;
    bool is_checked; /* the first one's checksums */
    bool pushes;     /* the last one has PSH */
    uint32_t next;   /* sequence number */
    size_t size;     /* of a payload */
    size_t payload;  /* of all */
    size_t bytes;    /* of all frames, as they came */
    uint8_t headers[PACKET_HEADERS_MAX];
    struct iovec iov[MERGE_FRAMES]; /* payloads */
};

/* The frames must stay until the merge is done with. */
void merge_begin(struct merge *merge, struct frame first);
/* False: it is not what follows, so the merge ends before it. */
bool merge_add(struct merge *merge, struct frame frame);
/* Fills in head and iov[0..], which has MERGE_FRAMES + 1 places, and returns how many are used. */
size_t merge_end(struct merge *merge, struct virtio_net_hdr *head, struct iovec *iov);

#endif
