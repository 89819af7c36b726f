"""Sums of amounts in SQL."""

from __future__ import annotations

from typing import Any

from sqlalchemy import BigInteger, ColumnElement, cast, func


def minor_sum(amounts: ColumnElement[Any]) -> ColumnElement[int]:
    """Whole minor units, 0 of nothing. PostgreSQL alone would answer `Decimal`: its sum of `bigint` is `numeric`."""
    return cast(func.coalesce(func.sum(amounts), 0), BigInteger)
