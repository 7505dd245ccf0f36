# SPDX-License-Identifier: GPL-2.0-or-later
"""From measurements to verdicts. Pure: no clock, no file, no process.

The runs of a scenario are interleaved, and netrelay is in each round twice. Only ratios within one
round are made; what counts is their median. What two runs of the same program differ by in the
same round, in the median too, is the band: a goal is reached when it is reached within it.
"""

from statistics import median

from scenarios import OURS, PEERS

AGAIN = "netrelay again"

WIDE = 0.15             # a band that says more of the machine than of netrelay
YES, BAND, NO, UNCLEAR, UNKNOWN = "yes", "within the band", "no", "unclear", "not measured"


def ratios(samples, one, other, metric):
    """A list with the ratio of each round in which both were measured and are not 0."""
    return [a[metric] / b[metric] for a, b in zip(samples[one], samples[other])
            if a and b and a.get(metric) is not None and b.get(metric)]


def band(samples, metric):
    """How far two runs of one program are apart."""
    found = ratios(samples, AGAIN, OURS, metric)
    return median(abs(ratio - 1) for ratio in found) if found else 0.0


def values(samples, run, metric):
    return [one[metric] for one in samples[run] if one and one.get(metric) is not None]


def value_of(goal, samples):
    """The ratio that the goal is about; of a fixed one the worst value, of either of our runs."""
    if goal.against:
        found = ratios(samples, OURS, goal.against, goal.metric)
        return median(found) if found else None
    found = values(samples, OURS, goal.metric) + values(samples, AGAIN, goal.metric)
    return max(found, default=None)


def verdict(goal, value, width):
    """Reached by itself, within the band, or not; unclear where a wide band decides that."""
    if value is None:
        return UNKNOWN
    if goal.than == "at least":
        better, worse = value >= goal.factor * (1 - width), value * (1 - width) < goal.factor
        reached = value >= goal.factor
    else:
        better, worse = value <= goal.factor * (1 + width), value * (1 + width) > goal.factor
        reached = value <= goal.factor
    if width > WIDE and better and worse:
        return UNCLEAR
    return YES if reached else BAND if better else NO


def judge(scenario, samples):
    """A row for each goal."""
    rows = []
    for goal in scenario.goals:
        width = band(samples, goal.metric) if goal.against else 0.0
        value = value_of(goal, samples)
        rows.append({
            "scenario": scenario.name, "what": scenario.what, "metric": goal.metric,
            "against": goal.against, "than": goal.than, "goal": goal.factor, "value": value,
            "band": width, "reached": verdict(goal, value, width)})
    return rows


def beside_peers(scenario, samples):
    """[(peer, how many times its frames/s, or how many times as quick)] of other programs."""
    found = []
    for peer in scenario.runs:
        times = ratios(samples, OURS, peer, "frames_per_s") or \
            ratios(samples, OURS, peer, "gbit_per_s") or ratios(samples, peer, OURS, "p50_us")
        if peer in PEERS and times:
            found.append((peer, median(times)))
    return found


def faults(samples):
    """What must never be: {run: {fault: frames or connections}}, only of runs that have any."""
    found = {}
    for run, several in samples.items():
        for one in several:
            for name, count in (one or {}).get("faults", {}).items():
                counts = found.setdefault(run, {})
                counts[name] = counts.get(name, 0) + count
    return found


def medians(samples):
    """{run: {metric: median}} of everything that is a number."""
    result = {}
    for run, found in samples.items():
        metrics = {key for one in found if one for key, value in one.items()
                   if isinstance(value, (int, float))}
        result[run] = {metric: median(values(samples, run, metric)) for metric in sorted(metrics)}
    return result


def disturbance(several):
    """The part of the time for which the generator's CPU was somebody else's, in the worst run."""
    return max((run.get("load_waited", 0) for medians_of in several
                for run in medians_of.values()), default=0)
