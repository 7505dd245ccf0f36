/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "relay/vswitch.h"

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

void vswitch_open_port(struct vswitch *sw, uint16_t slot, uint32_t id,
                       const struct port_options *options, struct filter_pin *pin)
{
    uint32_t storm = options->limits_storm ? options->storm : sw->storm;

    sw->ports[slot] = (struct vswitch_port){
        .id = id,
        .options = filter_is_needed(options) ? options : NULL,
        .pin = pin,
    };
    storm_init(&sw->ports[slot].storm, storm, sw->now_ms);
}

void vswitch_close_port(struct vswitch *sw, uint16_t slot)
{
    sw->ports[slot] = (struct vswitch_port){ 0 };
    fdb_forget_port(&sw->fdb, slot);
}

static uint16_t refuse(struct vswitch *sw, uint16_t in, struct frame frame,
                       enum vswitch_refusal why, uint64_t *counter)
{
    uint64_t *told_ms = &sw->ports[in].told_ms[why];

    ++*counter;
    if (sw->on_refused && (!*told_ms || sw->now_ms >= *told_ms + VSWITCH_TOLD_MS)) {
        *told_ms = sw->now_ms;
        sw->on_refused(sw, in, why, frame_src(frame));
    }
    return VERDICT_NONE;
}

/* Multicast has its members, and may be a lot (video): only what must be meant for nobody or for
 * everybody is a storm. In a hub unicast is not known to be unknown. */
static bool counts_as_storm(const struct vswitch *sw, struct mac dst)
{
    return mac_is_multicast(dst) ? is_broadcast(dst) : sw->mode == VSWITCH_SWITCH;
}

static bool may_flood(const struct vswitch *sw, struct vswitch_port *port, struct mac dst)
{
    return !port->storm.rate || !counts_as_storm(sw, dst) || storm_admits(&port->storm, sw->now_ms);
}

static bool passes_on(const struct vswitch *sw, struct mac dst)
{
    if (sw->mode == VSWITCH_WIRE)
        return true;
    if (sw->drop_link_local)
        return !is_link_local(dst);
    return sw->mode == VSWITCH_HUB || !is_pause(dst);
}

static uint16_t find_way(struct vswitch *sw, uint16_t in, struct frame frame)
{
    struct mac dst = frame_dst(frame);
    uint32_t now_s = (uint32_t)(sw->now_ms / 1000);
    uint16_t out = VERDICT_FLOOD;

    if (sw->mode == VSWITCH_SWITCH)
        fdb_learn(&sw->fdb, frame_src(frame), in, now_s);
    if (mac_is_multicast(dst))
        return passes_on(sw, dst) ? VERDICT_FLOOD : VERDICT_NONE;
    if (sw->mode == VSWITCH_SWITCH)
        out = fdb_find(&sw->fdb, dst, now_s);
    if (out == FDB_NONE)
        return VERDICT_FLOOD;
    return out == in ? VERDICT_NONE : out;
}

uint16_t vswitch_input(struct vswitch *sw, uint16_t in, struct frame frame,
                       struct port_counters *rx)
{
    struct vswitch_port *port = &sw->ports[in];
    uint16_t out;

    if (port->options && !filter_admits(port->options, port->pin, port->id, frame_src(frame)))
        return refuse(sw, in, frame, VSWITCH_FILTERED, &rx->drop_filter);
    out = find_way(sw, in, frame);
    if (out == VERDICT_FLOOD && !may_flood(sw, port, frame_dst(frame)))
        return refuse(sw, in, frame, VSWITCH_STORMED, &rx->drop_storm);
    ++rx->rx_frames;
    rx->rx_bytes += frame.len;
    return out;
}
