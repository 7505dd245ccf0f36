/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The theory.
 *
 * A frame goes round in a loop only if it is flooded; then it comes back through another port than
 * the one it came from first. So all flooded frames are remembered for a second (damping.h), and of
 * each at most COPIES_MAX copies are flooded again: that bounds a loop from its first round on,
 * before anything is known of it. A copy that comes soon does not move its station either.
 *
 * But a station that moves, or two that share an address, repeat frames too, and nothing is wrong
 * with them. So what is done about it is decided by probes alone, and no probe is sent before one
 * copy too many has come in, which is not the first one through its port: a wire, and a guest that
 * is alone behind its port, never see one. The port is suspect then, and a few probes go out of it.
 * If one of ours comes back
 *   - through another port of ours, the two close a loop, and the one with the higher id (the one
 *     that came later) is blocked;
 *   - through the same port, the loop is beyond it: blocking would not help, damping does;
 *   - not at all, then the port is trusted for a while to repeat what it likes, within reason.
 *
 * Several relays on one loop must not each block another cable of it. Therefore relays pass on each
 * other's probes, once each and only to ports where copies came in, but only those of relays with
 * a lower number than their own; those of higher ones they answer with probes of their own. So only
 * the probes of the lowest of its relays come round a loop, and he alone acts.
 *
 * A blocked port and the one at the loop's other end are probed on and on. When nothing has come
 * back for the port's patience, and no less than UNANSWERED probes are out, it opens and is suspect
 * at once, so that a loop which is still there is found before a frame has gone round. Patience
 * grows each time. After each change probes say so for a second, and those who pass them on forget
 * what they have learned on the way.
 *
 * What is known here goes with the forwarder: its successor begins with all ports open and finds
 * the loop again, by the first frame that comes back twice.
 *
 * Trust: a probe's tag is made with a secret, so nobody can invent one of ours. Who is behind a
 * port that gets probes can send them back, and so block a port of his own; with a friend behind
 * another port, that one too. So a port that is marked as a guest's, or pinned to one address, gets
 * none, and what it sends as one is nothing to us.
 */
#include "relay/loopguard.h"

#define COPIES_MAX      4     /* of one frame at once, */
#define COPIES_EVERY_MS 100   /* and one more in this time */
#define COPIES_FAST_MS  50    /* nothing that moves to and fro does so as often */
#define COPIES_TRUSTED  64    /* from a port that was probed in vain */
#define COPIES_SUSPECT  16    /* of all frames through one port in a second */
#define REPEATS_SUSPECT 100   /* of one frame by one port in a second */
#define MOVE_MS         10    /* a station that moves takes longer than a frame that goes round */
#define COPY_MS         10000 /* so long a port counts as one where frames come back */
#define TRUST_MS        10000
#define ANSWER_MS       10000 /* a higher relay's probes are answered once in this time */
#define PROBE_MS        500
#define PROBE_AGE_MS    3000 /* what comes back later is no proof of how things are */
#define BEHIND_TOLD_MS  2000 /* it may be another relay's, who is about to block it */
#define BEHIND_MS       5000
#define CHANGED_MS      1000
#define FORGET_MS       100
#define PATIENCE_MIN_MS 2000
#define PATIENCE_MAX_MS 300000
#define PATIENCE_GONE   300    /* where the loop's other end is gone */
#define RELAPSE_MS      300000 /* looped again so soon: patience doubles */
#define UNANSWERED      4
#define PASSING         200 /* probes of others a second */
#define HOPS_MAX        32

/* Milliseconds from one probe of a suspect to the next; after the last one it is cleared. */
static const uint16_t gaps_ms[] = { 10, 50, 150, 300 };

#define TRIES (sizeof(gaps_ms) / sizeof(gaps_ms[0]))

void loopguard_init(struct loopguard *guard, uint64_t relay, const uint64_t key[2])
{
    guard->relay = relay;
    guard->key[0] = key[0];
    guard->key[1] = key[1];
    guard->damping.seed = key[0] ^ key[1];
    storm_init(&guard->passing, PASSING, 0);
}

static void be_due(struct loopguard *guard, struct loopguard_port *port, uint64_t at_ms)
{
    port->due_ms = at_ms;
    if (!guard->due_ms || at_ms < guard->due_ms)
        guard->due_ms = at_ms;
}

static void set_state(struct loopguard *guard, struct loopguard_port *port,
                      enum loopguard_state state, uint64_t now_ms)
{
    port->state = state;
    port->since_ms = now_ms;
    port->tries = 0;
    port->told = false;
    be_due(guard, port, now_ms);
}

static void tell(struct loopguard *guard, uint16_t slot, enum loopguard_change what, uint16_t other)
{
    if (guard->on_change)
        guard->on_change(guard, slot, what, other);
}

