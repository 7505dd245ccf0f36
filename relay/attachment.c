/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "relay/attachment.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "relay/held.h"
#include "relay/keeper.h"

static const struct attachment_ops *const ops_of[ENDPOINT_KIND_COUNT] = {
    [ENDPOINT_STDIO] = &stdio_ops,
    [ENDPOINT_LISTEN] = &listener_ops,
    [ENDPOINT_TCP] = &dialer_ops,
    [ENDPOINT_UDP] = &udp_ops,
    [ENDPOINT_TAP] = &tap_ops,
    [ENDPOINT_BRIDGE] = &bridge_ops,
    [ENDPOINT_FD] = &fd_ops,
    [ENDPOINT_MCAST] = &mcast_ops,
    [ENDPOINT_USER] = &user_ops,
    [ENDPOINT_VDE] = &vde_ops,
    [ENDPOINT_UNIX] = &unix_dialer_ops,
    [ENDPOINT_UNIX_LISTEN] = &unix_listener_ops,
    [ENDPOINT_UNIX_DGRAM] = &unix_dgram_ops,
};

static void list_append(struct keeper *keeper, struct attachment *attachment)
{
    struct attachment **at = &keeper->attachments;

    while (*at)
        at = &(*at)->next;
    *at = attachment;
}

static void list_remove(struct keeper *keeper, struct attachment *attachment)
{
    struct attachment **at = &keeper->attachments;

    while (*at && *at != attachment)
        at = &(*at)->next;
    if (*at)
        *at = attachment->next;
}

static void attachment_free(struct attachment *attachment)
{
    struct keeper *keeper = attachment->keeper;

    list_remove(keeper, attachment);
    attachment->ops->stop(attachment);
    resolver_cancel(&attachment->resolver);
    loop_timer_stop(&keeper->loop, &attachment->timer);
    if (attachment->io.fd >= 0) {
        loop_del(&keeper->loop, &attachment->io);
        close(attachment->io.fd);
    }
    free(attachment->rules);
    free(attachment);
}

int attachment_new(struct attachment **ret, struct keeper *keeper, const struct endpoint *endpoint,
                   const char *label, int passed_fd, bool by_hand, struct held_rules *rules,
                   char error[ATTACHMENT_TEXT_MAX])
{
    struct attachment *attachment;
    int r;

    if (passed_fd >= 0 && !ops_of[endpoint->kind]->takes_fd) {
        snprintf(error, ATTACHMENT_TEXT_MAX, "a %s endpoint takes no descriptor",
                 endpoint_kind_name(endpoint->kind));
        free(rules);
        return -EINVAL;
    }
    attachment = calloc(1, sizeof(*attachment));
    snprintf(error, ATTACHMENT_TEXT_MAX, "there is no memory left");
    if (!attachment) {
        free(rules);
        return -ENOMEM;
    }
    attachment->rules = rules;
    attachment->keeper = keeper;
    attachment->ops = ops_of[endpoint->kind];
    attachment->id = ++keeper->last_attachment_id;
    attachment->by_hand = by_hand;
    attachment->endpoint = *endpoint;
    attachment->io.fd = -1;
    attachment->retry_ms = ATTACHMENT_RETRY_MIN;
    attachment->state = CTL_ENDPOINT_DIALLING;
    attachment->since_s = keeper_clock_s();
    endpoint_format(endpoint, attachment->text);
    snprintf(attachment->label, sizeof(attachment->label), "%s", label);
    resolver_init(&attachment->resolver, &keeper->loop);
    list_append(keeper, attachment);

    r = attachment->ops->start(attachment, passed_fd, error);
    if (r < 0) {
        attachment_free(attachment);
        return r;
    }
    deposit_claim(attachment);
    *ret = attachment;
    return r;
}

void attachment_detach(struct attachment *attachment)
{
    struct keeper *keeper = attachment->keeper;
    bool ports_stay = attachment->ops->ports_stay;

    held_decide(keeper,
                attachment); /* what is accepted outlives its listener, and its rules do not */
    for (uint32_t slot = 0; slot < keeper->n_slots; ++slot) {
        struct holding *holding = keeper->holdings[slot];

        if (!holding || holding->attachment != attachment)
            continue;
        keeper_count_strangers(holding);
        holding->attachment = NULL;
        if (!ports_stay)
            keeper_close_port(keeper, holding);
    }
    log_limited(LOG_LEVEL_INFO, "%s is detached", attachment->text);
    control_endpoint_gone(&keeper->control, attachment);
    attachment_free(attachment);
}

