/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What whoever sent CTL_CAPTURE reads from the socket that went along: packets of whole records,
 * each a header and the frame's bytes, padded to 8; host byte order, as in ctl-proto.h. The end of
 * the socket is the capture's end, either way round.
 */
#ifndef NR_COMMON_CAPTURE_PROTO_H
#define NR_COMMON_CAPTURE_PROTO_H

#include <stdint.h>

#define CAPTURE_PACKET_MAX  (96 * 1024)
#define CAPTURE_SNAPLEN_MAX 69632 /* the longest frame */
#define CAPTURE_NAMES_MAX   64    /* ports and endpoints that one capture may name */
#define CAPTURE_PAD(n)      (((n) + 7u) & ~7u)

enum capture_kind {
    CAPTURE_BEGUN,  /* from here on nothing is left out unsaid; a new forwarder says it again, and
                       how many there were so far (length): those that neither came nor were told
                       of as missed went with the one before */
    CAPTURE_IN,     /* a frame that came in by this port */
    CAPTURE_OUT,    /* one that left by it, into its socket or its queue */
    CAPTURE_MISSED, /* so many (length) of this port were left out by now, their reader being slow;
                       port 0: of several */
};

struct capture_record {
    uint64_t time_ns; /* since the epoch: when its batch was read */
    uint32_t port_id;
    uint32_t kind;     /* enum capture_kind */
    uint32_t length;   /* of the frame */
    uint32_t captured; /* bytes of it that follow */
};

_Static_assert(sizeof(struct capture_record) == 24, "the record is part of the protocol");

#endif
