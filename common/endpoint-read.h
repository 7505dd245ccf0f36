/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Readers of one part of an endpoint's text: a number, an address, a name, a path. Pure. They
 * return NULL, or the static phrase that says what was expected there.
 */
#ifndef NR_COMMON_ENDPOINT_READ_H
#define NR_COMMON_ENDPOINT_READ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "common/endpoint.h"

/* A piece of somebody's text, without a NUL of its own. */
struct span {
    const char *start;
    size_t len;
};

#define SPAN_PARTS_MAX 4 /* the most any form has */

struct span_parts {
    struct span part[SPAN_PARTS_MAX];
    size_t count; /* SPAN_PARTS_MAX + 1: more than any form has */
};

/* False where s does not fit. */
bool span_copy(struct span s, char *buf, size_t size);
bool span_is(struct span s, const char *word);
bool span_is_all_digits(struct span s);
bool span_is_address(int family, struct span s);
/* Cut at the colons outside brackets. */
void span_split(struct span text, struct span_parts *ret);

/* Decimal, no sign, no blank, no leading zero (others read an octal number there). */
bool read_number(struct span s, long max, long *ret);
const char *read_port(struct span s, uint16_t *ret);
const char *read_host(struct span s, char host[ENDPOINT_HOST_MAX]);
/* Our own address may be left out, or be '*': any. */
const char *read_local_host(struct span s, char host[ENDPOINT_HOST_MAX]);
const char *read_remote_host(struct span s, char host[ENDPOINT_HOST_MAX]);
const char *read_ifname(struct span s, char name[ENDPOINT_NAME_MAX]);
/* Of a UNIX socket, or of a directory that has one. */
const char *read_path(struct span s, char path[ENDPOINT_PATH_MAX]);

#endif