/* Probes are lost where there are too many of them, as any frame may be. */
static void put_out(struct loopguard *guard, uint16_t slot, const struct probe *probe)
{
    if (guard->n_out == LOOPGUARD_OUT)
        return;
    guard->out[guard->n_out].slot = slot;
    probe_write(probe, guard->out[guard->n_out++].frame);
}

static void send_probe(struct loopguard *guard, uint16_t slot, uint64_t now_ms)
{
    const struct loopguard_port *port = &guard->ports[slot];
    struct probe probe = {
        .relay = guard->relay,
        .port = port->id,
        .slot = slot,
        .serial = ++guard->serial,
        .sent_ms = now_ms,
        .changed = now_ms < port->changed_ms,
    };

    if (!port->id || port->is_guest)
        return;
    probe.tag = probe_tag(&probe, guard->key);
    put_out(guard, slot, &probe);
}

static void suspect(struct loopguard *guard, uint16_t slot, bool by_copies, uint64_t now_ms)
{
    struct loopguard_port *port = &guard->ports[slot];

    if (port->state != LOOPGUARD_OPEN || port->is_guest || !port->id)
        return;
    set_state(guard, port, LOOPGUARD_SUSPECT, now_ms);
    port->by_copies = by_copies;
    send_probe(guard, slot, now_ms);
    be_due(guard, port, now_ms + gaps_ms[port->tries++]);
}

void loopguard_open_port(struct loopguard *guard, uint16_t slot, uint32_t id, bool is_guest)
{
    guard->ports[slot] = (struct loopguard_port){ .id = id, .is_guest = is_guest };
    if (slot >= guard->n_slots)
        guard->n_slots = slot + 1u;
}

void loopguard_mark_port(struct loopguard *guard, uint16_t slot, bool is_guest)
{
    guard->ports[slot].is_guest = is_guest;
}

/* Those that were blocked for the sake of a port that is gone need not wait long. */
void loopguard_close_port(struct loopguard *guard, uint16_t slot, uint64_t now_ms)
{
    if (!guard->ports[slot].id)
        return;
    guard->ports[slot] = (struct loopguard_port){ 0 };
    for (uint32_t i = 0; i < guard->n_slots; ++i) {
        struct loopguard_port *port = &guard->ports[i];

        if (port->state != LOOPGUARD_BLOCKED || port->other != slot)
            continue;
        port->patience_ms = PATIENCE_GONE;
        port->back_ms = now_ms;
        port->tries = UNANSWERED - 1;
        be_due(guard, port, now_ms);
    }
}

static bool is_trusted(const struct loopguard_port *port, uint64_t now_ms)
{
    return port->is_guest || now_ms < port->trusted_ms;
}

/* Copies that come fast, or many of them, which need not be of one frame. */
static bool is_suspicious(struct loopguard_port *port, const struct damping_count *count,
                          uint64_t now_ms)
{
    if (now_ms >= port->copies_ms + DAMPING_WINDOW_MS) {
        port->copies_ms = now_ms;
        port->n_copies = 0;
    }
    if (is_trusted(port, now_ms))
        return count->copies > COPIES_TRUSTED;
    return ++port->n_copies > COPIES_SUSPECT ||
           (count->is_again && count->copies > COPIES_MAX && count->gap_ms < COPIES_FAST_MS);
}

static bool are_too_many(const struct loopguard_port *port, const struct damping_count *count,
                         uint64_t now_ms)
{
    if (is_trusted(port, now_ms))
        return count->copies > COPIES_TRUSTED;
    if (port->state == LOOPGUARD_BEHIND)
        return count->copies > COPIES_MAX;
    return count->copies > COPIES_MAX + count->age_ms / COPIES_EVERY_MS;
}

enum loopguard_view loopguard_flood(struct loopguard *guard, uint16_t in, struct frame frame,
                                    bool many, uint64_t now_ms)
{
    struct loopguard_port *port = &guard->ports[in];
    bool trusted = is_trusted(port, now_ms);
    struct damping_count count =
        damping_note(&guard->damping, in, frame, now_ms, port->state == LOOPGUARD_BEHIND);

    if (count.copies == 0) {
        if (count.repeats >= REPEATS_SUSPECT && many && !trusted)
            suspect(guard, in, true, now_ms);
        return LOOPGUARD_NEW;
    }
    port->copy_ms = now_ms;
    if (is_suspicious(port, &count, now_ms))
        suspect(guard, in, true, now_ms);
    if (are_too_many(port, &count, now_ms))
        return LOOPGUARD_TOO_MANY;
    return trusted || count.gap_ms >= MOVE_MS ? LOOPGUARD_NEW : LOOPGUARD_COPY;
}

