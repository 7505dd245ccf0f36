# SPDX-License-Identifier: GPL-2.0-or-later
"""What is compared with what, and what has to be reached: the one table of both.

A scenario has runs, each under a name; "netrelay" is the program under test. A goal compares one
number of it with the same number of another run, or with a fixed value.
"""

import collections
from functools import partial

import guests
import kernel
import load
import subjects as of

OURS = "netrelay"
PEERS = ("vde_switch", "qemu hub", "kernel bridge")     # other programs; the rest are limits

Scenario = collections.namedtuple("Scenario", "name what runs goals")

# `metric` of netrelay, `than` ("at least", "at most") `factor` times that of the run `against`;
# without one, `factor` itself.
Goal = collections.namedtuple("Goal", "metric than factor against", defaults=[None])

FRAMES, CPU = "frames_per_s", "cpu_ms_per_mframes"

# Less than what a socket of the kernel holds by default, so nothing that is bounded has to drop.
SMALL = ("--window", 96 * 1024)         # some 60 datagrams
TINY = ("--window", 16 * 1024)          # VDE's sockets hold 10
STALL = ("--flow", "0:1", "--flow", "2:3:20000", "--warm-up", 0.5)

PAIR = ("--flow", "0:1")
FOUR_PAIRS = ("--flow", "0:1", "--flow", "2:3", "--flow", "4:5", "--flow", "6:7")


def at_least(factor, against, metric=FRAMES):
    return Goal(metric, "at least", factor, against)


def at_most(factor, against=None, metric=CPU):
    return Goal(metric, "at most", factor, against)


def measured(make, *options):
    return partial(load.run, make, *options)


def two_ports(name, ours, size, peers):
    """A batched sender through two ports."""
    options = (*PAIR, "--sizes", size)
    runs = {OURS: measured(ours, *options),
            "raw": measured(partial(of.bare, "copy", 2), *options),
            "generator": measured(partial(of.direct, 1), *options)}
    if peers:
        runs |= {"vde_switch": measured(partial(of.vde_switch, 2), *options, *TINY),
                 "qemu hub": measured(partial(of.qemu_hub, 2), *options),
                 "kernel bridge": measured(partial(of.kernel_bridge, 2), *options, *SMALL)}
    return Scenario(f"{name}-{size}", f"{name}, 2 TCP ports, 256 KiB a write, {size}", runs,
                    [at_least(0.95, "raw"), at_most(1.4 if size == "64" else 1.15, "raw")])


