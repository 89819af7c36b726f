"""The charts of a report as SVG that takes its colours and letters from the page around it."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Any

from connectors.snapshots.rows import records
from domain.money import minor_digits
from domain.states import OrderState
from flows.report.figures import COSTS, Figures
from flows.report.words import amount, on_hundred, percent, stage, took, words

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

WIDTH = 310  # points: a phone's width, so that letters keep their size there
ROW, LETTERS = 26, 11
NAMES_A_ROW = 3
MOST_DAYS = 31
INK, LINE = "#000001", "#000002"
SERIES = ("#000011", "#000012", "#000013", "#000014", "#000015")
WARNING = "#000021"
COLOURS = {
    **{INK: "ink", LINE: "line", WARNING: "warning"},
    **{colour: f"series-{place}" for place, colour in enumerate(SERIES, start=1)},
}
"""Each colour stands for a variable of the page's style, which decides on light and dark."""
OUTSIDE = re.compile(r"<\?xml.*?\?>|<!DOCTYPE.*?>|<metadata>.*?</metadata>|<style.*?</style>|<!--.*?-->", re.DOTALL)
UNUSED = re.compile(
    r" font-family: [^;]*;|"
    r' id="(?:figure|axes|patch|text|line2d|matplotlib\.axis|xtick|ytick|legend|LineCollection)_\d+"'
)
STYLE: dict[Any, Any] = {"svg.fonttype": "none", "svg.hashsalt": "sourcing", "font.size": LETTERS, "text.color": INK}


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """A row of a chart: its parts, laid end to end, and the text behind them. `colour` is that of a lone part."""

    label: str
    parts: Sequence[int]
    text: str
    colour: str = SERIES[0]


def charts(figures: Figures) -> dict[str, list[str]]:
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


def _each(frame: pd.DataFrame, keys: str | list[str], draw: Any) -> Iterator[str]:
    """A chart a currency, so that bars of one chart can be compared."""
    for _, one in frame.groupby(keys):
        yield from draw(one)


def _standing(figures: Figures) -> Iterator[str]:
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


def _spend(spend: pd.DataFrame) -> Iterator[str]:
    sums = records(spend.groupby(["marketplace", "currency"])["paid_minor"].sum().reset_index())
    bars = [
        Bar(label=r["marketplace"], parts=[r["paid_minor"]], text=_short(r["paid_minor"], r["currency"])) for r in sums
    ]
    yield _bars(f"Paid, {sums[0]['currency']}", bars)


def _days(spend: pd.DataFrame) -> Iterator[str]:
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


def _limits(limits: pd.DataFrame) -> Iterator[str]:
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


def _freight(freight: pd.DataFrame) -> Iterator[str]:
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


def _landed(landed: pd.DataFrame) -> Iterator[str]:
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


def _stages(figures: Figures) -> Iterator[str]:
    """The median as the bar, and the time that nine of ten orders kept to behind it."""
    bars = [
        Bar(label=stage(row), parts=[row["median_s"], row["most_s"] - row["median_s"]], text=took(row["median_s"]))
        for row in records(figures.stages)
    ]
    if bars:
        yield _bars("Time of an order", bars, ["usual", "nine of ten within"], [SERIES[0], LINE])


def _bars(title: str, bars: Sequence[Bar], legend: Sequence[str] = (), colours: Sequence[str] = SERIES) -> str:
    """Rows of bars, the first on top, with a legend below them where parts have names."""
    from matplotlib import rc_context
    from matplotlib.figure import Figure
    from matplotlib.patches import Patch

    with rc_context(STYLE):
        height = ROW * (len(bars) + -(-len(legend) // NAMES_A_ROW))
        figure = Figure(figsize=(WIDTH / 72, height / 72), layout="constrained")
        axes = figure.add_subplot()
        _draw(axes, bars, len(legend) or 1, colours)
        if legend:
            names = [Patch(color=colours[place]) for place in range(len(legend))]
            figure.legend(
                handles=names,
                labels=legend,
                loc="outside lower left",
                ncols=NAMES_A_ROW,
                frameon=False,
                fontsize=LETTERS - 1,
            )
        drawn = _inline(figure, f"{title}: " + "; ".join(f"{bar.label} {bar.text}" for bar in bars))
    return f"<figure><figcaption>{escape(title)}</figcaption>{drawn}</figure>"


def _draw(axes: Axes, bars: Sequence[Bar], series: int, colours: Sequence[str]) -> None:
    places = range(len(bars))
    begin = [0] * len(bars)
    for part in range(series):
        values = [bar.parts[part] for bar in bars]
        colour = [bar.colour if part == 0 and series == 1 else colours[part] for bar in bars]
        axes.barh(places, values, left=begin, color=colour, height=0.62, edgecolor="none", clip_on=False)
        begin = [start + value for start, value in zip(begin, values, strict=True)]
    longest = max([*begin, 1])
    for place, bar, end in zip(places, bars, begin, strict=True):
        axes.text(end + longest * 0.015, place, bar.text, va="center", color=INK, parse_math=False)
    axes.set_yticks(places, [bar.label for bar in bars])
    axes.set_ylim(len(bars) - 0.5, -0.5)
    axes.set_xlim(0, longest * 1.34)  # room for the words behind the longest bar
    axes.set_xticks([])
    axes.tick_params(axis="y", length=0, labelcolor=INK)
    axes.spines[:].set_visible(False)


def _inline(figure: Any, words: str) -> str:
    """The figure as an element of a page: no size of its own, colours by name, and a text alternative."""
    written = io.StringIO()
    figure.savefig(
        written, format="svg", transparent=True, metadata=dict.fromkeys(("Date", "Creator", "Format", "Type"))
    )
    svg = UNUSED.sub("", OUTSIDE.sub("", written.getvalue()))
    for colour, name in COLOURS.items():
        svg = svg.replace(colour, f"var(--{name})")
    svg = re.sub(r'<svg [^>]*?viewBox="([^"]*)"[^>]*>', _opening(words), svg, count=1, flags=re.DOTALL)
    return re.sub(r">\s+<", "><", svg).strip()


def _opening(words: str) -> str:
    name = escape(words).replace("\\", "\\\\")
    return rf'<svg role="img" aria-label="{name}" viewBox="\1" xmlns:xlink="http://www.w3.org/1999/xlink">'


def _short(minor: int, currency: str) -> str:
    """The amount without the currency, which the title names, and from ten thousand on without its cents."""
    number = amount(minor, currency).removesuffix(f" {currency}")
    return number.split(".")[0] if minor >= 10_000 * 10 ** minor_digits(currency) else number
