/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Bare relays: each does one thing with as few system calls as that takes, and nothing else. No
 * switching, no check, no queue, no care for a slow end. They say what the machine allows.
 */
#ifndef BENCH_REFERENCE_H
#define BENCH_REFERENCE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define BUFFER    (256 * 1024)
#define HEADER    4
#define FRAME_MAX 69632
#define ENDS_MAX  1100

struct ends {
    int fd[ENDS_MAX];
    unsigned count;
    unsigned number; /* the option: a frame's size, or which frame goes wrong */
};

/* Copies from one end to the other; called when it is readable. */
typedef void (*carry_fn)(struct ends *ends, unsigned from, unsigned to);

/* Ends 0 and 1 are a pair, 2 and 3, ...; a readable end is carried to the other one, for ever. */
int for_each_readable(struct ends *ends, carry_fn carry);

/* All of it, however long that takes; ends the process when the far end is gone. */
void send_all(int fd, const uint8_t *data, size_t len);

/* As much as is there; ends the process at the end of the stream. */
size_t receive(int fd, uint8_t *data, size_t len);

size_t frame_len(const uint8_t *header);
void write_header(uint8_t *header, size_t len);

int reference_copy(struct ends *ends);
int reference_awake(struct ends *ends);
int reference_fanout(struct ends *ends);
int reference_per_frame(struct ends *ends);
int reference_udp(struct ends *ends);
int reference_udp_gso(struct ends *ends);
int reference_tap(struct ends *ends);
int reference_tso(struct ends *ends);

/* Wrong on purpose: the benchmark has to notice. */
int reference_slow(struct ends *ends);
int reference_drops(struct ends *ends);
int reference_repeats(struct ends *ends);
int reference_changes(struct ends *ends);
int reference_swaps(struct ends *ends);
int reference_strays(struct ends *ends);

#endif
