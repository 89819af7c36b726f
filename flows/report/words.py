"""How a report writes its figures: amounts, shares, times, and the sums below a table."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pandas as pd

from connectors.snapshots.rows import records
from domain.money import Money

ALL = "all"


def amount(minor: Any, currency: Any) -> str:
    return str(Money(int(minor), str(currency)))


def on_hundred(row: dict[str, Any]) -> str:
    """`36.49 USD`: the freight on 100 yuan of goods and postage."""
    paid = Money(int(row["paid_minor"]), row["currency"]).major
    return amount(round(int(row["freight_minor"]) * 100 / paid), row["freight_currency"])


def with_totals(frame: pd.DataFrame, currencies: list[str], keys: list[str]) -> Iterator[dict[str, Any]]:
    """Rows summed by their keys, and after those of each currency (or pair of them) one for all of it."""
    numbers = [name for name in frame.columns if frame[name].dtype == "int64"]
    for _, one in frame.groupby(currencies):
        rows = records(one.groupby([*currencies, *keys])[numbers].sum().reset_index())
        yield from rows
        if len(rows) > 1:
            yield {**rows[0], **{name: int(one[name].sum()) for name in numbers}, keys[0]: ALL}


def percent(part: int, whole: int) -> str:
    return f"{part * 100 / whole:.1f} %" if whole else ""


def stage(row: dict[str, Any]) -> str:
    return f"{words(row['start'])} → {words(row['end'])}"


def took(seconds: int) -> str:
    """`40 s`, `35 min`, `17.6 h`, `3.8 d`."""
    for unit, size in (("d", 86_400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.1f} {unit}" if unit != "min" else f"{seconds // size} min"
    return f"{seconds} s"


def words(state: str) -> str:
    return str(state).replace("_", " ")
