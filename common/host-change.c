/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "common/host-change.h"

#include <stdio.h>
#include <string.h>

static const struct {
    const char *word;
    bool has_value;
} kinds[HOST_CHANGE_KINDS] = {
    [HOST_BRIDGE] = { "bridge", false },
    [HOST_ADDRESS] = { "address", true },
    [HOST_HEAR_ROUTERS] = { "hear-routers", false },
    [HOST_FORWARD_V4] = { "forward-v4", false },
    [HOST_FORWARD_V6] = { "forward-v6", false },
    [HOST_ROUTE] = { "route", true },
    [HOST_PROXY_NDP] = { "proxy-ndp", false },
    [HOST_PROXY] = { "proxy", true },
    [HOST_NAT] = { "nat", true },
    [HOST_GUARD_UDP] = { "guard-udp", false },
    [HOST_UPLINK] = { "uplink", true },
};

/* A word up to the next blank; *at is behind it. False: there is none, or it is too long. */
static bool take_word(const char **at, char *ret, size_t size)
{
    size_t length = strcspn(*at, " ");

    if (length == 0 || length >= size)
        return false;
    memcpy(ret, *at, length);
    ret[length] = '\0';
    *at += length;
    return true;
}

static bool take_blank(const char **at)
{
    return *(*at)++ == ' ';
}

static bool take_kind(const char **at, enum host_change_kind *ret)
{
    char word[16];

    if (!take_word(at, word, sizeof(word)))
        return false;
    for (int kind = 0; kind < HOST_CHANGE_KINDS; kind++) {
        *ret = (enum host_change_kind)kind;
        if (strcmp(word, kinds[kind].word) == 0)
            return true;
    }
    return false;
}

bool host_change_parse(struct host_change *ret, const char *text)
{
    struct host_change change = { 0 };

    if (!take_kind(&text, &change.kind) || !take_blank(&text) ||
        !take_word(&text, change.device, sizeof(change.device)))
        return false;
    if (kinds[change.kind].has_value &&
        (!take_blank(&text) || !take_word(&text, change.value, sizeof(change.value))))
        return false;
    if (*text)
        return false;
    *ret = change;
    return true;
}

char *host_change_format(const struct host_change *change, char ret[HOST_CHANGE_TEXT_MAX])
{
    snprintf(ret, HOST_CHANGE_TEXT_MAX, "%s %s%s%s", kinds[change->kind].word, change->device,
             *change->value ? " " : "", change->value);
    return ret;
}

bool host_change_equal(const struct host_change *a, const struct host_change *b)
{
    return a->kind == b->kind && strcmp(a->device, b->device) == 0 &&
           strcmp(a->value, b->value) == 0;
}
