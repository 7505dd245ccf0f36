/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a companion may still do once its library has opened what it needs: no capability, no new
 * privileges, its own list of system calls, and of all files only those that are named here.
 */
#ifndef NR_COMPANION_SANDBOX_H
#define NR_COMPANION_SANDBOX_H

#include <stdbool.h>
#include <stddef.h>

struct sandbox {
    const int *calls; /* beside those that every program needs */
    size_t n_calls;
    bool makes_inet_sockets;
    const char *const *readable; /* files and folders, NULL-terminated; NULL: no file at all */
};

/* 0 or negative errno; then the process is to end. */
int sandbox_enter(const struct sandbox *sandbox);

#endif
