"""A report as one HTML file that needs no network and runs no script; plots as SVG that
takes its colours from the page around it.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template
from markupsafe import Markup, escape

from flows.report.sections import NUMBERS, Cell, Plot, Section

HERE = Path(__file__).parent
FEW_COLUMNS = 4
"""Columns that fit a phone: with more, each row is a card there."""
WIDTH = 330
ROW = 26
BAR = 16
LABELS = 100
TEXTS = 110
"""The room left of the bars and right of them: the letters of a phone keep their
size.
"""
PLOT = Markup(
    "<figure><figcaption>{title}</figcaption>"
    '<svg role="img" aria-label="{title}" viewBox="0 0 {width} {height}">{bars}</svg>'
    "</figure>"
)
BARS = Markup(
    '<text x="{end}" y="{middle}" text-anchor="end">{label}</text>'
    '<rect x="{start}" y="{top}" width="{width:.1f}" height="{height}"/>'
    '<text x="{behind:.1f}" y="{middle}">{text}</text>'
)


def draw(plot: Plot) -> Markup:
    """The bars, the first on top, each with its label and its text."""
    longest = max([1, *(bar.value for bar in plot.bars)])
    bars = []
    for row, bar in enumerate(plot.bars):
        width = bar.value * (WIDTH - LABELS - TEXTS) / longest
        bars.append(
            BARS.format(
                end=LABELS - 8,
                start=LABELS,
                behind=LABELS + width + 8,
                top=ROW * row + (ROW - BAR) // 2,
                middle=ROW * row + ROW // 2,
                width=width,
                height=BAR,
                label=bar.label,
                text=bar.text,
            )
        )
    return PLOT.format(
        title=plot.title,
        width=WIDTH,
        height=ROW * len(plot.bars),
        bars=Markup("").join(bars),
    )


def page(title: str, moment: str, sections: Sequence[Section]) -> str:
    """The whole file. All foreign text is escaped."""
    return _template().render(title=title, moment=moment, sections=sections)


@cache
def _template() -> Template:
    environment = Environment(
        loader=FileSystemLoader(HERE),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_html,
    )
    environment.globals |= {
        "FEW_COLUMNS": FEW_COLUMNS,
        "NUMBERS": NUMBERS,
        "draw": draw,
    }
    return environment.get_template("report.html")


def _html(cell: Cell) -> str:
    if isinstance(cell, str):
        return cell
    anchor = Markup('<a href="{}" rel="noreferrer">{}</a>')
    links = [
        anchor.format(link.address, link.words) if link.address else escape(link.words)
        for link in cell
    ]
    return Markup("<br>").join(links)
