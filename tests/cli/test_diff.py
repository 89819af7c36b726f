"""`sourcing diff`: prices, stock, states between two moments, in words and as JSON."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from connectors.snapshots.reader import moment_of
from connectors.snapshots.tables import TABLES
from tests.cli.conftest import Sourcing
from tests.connectors.snapshots.sample import AT, order, write

ROOT = Path("data/snapshots")
NIGHT = timedelta(days=1)
NOW = datetime(2026, 11, 26, 7, 30, tzinfo=UTC)


def offer(
    sku_id: str, price_minor: int = 660, stock: int = 5, **changes: object
) -> dict[str, Any]:
    return {
        "marketplace": "1688",
        "item_id": "601107785298",
        "sku_id": sku_id,
        "title": "置物架",
        "price_minor": price_minor,
        "currency": "CNY",
        "stock": stock,
        "min_quantity": 1,
        "active": True,
        **changes,
    }


def write_two_nights() -> None:
    write(
        ROOT,
        "night-0",
        offers=[offer(sku) for sku in ("1", "2", "4", "6")] + [offer("3", stock=0)],
    )
    moved = [
        offer("1", 594),
        offer("2", stock=0),
        offer("3", stock=8),
        offer("4", stock=4),
        offer("5"),
        offer("6", title="架"),
    ]
    write(ROOT, "night-1", offers=moved, at=AT + NIGHT)


def test_offers_are_sorted_by_what_moved(sourcing: Sourcing) -> None:
    write_two_nights()
    told = sourcing("diff", "offers", "--since", "night-0", "--until", "night-1")
    assert told.exit_code == 0
    lines = [
        " ".join(line.replace("│", " ").split()) for line in told.stdout.splitlines()
    ]
    assert (
        lines[0]
        == "offers, from snapshot night-0 to snapshot night-1 (UTC): 5 changed, 1 new"
    )
    shown = [line for line in lines if line and line[0] not in "┏┡└"]
    named = "marketplace ┃ item id ┃ sku id ┃ title ┃ "
    assert shown[1:] == [
        "New (1)",
        f"┃ {named}price ┃ stock ┃",
        "1688 601107785298 5 置物架 6.60 CNY 5",
        "Price moves (1)",
        f"┃ {named}was price ┃ price ┃",
        "1688 601107785298 1 置物架 6.60 CNY 5.94 CNY",
        "Gone: sold out or off sale (1)",
        f"┃ {named}was stock ┃ stock ┃ active ┃",
        "1688 601107785298 2 置物架 5 0 True",
        "Back (1)",
        f"┃ {named}was stock ┃ stock ┃ price ┃",
        "1688 601107785298 3 置物架 0 8 6.60 CNY",
        "More or less in stock (1)",
        f"┃ {named}was stock ┃ stock ┃ active ┃",
        "1688 601107785298 4 置物架 5 4 True",
        "Other changes (1)",
        "┃ marketplace ┃ item id ┃ sku id ┃ columns ┃",
        "1688 601107785298 6 title: 置物架 → 架",
    ]


def test_states_that_moved(sourcing: Sourcing) -> None:
    write(ROOT, "a", orders=[order("A-1", state="paid"), order("A-2", state="planned")])
    write(
        ROOT,
        "b",
        orders=[order("A-1"), order("A-2", state="held", reason="too dear")],
        at=AT + NIGHT,
    )
    told = sourcing("diff", "orders", "--since", "a").stdout
    assert "States moved (2)" in told
    assert "│ A-1       │ paid      │ booked │ –        │" in told
    assert "│ A-2       │ planned   │ held   │ too dear │" in told
    assert "reason: – → too dear" in told


def test_each_amount_is_told_in_its_own_currency(sourcing: Sourcing) -> None:
    cost = {
        **{
            name: 0
            for name, column in TABLES["landed_costs"].columns.items()
            if column.currency
        },
        **{
            "order_ref": "A-1",
            "line_no": 1,
            "marketplace": "taobao",
            "basis": "value",
            "landed_currency": "JPY",
        },
        **{
            "currency": "CNY",
            "goods_minor": 1000,
            "landed_goods_minor": 205,
            "freight_currency": "USD",
        },
    }
    write(ROOT, "a", orders=[order()], landed_costs=[cost])
    dearer = {"goods_minor": 1200, "landed_goods_minor": 246, "freight_minor": 50}
    write(ROOT, "b", landed_costs=[cost | dearer], at=AT + NIGHT)
    told = sourcing("diff", "landed_costs", "--since", "a").stdout
    assert "goods: 10.00 CNY → 12.00 CNY" in told
    assert "landed goods: 205 JPY → 246 JPY" in told
    assert "freight: 0.00 USD → 0.50 USD" in told


def test_as_json_each_change_has_its_key_and_what_it_was(sourcing: Sourcing) -> None:
    write_two_nights()
    told = json.loads(
        sourcing("diff", "offers", "--since", "2026-01-02T12:00+00:00", "--json").stdout
    )
    assert told["table"] == "offers"
    assert told["since"] == "2026-01-02T12:00:00+00:00"
    assert told["counts"] == {"changed": 5, "new": 1}
    first = told["changes"][0]
    assert first["key"] == {
        "marketplace": "1688",
        "item_id": "601107785298",
        "sku_id": "1",
    }
    assert (first["change"], first["columns"], first["was"]) == (
        "changed",
        ["price_minor"],
        {"price_minor": 660},
    )
    assert first["now"]["price_minor"] == 594


def test_a_column_that_an_earlier_version_lacked_is_no_change(
    sourcing: Sourcing,
) -> None:
    """The first night after an upgrade writes it for each order that it writes."""
    for number, count in enumerate((None, 2, 1)):
        write(
            ROOT,
            f"night-{number}",
            orders=[order(line_count=count)],
            at=AT + number * NIGHT,
        )
    told = [
        json.loads(
            sourcing(
                "diff",
                "orders",
                "--since",
                f"night-{one}",
                "--until",
                f"night-{one + 1}",
                "--json",
            ).stdout
        )
        for one in (0, 1)
    ]
    assert [[change["columns"] for change in one["changes"]] for one in told] == [
        [],
        [["line_count"]],
    ]


def test_no_personal_value_is_shown(sourcing: Sourcing) -> None:
    line = {
        "order_ref": "A-1",
        "line_no": 1,
        "file_row": 2,
        "marketplace": "1688",
        "item": "6",
        "quantity": 1,
    }
    line |= {"max_unit_price_minor": 0}
    write(ROOT, "a", requests=[line | {"city": "Xenopolis"}])
    write(
        ROOT,
        "b",
        requests=[line | {"city": "Zylberstadt", "note": "soon"}],
        at=AT + NIGHT,
    )
    for arguments in ((), ("--json",)):
        told = sourcing("diff", "requests", "--since", "a", *arguments).stdout
        assert "city" in told
        assert not re.search("Xenopolis|Zylberstadt", told)


def test_without_changes_that_is_said(sourcing: Sourcing) -> None:
    told = sourcing("diff", "offers")
    assert told.exit_code == 0
    assert told.stdout.endswith("(UTC): nothing changed\n")


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("order",), 2, "there is no table order; there are requests, offers"),
        (
            ("orders", "--since", "night-9"),
            1,
            "there is no snapshot night-9; give the id of one, or a time",
        ),
    ],
)
def test_what_there_is_not_is_told(
    sourcing: Sourcing, arguments: tuple[str, ...], code: int, words: str
) -> None:
    write(ROOT, orders=[order()])
    told = sourcing("diff", *arguments)
    assert told.exit_code == code
    assert words in told.stderr


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("12h", datetime(2026, 11, 25, 19, 30, tzinfo=UTC)),
        ("7d", datetime(2026, 11, 19, 7, 30, tzinfo=UTC)),
        ("15:00", datetime(2026, 11, 26, 7, 0, tzinfo=UTC)),
        ("16:00", datetime(2026, 11, 25, 8, 0, tzinfo=UTC)),
        ("2026-11-26", datetime(2026, 11, 25, 16, 0, tzinfo=UTC)),
        ("2026-11-26 06:00", datetime(2026, 11, 25, 22, 0, tzinfo=UTC)),
        ("2026-11-26T06:00:00Z", datetime(2026, 11, 26, 6, 0, tzinfo=UTC)),
        ("try-out", "try-out"),
    ],
)
def test_times_are_the_merchants(
    monkeypatch: pytest.MonkeyPatch, text: str, moment: object
) -> None:
    monkeypatch.setenv("SOURCING_TIMEZONE", "Asia/Shanghai")
    assert moment_of(text, NOW, "Asia/Shanghai") == moment
