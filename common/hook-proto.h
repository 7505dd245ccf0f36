/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The hook's barrier, over SOCK_SEQPACKET on HOOK_SOCKET_NAME in the runtime directory. One request
 * (struct hook_request, and the domain XML in a sealed memfd by SCM_RIGHTS: it may be larger than a
 * packet), answers of one code byte and text: HOOK_PROGRESS at once and then every second, at last
 * HOOK_OK or HOOK_REFUSED with one sentence for the person at virsh. HOOK_WAITING in place of
 * HOOK_PROGRESS: another guest, which this one meets, is starting. HOOK_NOTE comes before the last
 * answer and is a remark which refuses nothing.
 */
#ifndef NR_COMMON_HOOK_PROTO_H
#define NR_COMMON_HOOK_PROTO_H

#include <stddef.h>
#include <stdint.h>

#define HOOK_SOCKET_NAME   "hook.sock"
#define HOOK_MAGIC         0x4e52484bu /* "NRHK" */
#define HOOK_VERSION       1
#define HOOK_NAME_MAX      1024 /* the guest's name as libvirt passed it, and its NUL */
#define HOOK_ANSWER_MAX    4096
#define HOOK_FIRST_SIGN_MS 2000  /* no answer at all by then: the manager is as good as dead */
#define HOOK_DEADLINE_MS   10000 /* while progress is reported */
#define HOOK_PROGRESS_MS   1000
#define HOOK_AGAIN_MS      2000   /* for a manager that is restarted meanwhile */
#define HOOK_WAITING_MS    120000 /* for other guests, before the deadline counts */

enum hook_op {
    HOOK_PREPARE = 1, /* barrier: answered when the guest's far ends stand */
    HOOK_STARTED,     /* the guest runs; nothing is waited for */
    HOOK_RELEASE,     /* the guest is gone, whatever happened; nothing is waited for */
    HOOK_RECONNECT,   /* libvirtd came back to a running guest; nothing is waited for */
};

enum hook_answer {
    HOOK_PROGRESS = 'P',
    HOOK_WAITING = 'W',
    HOOK_NOTE = 'N',
    HOOK_OK = 'O',
    HOOK_REFUSED = 'R',
};

struct hook_request {
    uint32_t magic;
    uint16_t version;
    uint16_t op;
    char name[HOOK_NAME_MAX];
};

/* 0; -EPROTO: what came, so long, is none. */
int hook_request_check(const struct hook_request *request, size_t length);

#endif