static void say_changed(struct loopguard *guard, uint16_t slot, uint64_t now_ms)
{
    if (!guard->ports[slot].id)
        return;
    guard->ports[slot].changed_ms = now_ms + CHANGED_MS;
    send_probe(guard, slot, now_ms);
    tell(guard, slot, LOOPGUARD_FORGETS, slot);
}

static uint64_t next_patience(const struct loopguard_port *port, uint64_t now_ms)
{
    uint64_t patience_ms = 2 * port->patience_ms;

    if (!port->opened_ms || now_ms > port->opened_ms + RELAPSE_MS || patience_ms < PATIENCE_MIN_MS)
        return PATIENCE_MIN_MS;
    return patience_ms < PATIENCE_MAX_MS ? patience_ms : PATIENCE_MAX_MS;
}

static void block(struct loopguard *guard, uint16_t slot, uint16_t other, uint64_t now_ms)
{
    struct loopguard_port *port = &guard->ports[slot];

    if (guard->ports[other].state == LOOPGUARD_SUSPECT)
        set_state(guard, &guard->ports[other], LOOPGUARD_OPEN, now_ms);
    port->patience_ms = next_patience(port, now_ms);
    port->other = other;
    port->back_ms = now_ms;
    set_state(guard, port, LOOPGUARD_BLOCKED, now_ms);
    say_changed(guard, slot, now_ms);
    say_changed(guard, other, now_ms);
    be_due(guard, port, now_ms + PROBE_MS);
    tell(guard, slot, LOOPGUARD_BLOCKS, other);
}

static void open_again(struct loopguard *guard, uint16_t slot, uint64_t now_ms)
{
    struct loopguard_port *port = &guard->ports[slot];

    guard->opened_ms = port->opened_ms = now_ms;
    set_state(guard, port, LOOPGUARD_OPEN, now_ms);
    say_changed(guard, slot, now_ms);
    say_changed(guard, port->other, now_ms);
    suspect(guard, slot, false, now_ms);
    tell(guard, slot, LOOPGUARD_OPENS, port->other);
}

/* A probe came back through the port that it was sent on. */
static void found_behind(struct loopguard *guard, uint16_t slot, uint64_t now_ms)
{
    struct loopguard_port *port = &guard->ports[slot];

    if (port->state == LOOPGUARD_BLOCKED)
        return;
    if (port->state != LOOPGUARD_BEHIND)
        set_state(guard, port, LOOPGUARD_BEHIND, now_ms);
    port->back_ms = now_ms;
    if (!port->told && now_ms >= port->since_ms + BEHIND_TOLD_MS) {
        port->told = true;
        tell(guard, slot, LOOPGUARD_LOOPS, slot);
    }
}

/* A probe came back through another port than the one it was sent on. Of two blocked ones it proves
 * nothing: no frame passes there. */
static void found_between(struct loopguard *guard, uint16_t one, uint16_t two, uint64_t now_ms)
{
    bool one_blocked = loopguard_is_blocked(guard, one);
    bool two_blocked = loopguard_is_blocked(guard, two);

    if (one_blocked != two_blocked) {
        struct loopguard_port *port = &guard->ports[one_blocked ? one : two];

        port->other = one_blocked ? two : one;
        port->back_ms = now_ms;
        port->tries = 0;
    } else if (!one_blocked) {
        if (guard->ports[one].id > guard->ports[two].id)
            block(guard, one, two, now_ms);
        else
            block(guard, two, one, now_ms);
    }
}

static void take_own(struct loopguard *guard, uint16_t in, const struct probe *probe,
                     uint64_t now_ms)
{
    if (probe->slot >= guard->n_slots || guard->ports[probe->slot].id != probe->port ||
        probe->tag != probe_tag(probe, guard->key) || probe->sent_ms > now_ms ||
        now_ms - probe->sent_ms > PROBE_AGE_MS)
        return;
    guard->ports[in].copy_ms = now_ms;
    if (probe->slot == in)
        found_behind(guard, in, now_ms);
    else
        found_between(guard, probe->slot, in, now_ms);
}

/* Does a probe of somebody else go there? */
static bool is_on_the_way(const struct loopguard_port *port, uint64_t now_ms)
{
    return port->id && !port->is_guest && port->state != LOOPGUARD_BLOCKED && port->copy_ms &&
           now_ms <= port->copy_ms + COPY_MS;
}

static bool is_known(struct loopguard *guard, uint64_t tag)
{
    for (uint32_t i = 0; i < LOOPGUARD_KNOWN; ++i)
        if (guard->known[i] == tag)
            return true;
    guard->known[guard->n_known++ % LOOPGUARD_KNOWN] = tag;
    return false;
}

