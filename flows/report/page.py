"""A report as one HTML file that needs no network and runs no script."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from html import escape
from importlib.resources import files
from pathlib import Path
from string import Template

from connectors.durable import whole
from flows.report.charts import charts
from flows.report.figures import MOST_LISTED, Figures
from flows.report.sections import NUMBERS, ReportSection, Row, heading, moment, rest, sections, totals
from flows.report.words import ALL

FOLDED = ("waiting", "orders", "days")
SHOWN_OF_FOLDED = 8
NARROW = 4
"""Columns that fit a phone: with more, each row is a card there, where short cells share a line."""
LINES_OF_THEIR_OWN = ("reason and remedy", "what")
WIDE = 8  # columns that leave no room for a chart beside them


def page(figures: Figures, timezone: str) -> str:
    """The whole file. All foreign text is escaped; equal figures make equal bytes."""
    drawn = charts(figures)
    return Template(files("flows.prefect_ui").joinpath("report.html").read_text(encoding="utf-8")).substitute(
        title=escape(heading(figures)),
        moment=escape(moment(figures, timezone)),
        totals="\n".join(
            f"<div><dt>{escape(name)}</dt><dd>{escape(value)}</dd></div>" for name, value in totals(figures)
        ),
        sections="\n".join(_section(part, drawn.get(part.key, [])) for part in sections(figures, timezone)),
    )


def _section(part: ReportSection, drawn: Sequence[str]) -> str:
    words = "".join(f"<p>{escape(sentence)}</p>" for sentence in part.words)
    whole = f"<p>{escape(more)}</p>" if (more := rest(part, min(len(part.rows), MOST_LISTED))) else ""
    charts = f"<div>{''.join(drawn)}</div>" if drawn else ""
    title = f'<h2 id="{part.key}">{escape(part.title)}</h2>'
    kind = "beside two" if drawn and len(part.columns) < WIDE else "beside"
    beside = f'<div class="{kind}">{charts}<div>{_tables(part)}{whole}</div></div>'
    return f'<section aria-labelledby="{part.key}">{title}{words}{beside}</section>'


def _tables(part: ReportSection) -> str:
    """The table; of a long one the first rows, and the others behind a line that opens them."""
    shown = SHOWN_OF_FOLDED if part.key in FOLDED else MOST_LISTED
    folded = part.rows[shown:MOST_LISTED]
    more = f"<details><summary>{len(folded):,} more</summary>{_table(part, folded)}</details>" if folded else ""
    return _table(part, part.rows[:shown]) + more


def _table(part: ReportSection, rows: Sequence[Row]) -> str:
    if not rows:
        return ""
    head = "".join(f"<th{_kind(name)} scope=col>{escape(name)}</th>" for name in part.columns)
    body = "\n".join(map(partial(_row, part), rows))
    kind = "short" if len(part.columns) <= NARROW else "cards"
    table = f'<table class="{kind}"><thead><tr>{head}</tr></thead><tbody>\n{body}\n</tbody></table>'
    return f'<div class="scroll" tabindex="0" role="region" aria-labelledby="{part.key}">{table}</div>'


def _row(part: ReportSection, row: Row) -> str:
    cells = "".join(_cell(name, text) for name, text in zip(part.columns, row, strict=True))
    return f"<tr{' class=all' if row[0] == ALL else ''}>{cells}</tr>"


def _cell(name: str, text: str) -> str:
    named = "" if name in LINES_OF_THEIR_OWN else f' data-name="{name}"'
    return f"<td{_kind(name)}{named}>{escape(text)}</td>"


def _kind(name: str) -> str:
    return " class=number" if name in NUMBERS else ""


def write_page(figures: Figures, timezone: str, file: Path) -> None:
    """Write the page whole or not at all; folders that are missing are made. Raises `OSError`."""
    with whole(file) as unfinished:
        unfinished.write_text(page(figures, timezone), encoding="utf-8")
