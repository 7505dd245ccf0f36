/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Kernel TAPs: one by its name, or one of ours in a bridge. By hand we open or make it, and again
 * whenever it went away; for a manager it is handed over, and the manager sees to it. One that was
 * there before us stays as it was, and is waited for when somebody removes it; one that we made
 * has the addresses that were asked for, and goes with us.
 */
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "common/scope.h"
#include "net/address.h"
#include "net/bridge.h"
#include "net/link.h"
#include "net/stable-mac.h"
#include "net/tap.h"
#include "relay/attachment.h"
#include "relay/device-watch.h"
#include "relay/keeper.h"

#define FIRST_BYTE 0x02 /* locally administered */

#define container(p, type, member) ((type *)((char *)(p)-offsetof(type, member)))

static void show_up(struct attachment *a, const struct link_state *tap)
{
    char detail[TAP_NAME_MAX + sizeof(" is down")];

    snprintf(detail, sizeof(detail), "%s%s", a->ifname, tap->up ? "" : " is down");
    attachment_set_state(a, CTL_ENDPOINT_UP, detail);
}

static int hold(struct attachment *a, int fd, char error[ATTACHMENT_TEXT_MAX])
{
    int r = keeper_hold(a->keeper, a, PORT_TAP, fd, fd, a->ifname);
    struct link_state tap;

    if (r < 0) {
        snprintf(error, ATTACHMENT_TEXT_MAX, "%s: %s", a->text, strerror(-r));
        return r;
    }
    a->up_ms = a->keeper->loop.now_ms;
    if (a->ours && link_get(a->ifname, &tap) == 0)
        show_up(a, &tap);
    else
        attachment_set_state(a, CTL_ENDPOINT_UP, a->ifname);
    return 0;
}

/* A descriptor that somebody else opened: a TAP, or it is refused. */
static int hold_passed(struct attachment *a, int passed_fd, char error[ATTACHMENT_TEXT_MAX])
{
    int flags = fcntl(passed_fd, F_GETFL), r = tap_name(passed_fd, a->ifname);

    if (r < 0 || flags < 0 || fcntl(passed_fd, F_SETFL, flags | O_NONBLOCK) < 0) {
        snprintf(error, ATTACHMENT_TEXT_MAX, "%s: what was handed over is not a TAP", a->text);
        return -EINVAL;
    }
    return hold(a, passed_fd, error);
}

/* What is missing depends on when we ask: a running relay has what it was started with. */
static void forbidden(const struct attachment *a, int r, const char *what,
                      char error[ATTACHMENT_TEXT_MAX])
{
    const char *name = a->endpoint.ifname;
    struct link_state link;

    if (!a->by_hand)
        snprintf(error, ATTACHMENT_TEXT_MAX,
                 "%s: only a relay that was started with a bridge or TAP, as root or with "
                 "CAP_NET_ADMIN, may attach a %s later: start it with this one",
                 name, what);
    else if (r == -EACCES)
        snprintf(error, ATTACHMENT_TEXT_MAX,
                 "%s: /dev/net/tun may not be opened: see its owner and mode", name);
    else if (a->endpoint.kind == ENDPOINT_TAP && link_get(name, &link) == 0)
        snprintf(error, ATTACHMENT_TEXT_MAX,
                 "%s is another user's TAP: make one for this user, or run netrelay as root or "
                 "with CAP_NET_ADMIN",
                 name);
    else
        snprintf(error, ATTACHMENT_TEXT_MAX,
                 "%s: CAP_NET_ADMIN is needed for a %s: run netrelay as root or give it this "
                 "capability",
                 name, what);
}

static int refuse(const struct attachment *a, int r, const char *what,
                  char error[ATTACHMENT_TEXT_MAX])
{
    const char *name = a->endpoint.ifname;

    if (r == -ENODEV && a->endpoint.kind == ENDPOINT_BRIDGE)
        snprintf(error, ATTACHMENT_TEXT_MAX,
                 "%s: there is no such bridge; make it first, or name another end, such as tap:%s, "
                 "user: or ADDR:PORT",
                 name, name);
    else if (r == -ENODEV)
        snprintf(error, ATTACHMENT_TEXT_MAX,
                 "%s: there is no such %s; make it first, or choose another", name, what);
    else if (r == -ENOTSUP || r == -EINVAL)
        snprintf(error, ATTACHMENT_TEXT_MAX, "%s is not a %s", name, what);
    else if (r == -EBUSY)
        snprintf(error, ATTACHMENT_TEXT_MAX, "%s is in use by somebody else", name);
    else if (r == -EPERM || r == -EACCES)
        forbidden(a, r, what, error);
    else if (r == -ENXIO)
        snprintf(error, ATTACHMENT_TEXT_MAX,
                 "%s: there is no /dev/net/tun: load the module tun, or let this container have it",
                 name);
    else
        snprintf(error, ATTACHMENT_TEXT_MAX, "%s: %s", name, strerror(-r));
    return r;
}

