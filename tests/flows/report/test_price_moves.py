"""How prices moved: literal frames in and out, and what one snapshot tells."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pytest

from connectors.snapshots import Snapshots
from connectors.snapshots.tables import OFFERS
from domain.money import Money
from flows.report.price_moves import NEEDED, moves_in, price_history, price_moves
from tests.connectors.snapshots.sample import write

NIGHT = datetime(2026, 1, 2, 3, tzinfo=UTC)
ITEM = "601107785298123456"
HUGE = 2**60 + 1  # a float would lose its last digit


def told(
    sku_id: str, price_minor: int, nights: int, currency: str = "CNY", title: str | None = "架"
) -> dict[str, object]:
    return {
        "marketplace": "1688",
        "item_id": ITEM,
        "sku_id": sku_id,
        "title": title,
        "currency": currency,
        "price_minor": price_minor,
        "snapshot_id": f"night-{nights}",
        "snapshot_at": NIGHT + timedelta(days=nights),
    }


def history(*rows: dict[str, object]) -> pd.DataFrame:
    schema = pa.schema([OFFERS.schema.field(name) for name in NEEDED])
    frame: pd.DataFrame = pa.Table.from_pylist(list(rows), schema).to_pandas(types_mapper=pd.ArrowDtype)
    return frame


def seen(moves: pd.DataFrame) -> list[tuple[object, ...]]:
    columns = ["sku_id", "was_minor", "price_minor", "moved_minor", "moved_percent"]
    rows = pa.Table.from_pandas(moves).to_pylist()
    return [tuple(row[column] for column in columns) for row in rows]


def test_each_move_stands_beside_what_was_before() -> None:
    moves = price_moves(
        history(told("2", 500, 0), told("1", 660, 0), told("1", 594, 2), told("1", 660, 1), told("1", 891, 3))
    )
    assert seen(moves) == [("1", 660, 594, -66, -10.0), ("1", 594, 891, 297, 50.0)]
    assert moves["was_at"].tolist() == [NIGHT + timedelta(days=1), NIGHT + timedelta(days=2)]
    assert moves["item_id"].tolist() == [ITEM, ITEM]


def test_types_are_text_int64_and_utc_and_gaps_stay_gaps() -> None:
    moves = price_moves(history(told("1", HUGE, 0, title=None), told("1", HUGE + 1, 1, title=None)))
    assert moves.dtypes.astype(str).to_dict() == {
        "marketplace": "string[pyarrow]",
        "item_id": "string[pyarrow]",
        "sku_id": "string[pyarrow]",
        "title": "string[pyarrow]",
        "currency": "string[pyarrow]",
        "was_minor": "int64[pyarrow]",
        "price_minor": "int64[pyarrow]",
        "moved_minor": "int64[pyarrow]",
        "moved_percent": "double[pyarrow]",
        "was_at": "timestamp[us, tz=UTC][pyarrow]",
        "snapshot_at": "timestamp[us, tz=UTC][pyarrow]",
        "snapshot_id": "string[pyarrow]",
    }
    assert seen(moves) == [("1", HUGE, HUGE + 1, 1, 0.0)]
    assert moves["title"].isna().all()


def test_another_currency_is_no_move_and_a_price_of_nothing_has_no_percent() -> None:
    other = told("1", 90, 1, currency="USD")
    assert seen(price_moves(history(told("1", 660, 0), other, told("1", 700, 2)))) == [("1", 660, 700, 40, 6.1)]
    assert seen(price_moves(history(told("1", 0, 0), told("1", 700, 1)))) == [("1", 0, 700, 700, None)]


def test_no_history_has_no_moves_and_the_same_types() -> None:
    assert price_moves(history()).dtypes.equals(price_moves(history(told("1", 1, 0), told("1", 2, 1))).dtypes)


@pytest.mark.parametrize(("night", "moved"), [(0, []), (1, [("1", 660, 594, -66, -10.0)])])
async def test_one_snapshot_tells_its_own_moves(tmp_path: Path, night: int, moved: list[object]) -> None:
    facts = {"stock": 3, "min_quantity": 1, "active": True}
    for nights, prices in enumerate([{"1": 660, "2": 500}, {"1": 594}, {"1": 700}]):
        rows = [{**told(sku_id, price, nights), **facts} for sku_id, price in prices.items()]
        write(tmp_path, f"night-{nights}", at=NIGHT + timedelta(days=nights), offers=rows)
    assert seen(await moves_in.fn(tmp_path, f"night-{night}")) == moved
    assert len(Snapshots(tmp_path).history("offers")) == 4
    assert price_history(tmp_path, [ITEM, ITEM]) == {
        ("1688", ITEM, "1"): [Money(660), Money(594), Money(700)],
        ("1688", ITEM, "2"): [Money(500)],
    }


def test_an_item_without_snapshots_has_no_prices(tmp_path: Path) -> None:
    assert price_history(tmp_path, [ITEM]) == {}
