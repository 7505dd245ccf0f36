/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "common/mac.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

int mac_parse(struct mac *ret, const char *text)
{
    struct mac mac;

    for (int i = 0; i < MAC_LEN; i++) {
        int high = hex_digit(*text);
        int low = high < 0 ? -1 : hex_digit(text[1]); /* never looks past the NUL */

        if (low < 0 || text[2] != (i < MAC_LEN - 1 ? ':' : '\0'))
            return -EINVAL;
        mac.b[i] = (uint8_t)(high << 4 | low);
        text += 3;
    }
    *ret = mac;
    return 0;
}

const char *mac_format(struct mac mac, char buf[MAC_TEXT_MAX])
{
    snprintf(buf, MAC_TEXT_MAX, "%02x:%02x:%02x:%02x:%02x:%02x", mac.b[0], mac.b[1], mac.b[2],
             mac.b[3], mac.b[4], mac.b[5]);
    return buf;
}

bool mac_equal(struct mac a, struct mac b)
{
    return memcmp(a.b, b.b, MAC_LEN) == 0;
}

bool mac_is_multicast(struct mac mac)
{
    return mac.b[0] & 1;
}

bool mac_is_zero(struct mac mac)
{
    return mac_equal(mac, (struct mac){ 0 });
}
