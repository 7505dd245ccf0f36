# SPDX-License-Identifier: GPL-2.0-or-later
"""The picture: one bar for each goal, from 0 to what was measured, with a mark where the goal is.

Bars of ratios have one scale, on which 1 is the limit that they are compared with. A goal far
above that, and fixed values, are drawn as parts of their goal.
"""

from xml.sax.saxutils import escape

import report
import results

WIDTH, ROW, TOP, LEFT, SCALE = 1200, 22, 84, 520, 240       # SCALE: as long is 1
ENDS = 1.5                  # where bars are cut
VALUE, GOAL, VERDICT = (LEFT + ENDS * SCALE + x for x in (60, 80, 220))
COLOURS = {results.YES: "#2f7d4f", results.BAND: "#8aa63a", results.NO: "#b5472f",
           results.UNCLEAR: "#9a9a9a"}
STYLE = ("text{font:12px sans-serif;fill:#222}.title{font-size:18px;font-weight:bold}"
         ".small{font-size:11px;fill:#666}.limit{stroke:#999;stroke-dasharray:3 3}"
         ".goal{stroke:#111;stroke-width:2}.band{stroke:#111;stroke-width:1}")


def bar_of(row):
    """(length, goal, half width of the band), in the picture's scale."""
    unit = 1 if row["against"] and row["goal"] <= ENDS else row["goal"] or 1
    length = row["value"] / unit
    return length, row["goal"] / unit, row["band"] * length


def line(kind, x1, y1, x2, y2):
    return f'<line class="{kind}" x1="{x1:.1f}" y1="{y1}" x2="{x2:.1f}" y2="{y2}"/>'


def text(x, y, words, kind="", anchor="start"):
    return f'<text x="{x}" y="{y}" class="{kind}" text-anchor="{anchor}">{escape(words)}</text>'


def at(length):
    """Where a length of the picture's scale ends; what is longer is cut."""
    return LEFT + min(max(length, 0), ENDS) * SCALE


def draw_bar(row, y):
    length, goal, half = bar_of(row)
    return [f'<rect x="{LEFT}" y="{y + 4}" width="{max(at(length) - LEFT, 1):.1f}" height="14" '
            f'fill="{COLOURS[row["reached"]]}"/>',
            line("band", at(length - half), y + 11, at(length + half), y + 11),
            line("goal", at(goal), y + 1, at(goal), y + 21)]


def draw_row(row, y, name):
    out = [text(12, y + 15, name),
           text(LEFT - 10, y + 15, report.METRICS[row["metric"]], "small", "end")]
    if row["value"] is not None:
        out += draw_bar(row, y)
    return out + [text(VALUE, y + 15, report.number(row["value"]), "", "end"),
                  text(GOAL, y + 15, report.goal_text(row), "small"),
                  text(VERDICT, y + 15, row["reached"])]


def draw(rows, peers, subtitle):
    """The whole SVG as text; `peers` are lines of text below the bars."""
    bottom = TOP + ROW * len(rows)
    height = bottom + 60 + 18 * len(peers)
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" '
           f'viewBox="0 0 {WIDTH} {height}">', f"<style>{STYLE}</style>",
           f'<rect width="{WIDTH}" height="{height}" fill="#fff"/>',
           text(12, 28, "netrelay against the limit of the same machine", "title"),
           text(12, 48, subtitle, "small"),
           text(LEFT, 68, "0", "small", "middle"),
           text(LEFT + SCALE, 68, "1 = the limit", "small", "middle"),
           line("limit", LEFT + SCALE, TOP - 10, LEFT + SCALE, bottom + 4)]
    before = None
    for number, row in enumerate(rows):
        name = row["what"] if row["scenario"] != before else ""
        out += draw_row(row, TOP + ROW * number, name)
        before = row["scenario"]
    out.append(text(12, bottom + 22, "upright mark: the goal; thin line: what two runs of netrelay "
                    "differ by; fixed values and far goals: as parts of the goal", "small"))
    for number, words in enumerate(peers):
        out.append(text(12, bottom + 50 + 18 * number, words))
    return "\n".join([*out, "</svg>", ""])
