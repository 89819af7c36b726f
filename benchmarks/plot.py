"""`python -m benchmarks.plot BEFORE.json AFTER.json >docs/images/orders.svg`: what
`orders --json` told, as bars.

Two panels, time from first to last call and CPU of the process, both as multiples of
the replay measured beside it.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

WIDTH = 760
BAR = 18
GAP = 8
NAMES = 110
FIGURES = 60
PANEL = (WIDTH - NAMES) // 2
STYLE = """text{font:13px system-ui,sans-serif;fill:#57606a}.title{font-weight:600}
.run{fill:#1f6feb}.other{fill:#8c959f}
@media(prefers-color-scheme:dark){text{fill:#9198a1}}"""
Bar = tuple[str, str, tuple[float, float]]


def bars_of(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[Bar]:
    """Name, class and the two figures of each bar, from the slowest to the floor."""
    return [
        ("run, before", "other", _figures(before["ways"], "run")),
        ("run", "run", _figures(after["ways"], "run")),
        ("bare loop", "other", _figures(after["ways"], "loop")),
        ("replay", "other", _figures(after["ways"], "replay")),
    ]


def _figures(
    methods: Mapping[str, Mapping[str, float]], name: str
) -> tuple[float, float]:
    item = methods[name]
    floor = methods["replay"]
    return item["seconds"] / floor["seconds"], item["cpu_s"] / floor["cpu_s"]


def svg(bars: Sequence[Bar]) -> str:
    height = 30 + len(bars) * (BAR + GAP)
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img">'
    label = "<title>A run beside its own calls: time from first to last call, and CPU</title>"
    return "\n".join(
        [
            head,
            f"<style>{STYLE}</style>",
            label,
            *_names(bars),
            *_panel(bars, 0),
            *_panel(bars, 1),
            "</svg>",
        ]
    )


def _names(bars: Sequence[Bar]) -> Iterator[str]:
    for row, (name, _, _) in enumerate(bars):
        yield f'<text x="{NAMES - 8}" y="{_top(row) + 14}" text-anchor="end">{name}</text>'


def _panel(bars: Sequence[Bar], number: int) -> Iterator[str]:
    remaining = NAMES + number * PANEL
    title = ("first to last call, times the replay", "CPU, times the replay")[number]
    yield f'<text class="title" x="{remaining}" y="16">{title}</text>'
    limit = max(figures[number] for _, _, figures in bars)
    for row, (_, kind, figures) in enumerate(bars):
        length = figures[number] / limit * (PANEL - FIGURES)
        yield f'<rect class="{kind}" x="{remaining}" y="{_top(row)}" width="{length:.1f}" height="{BAR}" rx="3"/>'
        yield f'<text x="{remaining + length + 6:.1f}" y="{_top(row) + 14}">{figures[number]:.1f}</text>'


def _top(row: int) -> int:
    return 28 + row * (BAR + GAP)


if __name__ == "__main__":
    print(svg(bars_of(*(json.loads(Path(name).read_text()) for name in sys.argv[1:3]))))