/* The host is known to others by the address of this device. Where two of one name have come
 * together their IP addresses differ. */
static int set_mac(const struct attachment *a, int ifindex)
{
    const char(*ip)[ENDPOINT_IP_MAX] = a->endpoint.ip;
    char words[TAP_NAME_MAX + ENDPOINT_IPS_MAX * (ENDPOINT_IP_MAX + 1)];
    size_t at = (size_t)snprintf(words, sizeof(words), "%s", a->endpoint.ifname);
    struct mac mac;
    int r;

    for (size_t i = 0; i < ENDPOINT_IPS_MAX && *ip[i]; ++i)
        at += (size_t)snprintf(words + at, sizeof(words) - at, " %s", ip[i]);
    r = stable_mac(FIRST_BYTE, words, &mac);
    return r < 0 ? r : link_set(ifindex, &(struct link_change){ .mac = &mac });
}

/* A TAP with the addresses asked for, and up. It goes with its descriptor. */
static int tap_make(struct attachment *a, char error[ATTACHMENT_TEXT_MAX])
{
    char(*ip)[ENDPOINT_IP_MAX] = a->endpoint.ip;
    _cleanup_(closep) int fd = -1;
    char name[TAP_NAME_MAX];
    struct link_state link;
    int r;

    fd = tap_create(a->endpoint.ifname, name);
    if (fd < 0)
        return refuse(a, fd, "TAP", error);
    r = link_get(name, &link);
    if (r == 0)
        r = set_mac(a, link.ifindex);
    for (size_t i = 0; r == 0 && i < ENDPOINT_IPS_MAX && *ip[i]; ++i) {
        r = address_add(link.ifindex, ip[i]);
        if (r < 0) {
            snprintf(error, ATTACHMENT_TEXT_MAX, "%s cannot have the address %s: %s", name, ip[i],
                     strerror(-r));
            return r;
        }
    }
    if (r == 0)
        r = link_set(link.ifindex, &(struct link_change){ .up = true });
    return r < 0 ? refuse(a, r, "TAP", error) : steal_fd(&fd);
}

static int tap_open_or_make(struct attachment *a, char error[ATTACHMENT_TEXT_MAX])
{
    int fd = tap_open(a->endpoint.ifname);

    if (fd == -ENODEV && a->ours && (a->made || !a->up_ms)) {
        fd = tap_make(a, error);
        a->made |= fd >= 0;
        return fd;
    }
    if (fd >= 0 && *a->endpoint.ip[0] && !a->made) {
        close(fd);
        snprintf(error, ATTACHMENT_TEXT_MAX,
                 "%s is there already and keeps the addresses it has: leave ip= out",
                 a->endpoint.ifname);
        return -EEXIST;
    }
    return fd < 0 ? refuse(a, fd, "TAP", error) : fd;
}

static int tap_reopen(struct attachment *a, char error[ATTACHMENT_TEXT_MAX])
{
    _cleanup_(closep) int fd = tap_open_or_make(a, error);
    int r;

    if (fd < 0)
        return fd;
    snprintf(a->ifname, sizeof(a->ifname), "%s", a->endpoint.ifname);
    r = hold(a, fd, error);
    if (r == 0)
        steal_fd(&fd);
    return r;
}

static int bridge_reopen(struct attachment *a, char error[ATTACHMENT_TEXT_MAX])
{
    _cleanup_(closep) int fd = bridge_tap_create(a->endpoint.ifname, a->ifname);
    int r;

    if (fd < 0)
        return refuse(a, fd, "bridge", error);
    r = hold(a, fd, error);
    if (r == 0)
        steal_fd(&fd);
    return r;
}

/* Somebody may have renamed it, or deleted it: then another device may have its name by now. The
 * descriptor tells. */