static void pass_on(struct loopguard *guard, uint16_t in, struct probe probe, uint64_t now_ms)
{
    bool forget = probe.changed && now_ms >= guard->forgot_ms + FORGET_MS;

    if (++probe.hops > HOPS_MAX || is_known(guard, probe.tag) ||
        !storm_admits(&guard->passing, now_ms))
        return;
    for (uint32_t slot = 0; slot < guard->n_slots; ++slot) {
        if (!is_on_the_way(&guard->ports[slot], now_ms))
            continue;
        if (forget)
            tell(guard, (uint16_t)slot, LOOPGUARD_FORGETS, (uint16_t)slot);
        if (slot != in)
            put_out(guard, (uint16_t)slot, &probe);
    }
    if (forget)
        guard->forgot_ms = now_ms;
}

/* A probe of a relay that must not act before us. */
static void answer(struct loopguard *guard, uint16_t in, uint64_t now_ms)
{
    struct loopguard_port *port = &guard->ports[in];

    if (port->state != LOOPGUARD_OPEN || (port->answer_ms && now_ms < port->answer_ms + ANSWER_MS))
        return;
    port->answer_ms = now_ms;
    suspect(guard, in, false, now_ms);
}

static void take_other(struct loopguard *guard, uint16_t in, const struct probe *probe,
                       uint64_t now_ms)
{
    struct loopguard_port *port = &guard->ports[in];

    if (port->state == LOOPGUARD_BLOCKED)
        return;
    port->copy_ms = now_ms;
    if (probe->relay > guard->relay)
        answer(guard, in, now_ms);
    else
        pass_on(guard, in, *probe, now_ms);
    port->relay_ms = now_ms;
}

bool loopguard_take(struct loopguard *guard, uint16_t in, struct frame frame, uint64_t now_ms)
{
    struct probe probe;

    if (guard->off || !probe_read(&probe, frame))
        return false;
    if (guard->ports[in].is_guest)
        return true;
    if (probe.relay == guard->relay)
        take_own(guard, in, &probe, now_ms);
    else
        take_other(guard, in, &probe, now_ms);
    return true;
}

/* None of its probes came back. A port behind which there are relays is no guest's, and where one
 * of them has been at work the loop may just be cut: no reason to trust it. */
static void clear(struct loopguard *guard, struct loopguard_port *port, uint64_t now_ms)
{
    bool knows_relays = port->relay_ms && now_ms <= port->relay_ms + COPY_MS;

    if (port->by_copies && !knows_relays)
        port->trusted_ms = now_ms + TRUST_MS;
    set_state(guard, port, LOOPGUARD_OPEN, now_ms);
}

static void tick_suspect(struct loopguard *guard, uint16_t slot, uint64_t now_ms)
{
    struct loopguard_port *port = &guard->ports[slot];

    if (port->tries == TRIES) {
        clear(guard, port, now_ms);
        return;
    }
    send_probe(guard, slot, now_ms);
    be_due(guard, port, now_ms + gaps_ms[port->tries++]);
}

static void tick_behind(struct loopguard *guard, uint16_t slot, uint64_t now_ms)
{
    struct loopguard_port *port = &guard->ports[slot];

    if (now_ms >= port->back_ms + BEHIND_MS) {
        set_state(guard, port, LOOPGUARD_OPEN, now_ms);
        return;
    }
    send_probe(guard, slot, now_ms);
    be_due(guard, port, now_ms + PROBE_MS);
}

/* One port opens at a time: two that were blocked might close the loop together. */
static void tick_blocked(struct loopguard *guard, uint16_t slot, uint64_t now_ms)
{
    struct loopguard_port *port = &guard->ports[slot];

    if (port->tries >= UNANSWERED && now_ms >= port->back_ms + port->patience_ms &&
        now_ms >= guard->opened_ms + PROBE_MS) {
        open_again(guard, slot, now_ms);
        return;
    }
    ++port->tries;
    send_probe(guard, slot, now_ms);
    send_probe(guard, port->other, now_ms);
    be_due(guard, port, now_ms + (port->patience_ms < PROBE_MS ? port->patience_ms : PROBE_MS));
}

void loopguard_tick(struct loopguard *guard, uint64_t now_ms)
{
    static void (*const ticks[])(struct loopguard *, uint16_t, uint64_t) = {
        [LOOPGUARD_SUSPECT] = tick_suspect,
        [LOOPGUARD_BEHIND] = tick_behind,
        [LOOPGUARD_BLOCKED] = tick_blocked,
    };

    guard->due_ms = 0;
    for (uint32_t slot = 0; slot < guard->n_slots; ++slot) {
        struct loopguard_port *port = &guard->ports[slot];

        if (port->state == LOOPGUARD_OPEN)
            continue;
        if (port->due_ms <= now_ms)
            ticks[port->state](guard, (uint16_t)slot, now_ms);
        if (port->state != LOOPGUARD_OPEN)
            be_due(guard, port, port->due_ms);
    }
}
