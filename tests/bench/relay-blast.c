/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Frames of one size, through one descriptor and out of another, as fast as it goes.
 *
 *   relay-blast OUT IN SIZE SECONDS DST-MAC-BYTE [BATCH]
 *
 * Written are BATCH bytes of whole frames at a time (256 KiB; 1 frame is QEMU's way). What arrives
 * is counted, not looked at: tests/relay/load.c looks. Prints frames a second.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define HEADER 4
#define BATCH  (256 * 1024)

static uint8_t in_buf[1024 * 1024];
static uint8_t out_buf[BATCH + 70000];

static double now_s(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* As many whole frames as fit, one at least; returns their bytes. */
static size_t fill(size_t size, size_t batch, uint8_t dst)
{
    const uint8_t header[HEADER] = { 0, (uint8_t)(size >> 16), (uint8_t)(size >> 8),
                                     (uint8_t)size };
    const uint8_t macs[14] = { 0x52, 0x54, 0, 0, 0, dst, 0x52, 0x54, 0, 0, 0, 1, 0x88, 0xb5 };
    size_t at = 0;

    do {
        memcpy(out_buf + at, header, HEADER);
        memcpy(out_buf + at + HEADER, macs, sizeof(macs));
        at += HEADER + size;
    } while (at + HEADER + size <= batch);
    return at;
}

static ssize_t must(ssize_t n)
{
    if (n < 0 && errno != EAGAIN) {
        perror("relay-blast");
        exit(1);
    }
    return n < 0 ? 0 : n;
}

static double blast(int out, int in, size_t len, double seconds)
{
    struct pollfd polls[2] = { { .fd = out, .events = POLLOUT }, { .fd = in, .events = POLLIN } };
    double began = now_s(), now = began;
    size_t at = 0;
    double received = 0;

    while ((now = now_s()) - began < seconds) {
        poll(polls, 2, 100);
        if (polls[0].revents)
            at = (at + (size_t)must(write(out, out_buf + at, len - at))) % len;
        if (polls[1].revents)
            received += (double)must(read(in, in_buf, sizeof(in_buf)));
    }
    return received / (now - began);
}

int main(int argc, char **argv)
{
    size_t size, batch;
    int out, in;

    if (argc < 6) {
        fprintf(stderr, "usage: relay-blast OUT IN SIZE SECONDS DST [BATCH]\n");
        return 2;
    }
    out = atoi(argv[1]);
    in = atoi(argv[2]);
    size = strtoul(argv[3], NULL, 10);
    batch = argc > 6 ? strtoul(argv[6], NULL, 10) : BATCH;
    if (size < 14 || size > 69632 || batch > BATCH)
        return 2;
    fcntl(out, F_SETFL, O_NONBLOCK);
    fcntl(in, F_SETFL, O_NONBLOCK);
    printf("%.0f\n", blast(out, in, fill(size, batch, (uint8_t)atoi(argv[5])), atof(argv[4])) /
                         (double)(size + HEADER));
    return 0;
}
