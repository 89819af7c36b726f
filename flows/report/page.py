"""A report as one HTML file that needs no network and runs no script."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template
from markupsafe import Markup

from connectors.durable import put
from domain.states import OrderState
from flows.report.bars import LINE, SERIES, WARNING, Bar, bars_chart, short_amount
from flows.report.figures import COSTS, MOST_LISTED, Figures, Rows
from flows.report.sections import (
    ALL,
    NUMBERS,
    ReportSection,
    heading,
    moment,
    on_hundred,
    percent,
    rest,
    sections,
    stage,
    summed,
    took,
    totals,
    words,
)

HERE = Path(__file__).parent
FOLDED = ("waiting", "orders", "days")
SHOWN_OF_FOLDED = 8
NARROW = 4
"""Columns that fit a phone: with more, each row is a card there, where short cells
share a line.
"""
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
        loader=FileSystemLoader(HERE),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals |= {
        **{
            "ALL": ALL,
            "LINES_OF_THEIR_OWN": LINES_OF_THEIR_OWN,
            "MOST_LISTED": MOST_LISTED,
        },
        **{
            "NARROW": NARROW,
            "NUMBERS": NUMBERS,
            "WIDE": WIDE,
            "shown": _shown,
            "rest": _rest,
        },
    }
    return environment.get_template("report.html")


def _shown(part: ReportSection) -> int:
    """How many rows of a table stand open; the others are behind a line that opens
    them.
    """
    return SHOWN_OF_FOLDED if part.key in FOLDED else MOST_LISTED


def _rest(part: ReportSection) -> str:
    return rest(part, min(len(part.rows), MOST_LISTED))


def write_page(figures: Figures, timezone: str, file: Path) -> None:
    """Write the page whole or not at all; folders that are missing are made. Raises
    `OSError`.
    """
    put(file, page(figures, timezone).encode())


MOST_DAYS = 31
BAR_OF_SHARE = 10_000
"""The length of a share in a chart: parts are whole numbers."""


def charts(figures: Figures) -> dict[str, list[Markup]]:
    """The charts of each section that has any, by its key."""
    drawn = {
        "standing": _standing(figures),
        "spend": _each(figures.spend, _spend, "currency"),
        "days": _each(figures.spend, _days, "currency"),
        "limits": _each(figures.limits, _limits, "currency"),
        "freight": _each(figures.freight, _freight, "currency", "freight_currency"),
        "landed": _each(figures.landed, _landed, "currency"),
        "stages": _stages(figures),
    }
    return {key: list(some) for key, some in drawn.items()}


def _each(
    rows: Rows, draw: Callable[[Rows], Iterator[Markup]], *keys: str
) -> Iterator[Markup]:
    """A chart a currency, so that bars of one chart can be compared."""
    for _, some in groupby(rows, itemgetter(*keys)):
        yield from draw(list(some))


def _standing(figures: Figures) -> Iterator[Markup]:
    road = {row["state"] for row in figures.reached} | {OrderState.PAYMENT_PENDING}
    off = [row for row in figures.standing if row["state"] not in road]
    bars = [
        Bar(
            label=words(row["state"]),
            parts=[row["orders"]],
            text=f"{row['orders']:,}",
            colour=colour,
        )
        for rows, colour in ((figures.reached, SERIES[0]), (off, WARNING))
        for row in rows
    ]
    if figures.orders:
        yield bars_chart("Orders that came so far, and those that left the road", bars)


def _spend(spend: Rows) -> Iterator[Markup]:
    bars = [
        _of_money(row, [row["paid_minor"]], "paid_minor")
        for row in summed(spend, "marketplace")
    ]
    yield bars_chart(f"Paid, {spend[0]['currency']}", bars)


def _of_money(row: dict[str, Any], parts: Sequence[int], total: str) -> Bar:
    return Bar(
        label=row["marketplace"],
        parts=parts,
        text=short_amount(row[total], row["currency"]),
    )


def _days(spend: Rows) -> Iterator[Markup]:
    """Days as rows, the newest last; of many their months."""
    is_short = len({row["day"] for row in spend if row["day"]}) <= MOST_DAYS
    unit, length = ("day", 10) if is_short else ("month", 7)
    sums, currency = defaultdict[str, Counter[str]](Counter), spend[0]["currency"]
    for row in spend:
        if row["day"]:
            sums[row["day"][:length]][row["marketplace"]] += row["paid_minor"]
    names = sorted({name for of_day in sums.values() for name in of_day})
    bars = [
        Bar(
            label=day,
            parts=[of_day[name] for name in names],
            text=short_amount(of_day.total(), currency),
        )
        for day, of_day in sorted(sums.items())[-MOST_DAYS:]
    ]
    if len(bars) > 1:
        yield bars_chart(f"Paid {unit} by {unit}, {currency}", bars, names)


def _limits(limits: Rows) -> Iterator[Markup]:
    bars = [
        Bar(
            label=row["marketplace"],
            parts=[
                min(row["paid_minor"], row["limit_minor"]),
                max(row["saved_minor"], 0),
            ],
            text=f"{percent(row['saved_minor'], row['limit_minor'])} saved",
        )
        for row in limits
    ]
    title = f"Paid of what your limits allowed, {limits[0]['currency']}"
    yield bars_chart(title, bars, ["paid", "left of the limit"], [SERIES[0], LINE])


def _freight(freight: Rows) -> Iterator[Markup]:
    """The share of freight in the total; in a currency of its own, beside what was
    paid.
    """
    currency = freight[0]["currency"]
    is_share = currency == freight[0]["freight_currency"]
    beside = f"Freight on each 100 {currency} of goods and postage"
    bars = list[Bar]()
    for row in (one for one in freight if one["paid_minor"]):
        whole = row["paid_minor"] + (row["freight_minor"] if is_share else 0)
        text = percent(row["freight_minor"], whole) if is_share else on_hundred(row)
        bars.append(
            Bar(
                label=row["marketplace"],
                parts=[row["freight_minor"] * BAR_OF_SHARE // whole],
                text=text,
            )
        )
    if bars:
        yield bars_chart(
            "Freight as a part of what an order cost" if is_share else beside, bars
        )


def _landed(landed: Rows) -> Iterator[Markup]:
    bars = [
        _of_money(row, [max(row[part], 0) for part in COSTS], "landed_minor")
        for row in landed
    ]
    yield bars_chart(
        f"Landed cost, {landed[0]['currency']}",
        bars,
        ["goods", "postage", "surcharge", "freight"],
    )


def _stages(figures: Figures) -> Iterator[Markup]:
    """The median as the bar, and the time that nine of ten orders kept to behind it."""
    bars = [
        Bar(
            label=stage(row),
            parts=[row["median_s"], row["most_s"] - row["median_s"]],
            text=took(row["median_s"]),
        )
        for row in figures.stages
    ]
    if bars:
        yield bars_chart(
            "Time of an order", bars, ["usual", "nine of ten within"], [SERIES[0], LINE]
        )
