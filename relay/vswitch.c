/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "relay/vswitch.h"

#include <stddef.h>
#include "relay/shared.h"

/* 01:80:c2:00:00:00 to 0f are for the next device, so a bridge passes none of them on. But this
 * switch speaks none of their protocols, and people put it between devices that do. */
static bool is_link_local(struct mac dst)
{
    static const uint8_t group[MAC_LEN - 1] = { 0x01, 0x80, 0xc2, 0x00, 0x00 };

    return memcmp(dst.b, group, sizeof(group)) == 0 && dst.b[MAC_LEN - 1] < 0x10;
}

/* 802.3x flow control is between two ends of one cable: repeated, it would stop strangers. */
static bool is_pause(struct mac dst)
{
    return is_link_local(dst) && dst.b[MAC_LEN - 1] == 0x01;
}

static bool is_broadcast(struct mac dst)
{
    static const struct mac broadcast = { { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff } };

    return mac_equal(dst, broadcast);
}

static uint32_t now_s(const struct vswitch *sw)
{
    return (uint32_t)(sw->now_ms / 1000);
}

static void update_checks(struct vswitch *sw, uint16_t slot)
{
    struct vswitch_port *port = &sw->ports[slot];

    port->checks = port->options || loopguard_is_blocked(&sw->guard, slot);
}

static void on_change(struct loopguard *guard, uint16_t slot, enum loopguard_change what,
                      uint16_t other)
{
    struct vswitch *sw = (struct vswitch *)((char *)guard - offsetof(struct vswitch, guard));

    if (what == LOOPGUARD_FORGETS)
        fdb_forget_port(&sw->fdb, slot);
    update_checks(sw, slot);
    if (sw->on_loop)
        sw->on_loop(sw, slot, what, other);
}

void vswitch_init(struct vswitch *sw, struct fdb_table *table, uint64_t relay,
                  const uint64_t key[2])
{
    fdb_init(&sw->fdb, table);
    loopguard_init(&sw->guard, relay, key);
    sw->guard.on_change = on_change;
}

void vswitch_open_port(struct vswitch *sw, uint16_t slot, uint32_t id,
                       const struct port_options *options, struct filter_pin *pin,
                       struct filter_pin *first)
{
    sw->ports[slot] = (struct vswitch_port){ .id = id, .pin = pin };
    if (first && first->id != id)
        sw->ports[slot].first = first;
    loopguard_open_port(&sw->guard, slot, id, options->guest || options->pin);
    vswitch_change_port(sw, slot, options);
}

void vswitch_change_port(struct vswitch *sw, uint16_t slot, const struct port_options *options)
{
    struct vswitch_port *port = &sw->ports[slot];

    port->options = filter_is_needed(options) ? options : NULL;
    storm_init(&port->storm, options->limits_storm ? options->storm : sw->storm, sw->now_ms);
    /* A port with one address is no cable to another relay. */
    loopguard_mark_port(&sw->guard, slot, options->guest || options->pin);
    update_checks(sw, slot);
}

void vswitch_close_port(struct vswitch *sw, uint16_t slot)
{
    sw->ports[slot] = (struct vswitch_port){ 0 };
    loopguard_close_port(&sw->guard, slot, sw->now_ms);
    fdb_forget_port(&sw->fdb, slot);
}

static void refuse(struct vswitch *sw, uint16_t in, struct frame frame, enum vswitch_refusal why,
                   uint64_t *counter)
{
    uint64_t *told_ms = &sw->ports[in].told_ms[why];

    ++*counter;
    if (sw->on_refused && (!*told_ms || sw->now_ms >= *told_ms + VSWITCH_TOLD_MS)) {
        *told_ms = sw->now_ms;
        sw->on_refused(sw, in, why, frame_src(frame));
    }
}

/* Multicast has its members, and may be a lot (video): only what must be meant for nobody or for
 * everybody is a storm. In a hub unicast is not known to be unknown. */
static bool counts_as_storm(const struct vswitch *sw, struct mac dst)
{
    return mac_is_multicast(dst) ? is_broadcast(dst) : sw->mode == VSWITCH_SWITCH;
}

