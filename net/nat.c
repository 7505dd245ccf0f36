/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Why one table and not one for each network: people look for it by one name, and its rules are
 * made and deleted one by one anyway. Why the comment and not the rule's text tells that it is
 * ours: the text is the library's, and another version may word it otherwise.
 */
#include "net/nat.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "common/host-change.h"
#include "common/prefix.h"
#include "common/scope.h"
#include "net/nft.h"

#define TABLE       "inet netrelay"
#define CHAIN       TABLE " postrouting"
#define COMMENT     "comment \"%s %s\""
#define COMMENT_MAX (sizeof(COMMENT) + HOST_DEVICE_MAX + HOST_VALUE_MAX)
#define HANDLE      " # handle "
#define EMPTY_LINES 5 /* a listing of the table with the chain, and nothing else */

/* Within quotes, nft(8) would take a '*' at the end for any letters, and a quote for the end. */
static bool is_plain_name(const char *name)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-";

    return *name && name[strspn(name, plain)] == '\0';
}

/* "192.168.9.1/24,eth0": its parts; the second one is "" where there is none. */
static bool split_value(const char *value, char subnet[HOST_VALUE_MAX], char out[HOST_DEVICE_MAX])
{
    size_t length = strcspn(value, ",");
    struct prefix prefix;

    if (length >= HOST_VALUE_MAX)
        return false;
    snprintf(subnet, HOST_VALUE_MAX, "%.*s", (int)length, value);
    *out = '\0';
    if (value[length] &&
        ((size_t)snprintf(out, HOST_DEVICE_MAX, "%s", value + length + 1) >= HOST_DEVICE_MAX ||
         !is_plain_name(out)))
        return false;
    return strchr(subnet, '/') && prefix_parse(&prefix, subnet);
}

int nat_commands(const char *device, const char *value, char ret[NAT_COMMANDS_MAX])
{
    char subnet[HOST_VALUE_MAX], out[HOST_DEVICE_MAX];

    if (!is_plain_name(device) || !split_value(value, subnet, out))
        return -EINVAL;
    snprintf(ret, NAT_COMMANDS_MAX,
             "add table " TABLE "; "
             "add chain " CHAIN " { type nat hook postrouting priority srcnat; }; "
             "add rule " CHAIN " %s saddr %s oifname %s\"%s\" masquerade " COMMENT,
             strchr(subnet, ':') ? "ip6" : "ip", subnet, *out ? "" : "!= ", *out ? out : device,
             device, value);
    return 0;
}

/* The table as text, or NULL where it is not there. */
static int list_table(char **ret)
{
    int r = nft_run("list table " TABLE, ret);

    if (r == -ENOENT)
        *ret = NULL;
    return r == -ENOENT ? 0 : r;
}

/* NULL: it has no such rule. Within the listing. */
static const char *find_rule(const char *listing, const char *device, const char *value)
{
    char comment[COMMENT_MAX + sizeof(HANDLE)];

    snprintf(comment, sizeof(comment), COMMENT HANDLE, device, value);
    return listing ? strstr(listing, comment) : NULL;
}

static unsigned count_lines(const char *text)
{
    unsigned count = 0;

    for (; *text; text++)
        count += *text == '\n';
    return count;
}

int nat_is_set(const char *device, const char *value, bool *ret)
{
    _cleanup_(freep) char *listing = NULL;
    int r = list_table(&listing);

    if (r == 0)
        *ret = find_rule(listing, device, value);
    return r;
}

int nat_add(const char *device, const char *value)
{
    char commands[NAT_COMMANDS_MAX];
    int r = nat_commands(device, value, commands);

    return r < 0 ? r : nft_run(commands, NULL);
}

int nat_remove(const char *device, const char *value)
{
    _cleanup_(freep) char *listing = NULL;
    char command[sizeof("delete rule " CHAIN " handle ") + 20];
    const char *rule;
    int r = list_table(&listing);

    if (r < 0)
        return r;
    rule = find_rule(listing, device, value);
    if (!rule)
        return 0;
    if (count_lines(listing) == EMPTY_LINES + 1)
        r = nft_run("delete table " TABLE, NULL);
    else {
        snprintf(command, sizeof(command), "delete rule " CHAIN " handle %llu",
                 strtoull(strstr(rule, HANDLE) + strlen(HANDLE), NULL, 10));
        r = nft_run(command, NULL);
    }
    return r == -ENOENT ? 0 : r; /* somebody was faster */
}