void attachments_end(struct keeper *keeper)
{
    while (keeper->attachments)
        attachment_free(keeper->attachments);
}

struct holding *attachment_port(const struct attachment *attachment)
{
    const struct keeper *keeper = attachment->keeper;

    for (uint32_t slot = 0; slot < keeper->n_slots; ++slot)
        if (keeper->holdings[slot] && keeper->holdings[slot]->attachment == attachment)
            return keeper->holdings[slot];
    return NULL;
}

/* It may be longer than what is kept. */
static bool is_detail(const struct attachment *attachment, const char *detail)
{
    return strncmp(attachment->detail, detail, sizeof(attachment->detail) - 1) == 0;
}

/* True where it was not so before. */
static bool change_state(struct attachment *attachment, enum ctl_endpoint_state state,
                         const char *detail)
{
    if (attachment->state == state && is_detail(attachment, detail))
        return false;
    attachment->missed &= state != CTL_ENDPOINT_UP;
    if (attachment->state != state)
        attachment->since_s = keeper_clock_s();
    attachment->state = state;
    snprintf(attachment->detail, sizeof(attachment->detail), "%s", detail);
    control_endpoint_changed(&attachment->keeper->control, attachment);
    return true;
}

void attachment_set_state(struct attachment *attachment, enum ctl_endpoint_state state,
                          const char *detail)
{
    if (change_state(attachment, state, detail))
        log_debug("%s is %s%s%s", attachment->text, ctl_endpoint_state_name(state),
                  *detail ? ": " : "", detail);
}

void attachment_listens(struct attachment *attachment)
{
    if (change_state(attachment, CTL_ENDPOINT_LISTENING, ""))
        log_limited(LOG_LEVEL_INFO, "%s listens", attachment->text);
}

void attachment_started(struct attachment *attachment, int r, const char *error)
{
    struct keeper *keeper = attachment->keeper;

    control_attached(&keeper->control, attachment, r, error);
    if (r >= 0)
        return;
    if (attachment->by_hand) {
        log_error("%s", error);
        keeper_end(keeper, keeper_exit_status(r));
    }
    attachment_free(attachment);
}

void attachment_child_ended(struct keeper *keeper, pid_t pid, int status)
{
    for (struct attachment *a = keeper->attachments; a; a = a->next) {
        if (a->pid != pid)
            continue;
        a->pid = 0;
        a->ops->child_ended(a, status);
        return;
    }
}

void attachment_connected(struct attachment *attachment)
{
    if (attachment->missed)
        log_limited(LOG_LEVEL_NOTICE, "%s is connected", attachment->text);
    else
        log_limited(LOG_LEVEL_INFO, "%s is connected", attachment->text);
    attachment->missing_since_s = attachment->since_s;
    change_state(attachment, CTL_ENDPOINT_UP, "");
}

/* Once each time that it cannot be reached: a mistyped address looks like a far end that is late.
 * That a connection ended is ordinary, and a manager knows by itself. */
static bool is_news(const struct attachment *attachment)
{
    return !attachment->missed && attachment->state != CTL_ENDPOINT_UP &&
           !attachment->keeper->config->managed;
}

static void tell_waiting(struct attachment *attachment, const char *why)
{
    if (is_news(attachment)) {
        attachment->missed = true;
        log_limited(LOG_LEVEL_NOTICE, "%s cannot be reached, and is waited for: %s",
                    attachment->text, why);
    } else if (attachment->state != CTL_ENDPOINT_DIALLING || !is_detail(attachment, why)) {
        log_limited(LOG_LEVEL_INFO, "%s is waited for: %s", attachment->text, why);
    }
}

static void retry(struct attachment *attachment, const char *why)
{
    change_state(attachment, CTL_ENDPOINT_DIALLING, why);
    loop_timer_in(&attachment->keeper->loop, &attachment->timer, attachment->retry_ms);
    attachment->retry_ms *= 2;
    if (attachment->retry_ms > ATTACHMENT_RETRY_MAX)
        attachment->retry_ms = ATTACHMENT_RETRY_MAX;
}

void attachment_retry_later(struct attachment *attachment, const char *why)
{
    tell_waiting(attachment, why);
    retry(attachment, why);
}

void attachment_retry_as_before(struct attachment *attachment, const char *why)
{
    tell_waiting(attachment, why);
    attachment->state = CTL_ENDPOINT_DIALLING;
    attachment->since_s = attachment->missing_since_s;
    retry(attachment, why);
}
