/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Scoped ownership for plain C: what a declaration owns, its scope frees. */
#ifndef NR_COMMON_SCOPE_H
#define NR_COMMON_SCOPE_H

#include <stdlib.h>
#include <unistd.h>

#define _cleanup_(f) __attribute__((cleanup(f)))

/* Takes the pointer out of its owner; the caller owns it from here. */
#define steal_ptr(p)                                                                               \
    __extension__({                                                                                \
        __typeof__(p) _p = (p);                                                                    \
        __typeof__(*_p) _v = *_p;                                                                  \
        *_p = NULL;                                                                                \
        _v;                                                                                        \
    })

static inline int steal_fd(int *fd)
{
    int v = *fd;

    *fd = -1;
    return v;
}

/* For _cleanup_(closep) int fd = -1; a negative descriptor is nobody's. */
static inline void closep(int *fd)
{
    if (*fd >= 0)
        close(*fd);
}

static inline void freep(void *p)
{
    free(*(void **)p);
}

#endif
