"""How prices moved, and what one snapshot tells of it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from flows.report.price_moves import moves_in
from tests.connectors.snapshots.sample import write

NIGHT = datetime(2026, 1, 2, 3, tzinfo=UTC)
ITEM = "601107785298123456"
HUGE = 2**60 + 1  # a float would lose its last digit


def told(
    sku_id: str,
    price_minor: int,
    nights: int,
    currency: str = "CNY",
    title: str | None = "架",
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


async def moves(root: Path, *rows: dict[str, object]) -> list[tuple[object, ...]]:
    """The moves of all nights, each as it is told after its own."""
    facts = {"stock": 3, "min_quantity": 1, "active": True}
    nights = dict[str, list[dict[str, object]]]()
    for row in rows:
        nights.setdefault(str(row["snapshot_id"]), []).append({**row, **facts})
    for number, (name, some) in enumerate(nights.items()):
        write(root, name, at=NIGHT + timedelta(days=number), offers=some)
    columns = ["sku_id", "was_minor", "price_minor", "moved_minor", "moved_percent"]
    return [
        tuple(row[column] for column in columns)
        for name in sorted(nights)
        for row in await moves_in.fn(root, name)
    ]


async def test_each_move_stands_beside_what_was_before(tmp_path: Path) -> None:
    found = await moves(
        tmp_path,
        told("2", 500, 0),
        told("1", 660, 0),
        told("1", 594, 2),
        told("1", 660, 1),
        told("1", 891, 3),
    )
    assert found == [("1", 660, 594, -66, -10.0), ("1", 594, 891, 297, 50.0)]
    (last,) = await moves_in.fn(tmp_path, "night-3")
    assert (last["was_at"], last["snapshot_at"]) == (
        NIGHT + timedelta(days=2),
        NIGHT + timedelta(days=3),
    )
    assert (last["item_id"], last["currency"], last["title"]) == (ITEM, "CNY", "架")


async def test_amounts_are_exact(tmp_path: Path) -> None:
    assert await moves(tmp_path, told("1", HUGE, 0), told("1", HUGE + 1, 1)) == [
        ("1", HUGE, HUGE + 1, 1, 0.0)
    ]


async def test_another_currency_is_no_move(tmp_path: Path) -> None:
    other = told("1", 90, 1, currency="USD")
    assert await moves(tmp_path, told("1", 660, 0), other, told("1", 700, 2)) == [
        ("1", 660, 700, 40, 6.1)
    ]


async def test_a_price_of_nothing_has_no_percent(tmp_path: Path) -> None:
    assert await moves(tmp_path, told("1", 0, 0), told("1", 700, 1)) == [
        ("1", 0, 700, 700, None)
    ]


async def test_the_steepest_rise_is_told_first(
    tmp_path: Path,
) -> None:
    prices = [
        told("1", 660, 0),
        told("2", 500, 0),
        told("1", 594, 1),
        told("2", 600, 1),
        told("1", 700, 2),
    ]
    found = [
        ("2", 500, 600, 100, 20.0),
        ("1", 660, 594, -66, -10.0),
        ("1", 594, 700, 106, 17.8),
    ]
    assert await moves(tmp_path, *prices) == found
