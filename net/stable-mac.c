/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "net/stable-mac.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>
#include "common/scope.h"
#include "common/siphash.h"

#define ID_MAX   33 /* 32 hexadecimal digits */
#define TEXT_MAX 512

static bool read_machine_id(char ret[ID_MAX])
{
    _cleanup_(closep) int fd = open("/etc/machine-id", O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, ret, ID_MAX - 1);

    ret[n > 0 ? n : 0] = '\0';
    return strlen(ret) == ID_MAX - 1;
}

/* Containers of one image may have one id. */
static uint64_t namespace_id(void)
{
    struct stat st;

    return stat("/proc/self/ns/net", &st) < 0 ? 0 : st.st_ino;
}

int stable_mac(uint8_t first, const char *words, struct mac *ret)
{
    /* No secret, but the id itself is not to be seen from outside. */
    static const uint64_t key[2] = { 0x6e65747265006c61, 0x79206d6163732031 };
    union {
        char text[TEXT_MAX];
        uint64_t words[TEXT_MAX / sizeof(uint64_t)];
    } all = { .text = "" };
    char id[ID_MAX];
    uint64_t hash;

    if (read_machine_id(id)) {
        snprintf(all.text, sizeof(all.text), "%s %" PRIu64 " %s", id, namespace_id(), words);
        hash = siphash(key, all.words, sizeof(all.words) / sizeof(all.words[0]));
    } else if (getrandom(&hash, sizeof(hash), 0) != sizeof(hash)) {
        return -EIO;
    }
    memcpy(ret->b, &hash, MAC_LEN);
    ret->b[0] = first;
    return 0;
}