def one_by_one(ports, flows):
    options = (*flows, "--one-by-one")
    return Scenario(f"single-{ports}", f"a write for each frame, {ports} ports, 1514", {
        OURS: measured(partial(of.switch, ports), *options),
        "generator": measured(partial(of.direct, ports // 2), *options),
        "per frame": measured(partial(of.bare, "per-frame", ports, 1514), *options),
        "raw": measured(partial(of.bare, "copy", ports), *options),
        "awake": measured(partial(of.bare, "awake", ports, 100), *options),
    }, [at_least(0.95, "generator"), at_most(0.55, "per frame")])


def four_pairs():
    return Scenario("pairs", "8 ports, 4 pairs, 256 KiB a write, 1514", {
        OURS: measured(partial(of.switch, 8), *FOUR_PAIRS),
        "raw": measured(partial(of.bare, "copy", 8), *FOUR_PAIRS),
        "vde_switch": measured(partial(of.vde_switch, 8), *FOUR_PAIRS, *TINY),
        "qemu hub": measured(partial(of.qemu_hub, 8), *FOUR_PAIRS),
        "kernel bridge": measured(partial(of.kernel_bridge, 8), *FOUR_PAIRS, *SMALL),
    }, [at_least(0.95, "raw"), at_least(5, "vde_switch"), at_most(0, metric="stray")])


def broadcast(count):
    options = ("--flow", "0:all", "--window", 512 * 1024 if count < 100 else 128 * 1024)
    runs = {OURS: measured(partial(of.unlimited_switch, count + 1), *options),
            "fan-out": measured(partial(of.bare, "fanout", count + 1), *options)}
    if count == 8:
        runs |= {"vde_switch": measured(partial(of.vde_switch, 9), "--flow", "0:all", *TINY),
                 "qemu hub": measured(partial(of.qemu_hub, 9), *options),
                 "kernel bridge": measured(partial(of.kernel_bridge, 9), "--flow", "0:all",
                                           *SMALL)}
    return Scenario(f"broadcast-{count}", f"broadcast, 1 to {count:,} ports, 1514", runs,
                    [at_least(0.95, "fan-out")])


def ping_idle():
    return Scenario("ping", "round trip of 64 B, idle", {
        OURS: measured(partial(of.switch, 2), "--ping", "0:1"),
        "raw": measured(partial(of.bare, "copy", 2), "--ping", "0:1"),
        "vde_switch": measured(partial(of.vde_switch, 2), "--ping", "0:1"),
        "qemu hub": measured(partial(of.qemu_hub, 2), "--ping", "0:1"),
    }, [at_most(1.05, "raw", "p50_us"), at_most(1.05, "raw", "p99_us")])


def ping_beside():
    options = ("--ping", "0:1", "--flow", "2:3", "--window", 256 * 1024)
    return Scenario("ping-beside", "round trip of 64 B, beside a pair that saturates the relay", {
        OURS: measured(partial(of.switch, 4), *options),
        "idle": measured(partial(of.switch, 4), "--ping", "0:1"),
        "raw": measured(partial(of.bare, "copy", 4), *options),
        "qemu hub": measured(partial(of.qemu_hub, 4), *options),
    }, [at_most(1.3, "idle", "p99_us")])


def udp():
    return Scenario("udp", "UDP between local peers that cut nothing, 1514", {
        OURS: measured(of.udp_wire, *PAIR, *SMALL),
        "recv/send": measured(of.bare_udp, *PAIR, *SMALL),
    }, [at_least(1.1, "recv/send"), at_most(0, metric="lost")])


def segments(name, what, ours, bare, flow):
    return Scenario(name, what, {
        OURS: measured(ours, "--flow", flow),
        "segments": measured(bare, "--flow", flow),
    }, [at_least(0.9, "segments")])


def tap(name, what, flow):
    return Scenario(name, what, {
        OURS: measured(of.stream_and_bridge, "--flow", flow),
        "write/read": measured(of.bare_stream_and_bridge, "--flow", flow),
    }, [at_least(0.95, "write/read")])


def kernel_tcp():
    return Scenario("kernel-tcp", "iperf3: bridge, TAP, wire, TAP, bridge", {
        OURS: kernel.through_netrelay,
        "segments": kernel.through_segments,
        "plain TAPs": kernel.through_plain_taps,
        "kernel bridge": kernel.through_nothing,
    }, [at_least(0.8, "segments", "gbit_per_s")])


def beside_trouble(name, what, options, calm):
    return Scenario(name, what, {
        OURS: measured(partial(of.switch, 4), *options),
        "without": measured(partial(of.switch, 4), *calm),
    }, [at_least(0.95, "without"), at_most(20, metric="gap_ms"),
        at_most(4096, metric="memory_growth_kib")])


def burst():
    return Scenario("burst", "1,000 clients connect at once and get one broadcast", {
        OURS: measured(partial(of.switch, 1), "--burst", "1000:{l4_port}"),
    }, [at_most(100, metric="all_heard_ms"), at_most(8, metric="kib_per_port"),
        at_most(2048, metric="empty_kib")])


def two_guests():
    return Scenario("guests", "two real guests, iperf3", {
        OURS: guests.through_netrelay,
        "direct": guests.direct,
    }, [at_least(0.95, "direct", "gbit_per_s")])


def all_scenarios():
    return [
        *(two_ports("switch", partial(of.switch, 2), size, size in ("64", "1514"))
          for size in ("64", "imix", "1514", "9014")),
        *(two_ports("wire", of.wire, size, False) for size in ("64", "imix", "1514", "9014")),
        one_by_one(2, PAIR),
        one_by_one(8, FOUR_PAIRS),
        four_pairs(),
        *(broadcast(count) for count in (8, 32, 128, 1000)),
        ping_idle(),
        ping_beside(),
        udp(),
        segments("tcp-udp", "TCP to UDP, 1514", of.stream_and_udp, of.bare_stream_and_udp, "0:1"),
        segments("udp-udp", "TCP, UDP between two relays, TCP, 1514", of.two_relays,
                 of.bare_two_relays, "0:1"),
        segments("udp-tcp", "UDP of another relay to TCP, 1514", of.stream_and_udp,
                 of.bare_stream_and_udp, "1:0"),
        tap("tcp-tap", "TCP to a TAP in a bridge, 1514", "0:1"),
        tap("tap-tcp", "a TAP in a bridge to TCP, 1514", "1:0"),
        kernel_tcp(),
        beside_trouble("stalled", "a stalled port beside a talking pair", (*STALL, "--deaf", 3),
                       STALL),
        beside_trouble("half", "half a frame beside a talking pair", (*PAIR, "--half", 3), PAIR),
        burst(),
        two_guests(),
    ]
