# SPDX-License-Identifier: GPL-2.0-or-later
"""The tables that people read, as text."""

# metric: (heading, factor, format)
COLUMNS = {
    "frames_per_s": ("frames/s", 1, "{:,.0f}"),
    "gbit_per_s": ("Gbit/s", 1, "{:.2f}"),
    "cpu_ms_per_mframes": ("CPU s/Mframe", 1e-3, "{:.3f}"),
    "p50_us": ("p50 us", 1, "{:.1f}"),
    "p99_us": ("p99 us", 1, "{:.1f}"),
    "p999_us": ("p99.9 us", 1, "{:.1f}"),
    "gap_ms": ("gap ms", 1, "{:.1f}"),
    "all_heard_ms": ("heard ms", 1, "{:.1f}"),
    "memory_kib": ("KiB", 1, "{:,.0f}"),
    "lost": ("lost", 1, "{:,.0f}"),
    "relay_busy": ("relay", 100, "{:.0f} %"),
    "load_busy": ("load", 100, "{:.0f} %"),
}
METRICS = {
    "frames_per_s": "frames/s", "cpu_ms_per_mframes": "CPU a frame", "gbit_per_s": "bit/s",
    "p50_us": "p50", "p99_us": "p99", "gap_ms": "longest gap, ms", "lost": "frames lost",
    "stray": "frames to a wrong port", "memory_growth_kib": "memory growth, KiB",
    "all_heard_ms": "all have heard it, ms", "kib_per_port": "KiB an idle port",
    "empty_kib": "KiB when empty",
}
SIGNS = {"at least": ">=", "at most": "<="}


def number(value):
    if value is None:
        return "-"
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}" if value < 0.1 else \
        f"{value:.2f}"


def table(rows):
    """Left-aligned words, right-aligned numbers, as wide as they need."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return "\n".join("  ".join(
        cell.ljust(width) if i == 0 else cell.rjust(width)
        for i, (cell, width) in enumerate(zip(row, widths))).rstrip() for row in rows)


def runs_table(medians):
    """What each run of a scenario came to."""
    columns = [metric for metric in COLUMNS if any(metric in run for run in medians.values())]
    rows = [["", *(COLUMNS[metric][0] for metric in columns)]]
    for name, run in medians.items():
        rows.append([name, *(COLUMNS[metric][2].format(run[metric] * COLUMNS[metric][1])
                             if metric in run else "-" for metric in columns)])
    return table(rows)


def goal_text(row):
    text = f"{SIGNS[row['than']]} {row['goal']:g}"
    return f"{text} x {row['against']}" if row["against"] else text


def goals_table(rows):
    lines = [["scenario", "number", "netrelay", "band", "goal", "reached"]]
    for row in rows:
        lines.append([row["scenario"], METRICS[row["metric"]], number(row["value"]),
                      f"{row['band'] * 100:.1f} %" if row["against"] else "",
                      goal_text(row), row["reached"]])
    return table(lines)


def peers_lines(found):
    """A line for each scenario with other programs in it."""
    return [f"{one['what']}: " + ", ".join(f"{number(times)} x {peer}"
                                           for peer, times in one["peers"])
            for one in found if one["peers"]]
