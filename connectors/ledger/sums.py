"""Sums of amounts in SQL."""

from __future__ import annotations

from typing import Any

from sqlalchemy import BigInteger, ColumnElement, cast, func


def minor_sum(amounts: ColumnElement[Any]) -> ColumnElement[int]:
    """A sum in minor units, 0 without rows. The cast is for PostgreSQL, whose sum of `bigint` is `numeric`."""
    return cast(func.coalesce(func.sum(amounts), 0), BigInteger)
