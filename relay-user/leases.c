/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * There are two places for a note, and a number that says which one is whole: the other one is
 * written, then the number is, so a kill at any moment leaves the old note or the new one.
 */
#include "relay-user/leases.h"

#include <stdatomic.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include "common/companion.h"
#include "relay/log.h"

#define NOTE_MAX 2000

struct note {
    int32_t version; /* libslirp's, of its form */
    uint32_t len;
    uint8_t bytes[NOTE_MAX];
};

struct leases_memory {
    uint32_t whole; /* 0: none yet; 1, 2: note[whole - 1] */
    struct note note[2];
};

_Static_assert(sizeof(struct leases_memory) <= COMPANION_MEMORY, "two notes fit");

struct cursor {
    const struct note *note;
    uint32_t at;
};

static ssize_t read_note(void *buf, size_t len, void *opaque)
{
    struct cursor *cursor = opaque;

    if (len > cursor->note->len - cursor->at)
        len = cursor->note->len - cursor->at;
    memcpy(buf, cursor->note->bytes + cursor->at, len);
    cursor->at += (uint32_t)len;
    return (ssize_t)len;
}

/* One that does not fit is marked by its length. */
static ssize_t write_note(const void *buf, size_t len, void *opaque)
{
    struct note *note = opaque;

    if (note->len > NOTE_MAX || len > NOTE_MAX - note->len) {
        note->len = NOTE_MAX + 1;
        return (ssize_t)len;
    }
    memcpy(note->bytes + note->len, buf, len);
    note->len += (uint32_t)len;
    return (ssize_t)len;
}

static void restore(struct leases *leases)
{
    uint32_t whole = leases->memory->whole;
    struct cursor cursor = { 0 };

    if (whole < 1 || whole > 2)
        return;
    cursor.note = &leases->memory->note[whole - 1];
    if (cursor.note->len > NOTE_MAX)
        return;
    if (slirp_state_load(leases->slirp, cursor.note->version, read_note, &cursor) < 0)
        log_notice("which guest has which address is not known any more");
}

void leases_open(struct leases *leases, Slirp *slirp, int memory_fd)
{
    leases->slirp = slirp;
    leases->memory = mmap(NULL, COMPANION_MEMORY, PROT_READ | PROT_WRITE, MAP_SHARED, memory_fd, 0);
    if (leases->memory == MAP_FAILED) {
        leases->memory = NULL;
        return;
    }
    restore(leases);
}

static void store(struct leases *leases)
{
    struct leases_memory *memory = leases->memory;
    uint32_t next = memory->whole == 1 ? 2 : 1;
    struct note *note = &memory->note[next - 1];

    note->version = slirp_state_version();
    note->len = 0;
    slirp_state_save(leases->slirp, write_note, note);
    if (note->len > NOTE_MAX)
        return;
    atomic_signal_fence(memory_order_seq_cst); /* the process may die; its stores stay in order */
    *(volatile uint32_t *)&memory->whole = next;
}

/* An IPv4 datagram to the port of a DHCP server's; that some others look alike does no harm. */
static bool is_dhcp(struct frame frame)
{
    const uint8_t *ip = frame.data + FRAME_MIN;
    uint32_t header_len;

    if (frame.len < FRAME_MIN + 28 || frame.data[12] != 0x08 || frame.data[13] != 0x00)
        return false;
    header_len = (ip[0] & 0x0fu) * 4;
    if (ip[9] != IPPROTO_UDP || frame.len < FRAME_MIN + header_len + 4)
        return false;
    return ip[header_len + 2] == 0 && ip[header_len + 3] == 67;
}

void leases_follow(struct leases *leases, struct frame frame)
{
    if (leases->memory && is_dhcp(frame))
        store(leases);
}