static bool passes_on(const struct vswitch *sw, struct mac dst)
{
    if (sw->mode == VSWITCH_WIRE)
        return true;
    if (sw->drop_link_local)
        return !is_link_local(dst);
    return sw->mode == VSWITCH_HUB || !is_pause(dst);
}

/* Where it is to go: a slot, VERDICT_FLOOD or VERDICT_NONE. To itself a station sends to test its
 * link, and says by it that the address is behind this port, whatever is known so far. */
static uint16_t find_way(struct vswitch *sw, uint16_t in, struct frame frame)
{
    struct mac dst = frame_dst(frame);
    uint16_t out = FDB_NONE;

    if (mac_is_multicast(dst))
        return passes_on(sw, dst) ? VERDICT_FLOOD : VERDICT_NONE;
    if (sw->mode == VSWITCH_SWITCH)
        out = mac_equal(dst, frame_src(frame)) ? in : fdb_find(&sw->fdb, dst, now_s(sw));
    if (out == FDB_NONE)
        return VERDICT_FLOOD;
    return out == in ? VERDICT_NONE : out;
}

/* Blocked, or with a filter. */
static bool may_enter(struct vswitch *sw, uint16_t in, struct frame frame, struct port_counters *rx)
{
    const struct vswitch_port *port = &sw->ports[in];

    if (loopguard_is_blocked(&sw->guard, in)) {
        ++rx->drop_loop;
        return false;
    }
    if (port->options && !filter_admits(port->options, port->pin, port->id, frame_src(frame))) {
        refuse(sw, in, frame, VSWITCH_FILTERED, &rx->drop_filter);
        return false;
    }
    return true;
}

static bool may_flood(struct vswitch *sw, uint16_t in, struct frame frame, struct port_counters *rx)
{
    struct vswitch_port *port = &sw->ports[in];

    if (port->storm.rate && counts_as_storm(sw, frame_dst(frame)) &&
        !storm_admits(&port->storm, sw->now_ms)) {
        refuse(sw, in, frame, VSWITCH_STORMED, &rx->drop_storm);
        return false;
    }
    return true;
}

/* What the guard thinks of a frame that is to be flooded. */
static enum loopguard_view view_of(struct vswitch *sw, uint16_t in, struct frame frame)
{
    if (sw->guard.off)
        return LOOPGUARD_NEW;
    return loopguard_flood(&sw->guard, in, frame, sw->fdb.count[in] > 1, sw->now_ms);
}

/* For people, who may wonder whether it is the NIC that they think it is. */
static void note_first(struct vswitch_port *port, struct mac source)
{
    if (mac_is_multicast(source) || mac_is_zero(source))
        return;
    port->first->mac = source;
    port->first->id = port->id;
    port->first = NULL;
}

uint16_t vswitch_input(struct vswitch *sw, uint16_t in, struct frame frame,
                       struct port_counters *rx)
{
    enum loopguard_view view = LOOPGUARD_NEW;
    uint16_t out;

    if (frame.data[0] == PROBE_GROUP && loopguard_take(&sw->guard, in, frame, sw->now_ms))
        return VERDICT_NONE;
    if (sw->ports[in].first)
        note_first(&sw->ports[in], frame_src(frame));
    if (sw->ports[in].checks && !may_enter(sw, in, frame, rx))
        return VERDICT_NONE;
    out = find_way(sw, in, frame);
    if (out == VERDICT_FLOOD)
        view = view_of(sw, in, frame);
    if (view == LOOPGUARD_TOO_MANY) {
        ++rx->drop_loop;
        return VERDICT_NONE;
    }
    if (view == LOOPGUARD_NEW && sw->mode == VSWITCH_SWITCH)
        fdb_learn(&sw->fdb, frame_src(frame), in, now_s(sw));
    if (out == VERDICT_FLOOD && !may_flood(sw, in, frame, rx))
        return VERDICT_NONE;
    ++rx->rx_frames;
    rx->rx_bytes += frame.len;
    return out;
}
