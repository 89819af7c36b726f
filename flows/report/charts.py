"""The charts of a report as SVG that takes its colours and letters from the page around it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from unicodedata import east_asian_width

from markupsafe import Markup

from connectors.snapshots.rows import records
from domain.money import minor_digits
from domain.states import OrderState
from flows.report.figures import COSTS, Figures
from flows.report.words import amount, on_hundred, percent, stage, took, words

if TYPE_CHECKING:
    import pandas as pd

WIDTH = 310  # a phone's, so that letters keep their size there
ROW, BAR, LETTERS, GAP, SWATCH = 26, 16, 11, 5, 9
NAMES_A_ROW = 3
MOST_DAYS = 31
SERIES = ("series-1", "series-2", "series-3", "series-4", "series-5")
WARNING, LINE = "warning", "line"
"""Colours are variables of the page's style, which decides on light and dark."""
CHART = Markup(
    "<figure><figcaption>{title}</figcaption>"
    '<svg role="img" aria-label="{label}" viewBox="0 0 {width} {height}">{drawn}</svg></figure>'
)
TEXT = Markup('<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{text}</text>')
AREA = Markup('<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height}" fill="var(--{colour})"/>')


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """A row of a chart: its parts, laid end to end, and the text behind them. `colour` is that of a lone part."""

    label: str
    parts: Sequence[int]
    text: str
    colour: str = SERIES[0]


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
        yield _bars("Orders that came so far, and those that left the road", [*steps, *off])


def _spend(spend: pd.DataFrame) -> Iterator[Markup]:
    sums = records(spend.groupby(["marketplace", "currency"])["paid_minor"].sum().reset_index())
    bars = [
        Bar(label=r["marketplace"], parts=[r["paid_minor"]], text=_short(r["paid_minor"], r["currency"])) for r in sums
    ]
    yield _bars(f"Paid, {sums[0]['currency']}", bars)


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
        Bar(label=str(day), parts=[int(row[name]) for name in names], text=_short(int(row.sum()), currency))
        for day, row in table.iloc[-MOST_DAYS:].iterrows()
    ]
    if len(bars) > 1:
        yield _bars(f"Paid {unit} by {unit}, {currency}", bars, names)


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
    yield _bars(
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
        yield _bars("Freight as a part of what an order cost", bars)
    else:
        bars = [
            Bar(label=r["marketplace"], parts=[r["freight_minor"] * 10_000 // r["paid_minor"]], text=on_hundred(r))
            for r in rows
        ]
        yield _bars(f"Freight on each 100 {rows[0]['currency']} of goods and postage", bars)


def _landed(landed: pd.DataFrame) -> Iterator[Markup]:
    rows = records(landed)
    bars = [
        Bar(
            label=row["marketplace"],
            parts=[max(row[part], 0) for part in COSTS],
            text=_short(row["landed_minor"], row["currency"]),
        )
        for row in rows
    ]
    yield _bars(f"Landed cost, {rows[0]['currency']}", bars, ["goods", "postage", "surcharge", "freight"])


def _stages(figures: Figures) -> Iterator[Markup]:
    """The median as the bar, and the time that nine of ten orders kept to behind it."""
    bars = [
        Bar(label=stage(row), parts=[row["median_s"], row["most_s"] - row["median_s"]], text=took(row["median_s"]))
        for row in records(figures.stages)
    ]
    if bars:
        yield _bars("Time of an order", bars, ["usual", "nine of ten within"], [SERIES[0], LINE])


def _bars(title: str, bars: Sequence[Bar], legend: Sequence[str] = (), colours: Sequence[str] = SERIES) -> Markup:
    """Rows of bars, the first on top, with a legend below them where parts have names."""
    left = GAP + max(_width(bar.label) for bar in bars)
    rooms = [(WIDTH - left - GAP - _width(bar.text), sum(bar.parts)) for bar in bars]
    scale = min((max(room, ROW) / whole for room, whole in rooms if whole), default=0)  # so that each text has room
    drawn: list[Markup] = []
    for at, bar in enumerate(bars):
        middle, end = ROW * (at + 0.5), left
        drawn.append(TEXT.format(x=left - GAP, y=middle, anchor="end", text=bar.label))
        for part, colour in zip(bar.parts, colours if legend else [bar.colour], strict=False):
            drawn.append(AREA.format(x=end, y=middle - BAR / 2, width=part * scale, height=BAR, colour=colour))
            end += part * scale
        drawn.append(TEXT.format(x=end + GAP, y=middle, anchor="start", text=bar.text))
    for number, (name, colour) in enumerate(zip(legend, colours, strict=False)):
        row, column = divmod(number, NAMES_A_ROW)
        x, y = column * WIDTH / min(NAMES_A_ROW, len(legend)), ROW * (len(bars) + row + 0.5)
        drawn.append(AREA.format(x=x, y=y - SWATCH / 2, width=SWATCH, height=SWATCH, colour=colour))
        drawn.append(TEXT.format(x=x + SWATCH + GAP, y=y, anchor="start", text=name))
    label = f"{title}: " + "; ".join(f"{bar.label} {bar.text}" for bar in bars)
    height = ROW * (len(bars) + -(-len(legend) // NAMES_A_ROW))
    return CHART.format(title=title, label=label, width=WIDTH, height=height, drawn=Markup("").join(drawn))


def _width(text: str) -> float:
    """The width of a text in a font without serifs, rather more than less."""
    wide = sum(east_asian_width(letter) in "WF" for letter in text)
    return LETTERS * (0.6 * (len(text) - wide) + wide)


def _short(minor: int, currency: str) -> str:
    """The amount without the currency, which the title names, and from ten thousand on without its cents."""
    number = amount(minor, currency).removesuffix(f" {currency}")
    return number.split(".")[0] if minor >= 10_000 * 10 ** minor_digits(currency) else number
