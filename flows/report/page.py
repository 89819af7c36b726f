"""A report as one HTML file that needs no network and runs no script."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template
from markupsafe import Markup

from connectors.durable import put
from connectors.snapshots.rows import records
from domain.states import OrderState
from flows.report.bars import LINE, SERIES, WARNING, Bar, bars_chart, short_amount
from flows.report.figures import COSTS, MOST_LISTED, Figures
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
    took,
    totals,
    words,
)

if TYPE_CHECKING:
    import pandas as pd

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
    put(file, page(figures, timezone).encode())


MOST_DAYS = 31


def charts(figures: Figures) -> dict[str, list[Markup]]:
    """The charts of each section that has any, by its key."""
    drawn = {
        "standing": _standing(figures),
        "spend": _each(figures.spend, "currency", _spend),
        "days": _each(figures.spend, "currency", _days),
        "limits": _each(figures.limits, "currency", _limits),
        "freight": _each(figures.freight, ["currency", "freight_currency"], _freight),
        "landed": _each(figures.landed, "currency", _landed),
        "stages": _stages(figures),
    }
    return {key: list(some) for key, some in drawn.items()}


def _each(frame: pd.DataFrame, keys: str | list[str], draw: Any) -> Iterator[Markup]:
    """A chart a currency, so that bars of one chart can be compared."""
    for _, one in frame.groupby(keys):
        yield from draw(one)


def _standing(figures: Figures) -> Iterator[Markup]:
    steps = [
        Bar(label=words(row["state"]), parts=[row["orders"]], text=f"{row['orders']:,}")
        for row in records(figures.reached)
    ]
    road = {row["state"] for row in records(figures.reached)} | {OrderState.PAYMENT_PENDING}
    off = [
        Bar(label=words(row["state"]), parts=[row["orders"]], text=f"{row['orders']:,}", colour=WARNING)
        for row in records(figures.standing)
        if row["state"] not in road
    ]
    if figures.orders:
        yield bars_chart("Orders that came so far, and those that left the road", [*steps, *off])


def _spend(spend: pd.DataFrame) -> Iterator[Markup]:
    sums = records(spend.groupby(["marketplace", "currency"])["paid_minor"].sum().reset_index())
    bars = [
        Bar(label=r["marketplace"], parts=[r["paid_minor"]], text=short_amount(r["paid_minor"], r["currency"]))
        for r in sums
    ]
    yield bars_chart(f"Paid, {sums[0]['currency']}", bars)


def _days(spend: pd.DataFrame) -> Iterator[Markup]:
    """Days as rows, the newest last; of many their months."""
    known = spend[spend["day"] != ""]
    unit = "day" if known["day"].nunique() <= MOST_DAYS else "month"
    if unit == "month":
        known = known.assign(day=known["day"].str[:7])
    names = sorted(set(known["marketplace"]))
    currency = str(spend["currency"].iloc[0])
    table = known.pivot_table(index="day", columns="marketplace", values="paid_minor", aggfunc="sum", fill_value=0)
    bars = [
        Bar(label=str(day), parts=[int(row[name]) for name in names], text=short_amount(int(row.sum()), currency))
        for day, row in table.iloc[-MOST_DAYS:].iterrows()
    ]
    if len(bars) > 1:
        yield bars_chart(f"Paid {unit} by {unit}, {currency}", bars, names)


def _limits(limits: pd.DataFrame) -> Iterator[Markup]:
    rows = records(limits)
    bars = [
        Bar(
            label=row["marketplace"],
            parts=[min(row["paid_minor"], row["limit_minor"]), max(row["saved_minor"], 0)],
            text=f"{percent(row['saved_minor'], row['limit_minor'])} saved",
        )
        for row in rows
    ]
    yield bars_chart(
        f"Paid of what your limits allowed, {rows[0]['currency']}",
        bars,
        ["paid", "left of the limit"],
        [SERIES[0], LINE],
    )


def _freight(freight: pd.DataFrame) -> Iterator[Markup]:
    rows = [row for row in records(freight) if row["paid_minor"]]
    if not rows:
        return
    if rows[0]["currency"] == rows[0]["freight_currency"]:
        bars = [
            Bar(
                label=r["marketplace"],
                parts=[r["freight_minor"] * 10_000 // (r["freight_minor"] + r["paid_minor"])],
                text=percent(r["freight_minor"], r["freight_minor"] + r["paid_minor"]),
            )
            for r in rows
        ]
        yield bars_chart("Freight as a part of what an order cost", bars)
    else:
        bars = [
            Bar(label=r["marketplace"], parts=[r["freight_minor"] * 10_000 // r["paid_minor"]], text=on_hundred(r))
            for r in rows
        ]
        yield bars_chart(f"Freight on each 100 {rows[0]['currency']} of goods and postage", bars)


def _landed(landed: pd.DataFrame) -> Iterator[Markup]:
    rows = records(landed)
    bars = [
        Bar(
            label=row["marketplace"],
            parts=[max(row[part], 0) for part in COSTS],
            text=short_amount(row["landed_minor"], row["currency"]),
        )
        for row in rows
    ]
    yield bars_chart(f"Landed cost, {rows[0]['currency']}", bars, ["goods", "postage", "surcharge", "freight"])


def _stages(figures: Figures) -> Iterator[Markup]:
    """The median as the bar, and the time that nine of ten orders kept to behind it."""
    bars = [
        Bar(label=stage(row), parts=[row["median_s"], row["most_s"] - row["median_s"]], text=took(row["median_s"]))
        for row in records(figures.stages)
    ]
    if bars:
        yield bars_chart("Time of an order", bars, ["usual", "nine of ten within"], [SERIES[0], LINE])
