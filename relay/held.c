/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "relay/held.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include "net/sockdiag.h"
#include "relay/keeper.h"

#define TOLD_MS 1000 /* a host that dials again and again is told of so often */

#define container(p, type, member) ((type *)((char *)(p)-offsetof(type, member)))

/* What the kernel knows of a connection's far end. */
enum far_end {
    FAR_HERE,   /* a process of this host has it */
    FAR_ASTRAY, /* it was one, and has closed it */
    FAR_THERE,  /* another host's, or another network namespace's */
    FAR_HIDDEN, /* the kernel does not tell */
};

struct far {
    enum far_end end;
    uint32_t uid; /* FAR_HERE */
    struct inet_address address;
};

static struct far far_of(const struct holding *holding)
{
    struct inet_address ours = { .len = sizeof(ours.storage) };
    struct far far = { .end = FAR_ASTRAY, .address.len = sizeof(far.address.storage) };
    struct sockaddr *local = (struct sockaddr *)&ours.storage;
    struct sockaddr *peer = (struct sockaddr *)&far.address.storage;
    struct sockdiag_owner owner;
    int r;

    if (getsockname(holding->rfd, local, &ours.len) < 0 ||
        getpeername(holding->rfd, peer, &far.address.len) < 0)
        return far;
    r = sockdiag_tcp(peer, local, &owner);
    if (r == -ENOENT)
        far.end = inet_is_local(&far.address) || inet_same_host(&far.address, &ours) ? FAR_ASTRAY
                                                                                     : FAR_THERE;
    else if (r < 0)
        far.end = FAR_HIDDEN;
    else if (owner.inode) /* without one nobody has it, and the uid says nothing */
        far.end = FAR_HERE;
    far.uid = r == 0 ? owner.uid : 0;
    return far;
}

static bool admits_uid(const struct held_rules *rules, uint32_t uid)
{
    for (unsigned i = 0; i < rules->n_uids; ++i)
        if (rules->uid[i] == uid)
            return true;
    return false;
}

static bool admits_host(const struct held_rules *rules, const struct inet_address *address)
{
    for (unsigned i = 0; i < rules->n_hosts; ++i)
        if (prefix_covers(&rules->host[i], (const struct sockaddr *)&address->storage))
            return true;
    return false;
}

static bool is_admitted(const struct held_rules *rules, const struct far *far)
{
    switch (far->end) {
    case FAR_HERE:
        return admits_uid(rules, far->uid);
    case FAR_THERE:
        return admits_host(rules, &far->address);
    case FAR_HIDDEN:
        return true;
    case FAR_ASTRAY:
        break;
    }
    return false;
}

static void say_refused(const struct holding *holding, const struct far *far)
{
    const struct attachment *a = holding->attachment;

    if (far->end == FAR_HERE)
        log_limited(LOG_LEVEL_WARNING,
                    "%s: a connection from %s is closed: it is a process's of user %u, and guests "
                    "are other users'",
                    a->text, holding->peer, far->uid);
    if (far->end == FAR_THERE)
        log_limited(LOG_LEVEL_WARNING,
                    "%s: a connection from %s is closed: it is from another host, and the "
                    "admit= of its <listen>, in a network file, does not have it",
                    a->text, holding->peer);
}

/* Who looks at the listening side has no other sign of it. */
static void tell_refused_host(struct keeper *keeper, const struct holding *holding)
{
    struct attachment *a = holding->attachment;
    const char *port = strrchr(holding->peer, ':'); /* a new one each time */
    int length = (int)(port ? port - holding->peer : (ptrdiff_t)strlen(holding->peer));
    uint64_t now_ms = keeper->loop.now_ms;

    ++a->refused_hosts;
    snprintf(a->detail, sizeof(a->detail), "a connection from %.*s was closed: " CTL_DETAIL_REFUSED,
             length, holding->peer);
    if (a->refused_told_ms && now_ms - a->refused_told_ms < TOLD_MS)
        return;
    a->refused_told_ms = now_ms;
    control_endpoint_changed(&keeper->control, a);
}

static void decide(struct keeper *keeper, struct holding *holding, const struct far *far)
{
    if (is_admitted(holding->attachment->rules, far)) {
        held_admit(keeper, holding);
        return;
    }
    say_refused(holding, far);
    if (far->end == FAR_THERE)
        tell_refused_host(keeper, holding);
    held_refuse(keeper, holding);
}

static void on_late(struct loop_timer *timer)
{
    struct holding *holding = container(timer, struct holding, held_timer);
    struct far far = far_of(holding);

    log_limited(LOG_LEVEL_WARNING, "%s: the manager does not say whose a connection is",
                holding->attachment->text);
    decide(holding->attachment->keeper, holding, &far);
}

void held_begin(struct keeper *keeper, struct holding *holding)
{
    struct far far = far_of(holding);

    holding->state = HOLDING_HELD;
    ++holding->attachment->n_held;
    if (far.end == FAR_ASTRAY || far.end == FAR_THERE || !control_has_judge(&keeper->control)) {
        decide(keeper, holding, &far);
        return;
    }
    holding->held_timer.on_timer = on_late;
    loop_timer_in(&keeper->loop, &holding->held_timer, HELD_MS);
    control_port_changed(&keeper->control, holding);
}

static void hold_no_more(struct keeper *keeper, struct holding *holding)
{
    loop_timer_stop(&keeper->loop, &holding->held_timer);
    --holding->attachment->n_held;
}

void held_forget(struct keeper *keeper, struct holding *holding)
{
    hold_no_more(keeper, holding);
    ++holding->attachment->turned_away;
}

void held_admit(struct keeper *keeper, struct holding *holding)
{
    struct attachment *a = holding->attachment;

    hold_no_more(keeper, holding);
    holding->state = HOLDING_NEW;
    keeper_announce(keeper, holding);
    a->ops->room(a);
}

void held_refuse(struct keeper *keeper, struct holding *holding)
{
    ++holding->attachment->refused;
    keeper_port_gone(keeper, holding, 0);
}

void held_decide(struct keeper *keeper, const struct attachment *attachment)
{
    for (uint32_t slot = 0; slot < keeper->n_slots; ++slot) {
        struct holding *holding = keeper->holdings[slot];
        struct far far;

        if (!holding || holding->state != HOLDING_HELD ||
            (attachment && holding->attachment != attachment))
            continue;
        far = far_of(holding);
        decide(keeper, holding, &far);
    }
}
