/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The hook's conversation with the manager, on hook.sock: one request, bounded waiting. */
#ifndef NR_CTL_HOOK_CLIENT_H
#define NR_CTL_HOOK_CLIENT_H

#include <glib.h>
#include "common/hook-proto.h"

typedef enum {
    NR_HOOK_OK,      /* the far ends stand; the sentence is a remark, or NULL */
    NR_HOOK_REFUSED, /* the sentence says why */
    NR_HOOK_ABSENT,  /* nobody is there to be asked; "netrelayd is not running" */
    NR_HOOK_MUTE,    /* somebody is, but no answer is to be had: the sentence says how */
} NrHookOutcome;

typedef struct {
    const char *runtime_dir;
    enum hook_op op;
    const char *guest;
    const void *xml;
    gsize xml_length;
    int first_sign_ms; /* how long for a first answer of any kind */
    int deadline_ms;   /* how long in all, or since it heard last that others are waited for */
    int waiting_ms;    /* how much longer for those */
    int again_ms;      /* how long for the successor of a manager that ended meanwhile */
} NrHookQuestion;

/* ret_sentence: new string, one line, may become NULL only for NR_HOOK_OK. */
NrHookOutcome nr_hook_ask(const NrHookQuestion *question, char **ret_sentence);

#endif
