/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "relay/confine.h"

#include <cap-ng.h>
#include <errno.h>
#include <sys/mman.h>
#include <sys/prctl.h>

int confine_memory(scmp_filter_ctx filter)
{
    const struct scmp_arg_cmp not_executable = SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0);
    int r = seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, SCMP_SYS(mmap), 1, &not_executable);

    if (r == 0)
        r = seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, SCMP_SYS(mprotect), 1, &not_executable);
    return r;
}

int confine_allow(scmp_filter_ctx filter, const int *calls, size_t n)
{
    int r = 0;

    for (size_t i = 0; r == 0 && i < n; ++i)
        r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, calls[i], 0);
    return r;
}

int confine_capabilities(bool keep_net_admin, bool keep_bind)
{
    bool has_admin = capng_have_capability(CAPNG_EFFECTIVE, CAP_NET_ADMIN);
    bool has_bind = capng_have_capability(CAPNG_EFFECTIVE, CAP_NET_BIND_SERVICE);
    capng_select_t what = CAPNG_SELECT_CAPS;

    /* Leaving the bounding set needs CAP_SETPCAP; without it the process never had more. */
    if (capng_have_capability(CAPNG_EFFECTIVE, CAP_SETPCAP))
        what = CAPNG_SELECT_BOTH;
    capng_clear(CAPNG_SELECT_BOTH);
    if (keep_net_admin && has_admin)
        capng_update(CAPNG_ADD, CAPNG_EFFECTIVE | CAPNG_PERMITTED, CAP_NET_ADMIN);
    if (keep_bind && has_bind)
        capng_update(CAPNG_ADD, CAPNG_EFFECTIVE | CAPNG_PERMITTED, CAP_NET_BIND_SERVICE);
    if (capng_apply(what) < 0)
        return -EPERM;
    if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0)
        return -errno;
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ? -errno : 0;
}
