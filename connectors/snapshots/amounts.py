"""Amounts as decimals of yuan, euros, … in place of minor units: `paid` for `paid_minor`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import pyarrow as pa

from connectors.snapshots.tables import TABLES, Table
from domain.money import minor_digits

DECIMAL = pa.decimal128(25, 4)
"""Every amount of 64 bits, in every currency: none has more than four digits."""


def currency_columns(names: Sequence[str], tables: Iterable[Table] = TABLES.values()) -> dict[str, str]:
    """The column of currencies for each amount among these columns; without it here, an amount stays as it is."""
    known = list(tables)
    beside = {name: {one.columns[name].currency for one in known if name in one.columns} & {*names} for name in names}
    return {name: found.pop() for name, found in beside.items() if len(found) == 1}


def major_name(name: str, names: Sequence[str]) -> str:
    """`paid` for `paid_minor`; `paid_amount` where `paid` is another column."""
    shorter = name.removesuffix("_minor")
    return f"{shorter}_amount" if shorter in names else shorter


def with_decimals(rows: pa.Table, currencies: Mapping[str, str]) -> pa.Table:
    """The rows with decimals in place of these amounts; null where the currency is, which means that there is none."""
    names = rows.column_names
    for name, currency in currencies.items():
        place = names.index(name)
        field = rows.schema.field(place).with_type(DECIMAL).with_nullable(nullable=True)
        decimals = _decimals(rows.column(name), rows.column(currency))
        rows = rows.set_column(place, field.with_name(major_name(name, names)), decimals)
    return rows


def _decimals(minor: pa.ChunkedArray, currency: pa.ChunkedArray) -> pa.ChunkedArray:
    from decimal import Decimal

    from pyarrow import compute

    codes = compute.unique(currency)
    units = [Decimal(1).scaleb(-minor_digits(code)) if code else None for code in codes.to_pylist()]
    unit = pa.array(units, pa.decimal128(5, 4)).take(compute.index_in(currency, codes))
    return compute.multiply(minor.cast(pa.decimal128(19, 0)), unit).cast(DECIMAL)
