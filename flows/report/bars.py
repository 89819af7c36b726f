"""Rows of bars as SVG that takes its colours and letters from the page around it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from unicodedata import east_asian_width

from markupsafe import Markup

from domain.money import Money, minor_digits

WIDTH = 310  # a phone's, so that letters keep their size there
ROW, BAR, LETTERS, GAP, SWATCH = 26, 16, 11, 5, 9
NAMES_A_ROW = 3
SERIES = ("series-1", "series-2", "series-3", "series-4", "series-5")
WARNING, LINE = "warning", "line"
"""Colours are variables of the page's style, which decides on light and dark."""
CHART = Markup(
    "<figure><figcaption>{title}</figcaption>"
    '<svg role="img" aria-label="{label}" viewBox="0 0 {width} {height}">{drawn}</svg></figure>'
)
TEXT = Markup('<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{text}</text>')
AREA = Markup(
    '<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height}" fill="var(--{colour})"/>'
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """A row of a chart: its parts, laid end to end, and the text behind them. `colour`
    is that of a lone part.
    """

    label: str
    parts: Sequence[int]
    text: str
    colour: str = SERIES[0]


def bars_chart(
    title: str,
    bars: Sequence[Bar],
    legend: Sequence[str] = (),
    colours: Sequence[str] = SERIES,
) -> Markup:
    """Rows of bars, the first on top, with a legend below them where parts have
    names.
    """
    left = GAP + max(_width(bar.label) for bar in bars)
    rooms = [(WIDTH - left - GAP - _width(bar.text), sum(bar.parts)) for bar in bars]
    scale = min(
        (max(room, ROW) / whole for room, whole in rooms if whole), default=0
    )  # so that each text has room
    drawn: list[Markup] = []
    for at, bar in enumerate(bars):
        middle, end = ROW * (at + 0.5), left
        drawn.append(TEXT.format(x=left - GAP, y=middle, anchor="end", text=bar.label))
        for part, colour in zip(
            bar.parts, colours if legend else [bar.colour], strict=False
        ):
            drawn.append(
                AREA.format(
                    x=end,
                    y=middle - BAR / 2,
                    width=part * scale,
                    height=BAR,
                    colour=colour,
                )
            )
            end += part * scale
        drawn.append(TEXT.format(x=end + GAP, y=middle, anchor="start", text=bar.text))
    for number, (name, colour) in enumerate(zip(legend, colours, strict=False)):
        row, column = divmod(number, NAMES_A_ROW)
        x, y = (
            column * WIDTH / min(NAMES_A_ROW, len(legend)),
            ROW * (len(bars) + row + 0.5),
        )
        drawn.append(
            AREA.format(
                x=x, y=y - SWATCH / 2, width=SWATCH, height=SWATCH, colour=colour
            )
        )
        drawn.append(TEXT.format(x=x + SWATCH + GAP, y=y, anchor="start", text=name))
    label = f"{title}: " + "; ".join(f"{bar.label} {bar.text}" for bar in bars)
    height = ROW * (len(bars) + -(-len(legend) // NAMES_A_ROW))
    return CHART.format(
        title=title,
        label=label,
        width=WIDTH,
        height=height,
        drawn=Markup("").join(drawn),
    )


def _width(text: str) -> float:
    """The width of a text in a font without serifs, rather more than less."""
    wide = sum(east_asian_width(letter) in "WF" for letter in text)
    return LETTERS * (0.6 * (len(text) - wide) + wide)


def short_amount(minor: int, currency: str) -> str:
    """The amount without the currency, which the title names, and from ten thousand on
    without its cents.
    """
    number = str(Money(minor, currency)).removesuffix(f" {currency}")
    return (
        number.split(".")[0]
        if minor >= 10_000 * 10 ** minor_digits(currency)
        else number
    )
