"""A report as one HTML file that needs no network and runs no script."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template

from connectors.durable import whole
from flows.report.charts import charts
from flows.report.figures import MOST_LISTED, Figures
from flows.report.sections import NUMBERS, ReportSection, heading, moment, rest, sections, totals
from flows.report.words import ALL

HERE = Path(__file__).parent
FOLDED = ("waiting", "orders", "days")
SHOWN_OF_FOLDED = 8
NARROW = 4
"""Columns that fit a phone: with more, each row is a card there, where short cells share a line."""
LINES_OF_THEIR_OWN = ("reason and remedy", "what")
WIDE = 8  # columns that leave no room for a chart beside them


def page(figures: Figures, timezone: str) -> str:
    """The whole file. All foreign text is escaped; equal figures make equal bytes."""
    return _template().render(
        title=heading(figures),
        moment=moment(figures, timezone),
        totals=totals(figures),
        parts=sections(figures, timezone),
        charts=charts(figures),
    )


@cache
def _template() -> Template:
    environment = Environment(
        loader=FileSystemLoader(HERE), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.globals |= {
        **{"ALL": ALL, "LINES_OF_THEIR_OWN": LINES_OF_THEIR_OWN, "MOST_LISTED": MOST_LISTED},
        **{"NARROW": NARROW, "NUMBERS": NUMBERS, "WIDE": WIDE, "shown": _shown, "rest": _rest},
    }
    return environment.get_template("report.html")


def _shown(part: ReportSection) -> int:
    """How many rows of a table stand open; the others are behind a line that opens them."""
    return SHOWN_OF_FOLDED if part.key in FOLDED else MOST_LISTED


def _rest(part: ReportSection) -> str:
    return rest(part, min(len(part.rows), MOST_LISTED))


def write_page(figures: Figures, timezone: str, file: Path) -> None:
    """Write the page whole or not at all; folders that are missing are made. Raises `OSError`."""
    with whole(file) as unfinished:
        unfinished.write_text(page(figures, timezone), encoding="utf-8")