static bool is_there(struct attachment *a)
{
    struct holding *holding = attachment_port(a);

    if (!holding || tap_name(holding->rfd, a->ifname) < 0)
        return false;
    snprintf(holding->detail, sizeof(holding->detail), "%s", a->ifname);
    return true;
}

static void tap_devices_changed(struct attachment *a)
{
    struct link_state tap;

    if (a->ours && is_there(a) && link_get(a->ifname, &tap) == 0)
        show_up(a, &tap);
}

static void show_out(struct attachment *a)
{
    char detail[ATTACHMENT_TEXT_MAX];

    snprintf(detail, sizeof(detail), "%s is out of bridge %s, and waits for it", a->ifname,
             a->endpoint.ifname);
    if (!a->missed)
        log_limited(LOG_LEVEL_NOTICE, "%s", detail);
    a->missed = true;
    attachment_set_state(a, CTL_ENDPOINT_DIALLING, detail);
}

/* Is it a member? If it is not, it is made one again where that can be. */
static bool is_member(const struct attachment *a, struct link_state *tap)
{
    struct link_state bridge;

    if (link_get(a->endpoint.ifname, &bridge) < 0 || !bridge.bridge)
        return false;
    if (tap->master == bridge.ifindex)
        return true;
    if (bridge_enslave(a->endpoint.ifname, a->ifname) < 0)
        return false;
    log_limited(LOG_LEVEL_NOTICE, "%s is back in bridge %s", a->ifname, a->endpoint.ifname);
    tap->up = true;
    return true;
}

/* Our TAP stays when its bridge is removed; back into it once it is made again. */
static void bridge_devices_changed(struct attachment *a)
{
    struct link_state tap;

    if (!a->ours || !is_there(a) || link_get(a->ifname, &tap) < 0)
        return;
    if (is_member(a, &tap))
        show_up(a, &tap);
    else
        show_out(a);
}

static void retry(struct attachment *a, int (*reopen)(struct attachment *, char *))
{
    char error[ATTACHMENT_TEXT_MAX];

    if (reopen(a, error) < 0)
        attachment_retry_later(a, error);
    else
        log_limited(LOG_LEVEL_NOTICE, "%s is attached again", a->text);
}

static void on_tap_retry(struct loop_timer *timer)
{
    retry(container(timer, struct attachment, timer), tap_reopen);
}

static void on_bridge_retry(struct loop_timer *timer)
{
    retry(container(timer, struct attachment, timer), bridge_reopen);
}

static int tap_start(struct attachment *a, int passed_fd, char error[ATTACHMENT_TEXT_MAX])
{
    a->timer.on_timer = on_tap_retry;
    if (passed_fd >= 0)
        return hold_passed(a, passed_fd, error);
    a->ours = !a->keeper->config->managed;
    if (a->ours)
        device_watch(a->keeper);
    return tap_reopen(a, error);
}

static int bridge_start(struct attachment *a, int passed_fd, char error[ATTACHMENT_TEXT_MAX])
{
    a->timer.on_timer = on_bridge_retry;
    if (passed_fd >= 0)
        return hold_passed(a, passed_fd, error);
    a->ours = !a->keeper->config->managed;
    if (!a->ours) {
        snprintf(error, ATTACHMENT_TEXT_MAX, "%s: its TAP has to be handed over", a->text);
        return -EINVAL;
    }
    device_watch(a->keeper);
    return bridge_reopen(a, error);
}

static void tap_stop(struct attachment *a)
{
    /* the descriptor is a port's */
}

static void tap_port_gone(struct attachment *a)
{
    const char *why = a->closed ? "its port was closed" : "its TAP is gone";

    if (!a->ours) {
        attachment_set_state(a, CTL_ENDPOINT_ENDED, why);
        return;
    }
    if (a->keeper->loop.now_ms - a->up_ms >= ATTACHMENT_STEADY_MS)
        a->retry_ms = ATTACHMENT_RETRY_MIN;
    attachment_retry_later(a, why);
}

const struct attachment_ops tap_ops = {
    .takes_fd = true,
    .start = tap_start,
    .stop = tap_stop,
    .port_gone = tap_port_gone,
    .devices_changed = tap_devices_changed,
};

const struct attachment_ops bridge_ops = {
    .takes_fd = true,
    .start = bridge_start,
    .stop = tap_stop,
    .port_gone = tap_port_gone,
    .devices_changed = bridge_devices_changed,
};
