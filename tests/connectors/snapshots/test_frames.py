"""`Snapshots`: frames of the newest rows, of any time, of some columns and rows."""

from __future__ import annotations

import ast
import inspect
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import count
from pathlib import Path
from threading import Event, Thread

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from pyarrow import parquet

from connectors.snapshots import Snapshots
from connectors.snapshots.files import (
    QueryError,
    SnapshotDamaged,
    SnapshotError,
    snapshot_name,
)
from connectors.snapshots.reader import sql
from connectors.snapshots.rows import with_decimals
from connectors.snapshots.tables import TABLES
from tests.connectors.snapshots.sample import AT, EACH_TABLE, order, write
from tests.running import ROOT

LATER = AT + timedelta(hours=1)
FILE = f"history/orders/2026-01-02/{snapshot_name('batch-1', AT)}.parquet"
TRACK = snapshot_name("track-1", LATER)


def write_three(root: Path) -> None:
    """A-1 is paid, then booked, then shipped; A-2 stays held."""
    write(
        root,
        snapshot_name("batch-1", AT),
        orders=[order("A-1", state="paid", booked_at=None), order("A-2", state="held")],
    )
    write(root, TRACK, orders=[order("A-1", state="booked")], at=LATER)
    write(
        root,
        snapshot_name("track-2", LATER + timedelta(hours=1)),
        orders=[order("A-1", state="shipped")],
        at=LATER + timedelta(hours=1),
    )


def pairs(frame: object) -> list[tuple[object, ...]]:
    return list(frame.itertuples(index=False, name=None))  # type: ignore[attr-defined]


def test_a_frame_has_the_newest_row_of_each_key_in_arrows_types(tmp_path: Path) -> None:
    write_three(tmp_path)
    orders = Snapshots(tmp_path).table("orders")
    assert sorted(pairs(orders[["order_ref", "state"]])) == [
        ("A-1", "shipped"),
        ("A-2", "held"),
    ]
    types = orders.dtypes.astype(str)
    assert types["order_id"] == "string[pyarrow]"
    assert types["paid_minor"] == "int64[pyarrow]"
    assert types["paid_at"] == "timestamp[us, tz=UTC][pyarrow]"
    assert types["tracking_numbers"] == "list<item: string>[pyarrow]"


@pytest.mark.parametrize("name", EACH_TABLE)
def test_frames_and_sql_have_the_same_rows(tmp_path: Path, name: str) -> None:
    write_three(tmp_path)
    rows = Snapshots(tmp_path).arrow(name).sort_by("snapshot_at")
    answer = sql(tmp_path, f"SELECT * FROM {name} ORDER BY snapshot_at")
    assert tuple(rows.column_names) == answer.columns
    assert [tuple(row.values()) for row in rows.to_pylist()] == list(answer.rows)


def test_a_table_without_a_snapshot_is_an_empty_frame_of_its_types(
    tmp_path: Path,
) -> None:
    frame = Snapshots(tmp_path / "not there yet").table(
        "orders", columns=["order_ref", "paid_minor"]
    )
    assert frame.dtypes.astype(str).to_dict() == {
        "order_ref": "string[pyarrow]",
        "paid_minor": "int64[pyarrow]",
    }
    assert len(frame) == 0
    assert len(frame.merge(frame, on="order_ref")) == 0


def test_as_of_a_time_or_a_snapshot(tmp_path: Path) -> None:
    write_three(tmp_path)
    snapshots = Snapshots(tmp_path)
    for at in (LATER, TRACK, LATER.astimezone()):
        orders = snapshots.table("orders", at, ["order_ref", "state"])
        assert pairs(orders) == [("A-1", "booked"), ("A-2", "held")]
    assert len(snapshots.table("orders", AT - timedelta(microseconds=1))) == 0


def test_a_condition_is_about_the_current_row_and_brings_no_old_one_back(
    tmp_path: Path,
) -> None:
    write_three(tmp_path)
    snapshots = Snapshots(tmp_path)
    assert (
        pairs(
            snapshots.table(
                "orders", columns=["order_ref"], where=pc.field("state") == "booked"
            )
        )
        == []
    )
    shipped = pc.field("state") == "shipped"
    assert pairs(snapshots.table("orders", columns=["order_ref"], where=shipped)) == [
        ("A-1",)
    ]
    by_key = [("order_ref", "==", "A-1")]
    assert pairs(snapshots.table("orders", columns=["state"], where=by_key)) == [
        ("shipped",)
    ]
    assert pairs(snapshots.table("orders", TRACK, ["state"], shipped)) == []


def test_a_time_without_zone_is_a_bad_condition_and_no_damage(tmp_path: Path) -> None:
    write(tmp_path, orders=[order()])
    when = [("paid_at", ">", datetime(2026, 1, 1))]  # noqa: DTZ001
    with pytest.raises(
        QueryError, match="can't be asked of table orders: Cannot compare timestamp"
    ):
        Snapshots(tmp_path).table("orders", where=when)


def test_a_condition_that_is_neither_true_nor_false_of_a_gap_leaves_the_row_out(
    tmp_path: Path,
) -> None:
    write_three(tmp_path)
    when = pc.field("booked_at") > pa.scalar(AT, pa.timestamp("us", "UTC"))
    assert len(Snapshots(tmp_path).table("orders", where=when)) == 0


def test_history_has_all_rows_from_the_oldest_on(tmp_path: Path) -> None:
    write_three(tmp_path)
    history = Snapshots(tmp_path).history(
        "orders", ["state"], [("order_ref", "==", "A-1")]
    )
    assert pairs(history) == [("paid",), ("booked",), ("shipped",)]


def test_sql_gives_a_frame_with_sums_as_int64(tmp_path: Path) -> None:
    write_three(tmp_path)
    frame = Snapshots(tmp_path).sql(
        "SELECT sum(paid_minor) AS paid, max(paid_at) AS at FROM orders"
    )
    assert frame.dtypes.astype(str).to_dict() == {
        "paid": "int64[pyarrow]",
        "at": "timestamp[us, tz=UTC][pyarrow]",
    }
    assert pairs(frame) == [(3980, AT)]


def test_what_can_not_be_asked_is_told_in_words(tmp_path: Path) -> None:
    write_three(tmp_path)
    snapshots = Snapshots(tmp_path)
    with pytest.raises(
        QueryError, match="there is no table order; there are requests, offers"
    ):
        snapshots.table("order")
    with pytest.raises(
        QueryError,
        match="table orders has no column paid; it has order_ref, marketplace",
    ):
        snapshots.table("orders", columns=["paid"])
    with pytest.raises(QueryError, match=r"can't be asked of table orders: .*paid"):
        snapshots.table("orders", where=pc.field("paid") == 1)
    with pytest.raises(QueryError, match=r"can't be asked of table orders"):
        snapshots.table("orders", where=pc.field("paid_minor") == "much")
    with pytest.raises(QueryError, match="has no time zone; give UTC"):
        snapshots.table("orders", datetime(2026, 1, 2))  # noqa: DTZ001 - that is the fault
    with pytest.raises(
        QueryError,
        match="there is no snapshot batch-9; give the id of one, or a time such as",
    ):
        snapshots.table("orders", "batch-9")
    assert AT.tzinfo is UTC


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    write_three(tmp_path)
    content = bytearray((tmp_path / FILE).read_bytes())
    content[4:400] = bytes(396)
    (tmp_path / FILE).write_bytes(content)
    with pytest.raises(
        SnapshotDamaged,
        match=r"batch-1-\S+\.parquet can't be read",
    ):
        Snapshots(tmp_path).history("orders")
    assert len(Snapshots(tmp_path).table("orders")) == 2


def test_a_column_that_an_older_file_lacks_is_null_there(tmp_path: Path) -> None:
    write(tmp_path, "old", orders=[order("A-1", reason="price changed")])
    path = tmp_path / "orders/day=2026-01-02/part.parquet"
    parquet.write_table(parquet.ParquetFile(path).read().drop_columns(["reason"]), path)
    orders = Snapshots(tmp_path).table("orders", columns=["order_ref", "reason"])
    assert pairs(orders.astype(object).where(orders.notna(), None)) == [("A-1", None)]


def test_texts_that_repeat_come_as_text(tmp_path: Path) -> None:
    """A thousand orders keep their state in a dictionary; gaps and old rows of it are
    among them.
    """
    before = [
        order(f"A-{number}", state="paid", reason=None) for number in range(1_000)
    ]
    write(tmp_path, "a", orders=before)
    write(
        tmp_path,
        "b",
        orders=[row | {"state": "held", "reason": "too dear"} for row in before[::7]],
        at=LATER,
    )
    orders = Snapshots(tmp_path).table("orders")
    assert orders["state"].value_counts().to_dict() == {"paid": 857, "held": 143}
    assert str(orders["state"].dtype) == "string[pyarrow]"
    assert orders["reason"].isna().sum() == 857
    assert orders.loc[orders["state"] == "held", "reason"].eq("too dear").all()


def test_a_frame_beside_a_writer_is_of_one_moment(tmp_path: Path) -> None:
    """Every order has the same amount in one snapshot; a mix would show two."""
    stop = Event()

    def rewrite() -> None:
        for amount in count(1):
            if stop.wait(0.1):
                break
            write(
                tmp_path,
                orders=[order(f"A-{number}", paid_minor=amount) for number in range(3)],
            )

    write(tmp_path, orders=[order(f"A-{number}", paid_minor=0) for number in range(3)])
    writer = Thread(target=rewrite)
    writer.start()
    try:
        observed = [amounts_at_once(tmp_path) for _ in range(15)]
    finally:
        stop.set()
        writer.join()
    assert any(observed)
    assert all(
        len(amounts) == 3 and len(set(amounts)) == 1 for amounts in observed if amounts
    )


def amounts_at_once(root: Path) -> list[int]:
    with suppress(SnapshotError):  # it gives up when every look meets a rewrite
        return list(
            Snapshots(root).table("orders", columns=["paid_minor"])["paid_minor"]
        )
    return []


def test_a_table_is_had_by_its_name_and_all_are_listed(tmp_path: Path) -> None:
    write_three(tmp_path)
    snapshots = Snapshots(tmp_path)
    assert sorted(pairs(snapshots["orders"][["order_ref", "state"]])) == [
        ("A-1", "shipped"),
        ("A-2", "held"),
    ]
    assert list(snapshots) == list(TABLES) == snapshots._ipython_key_completions_()
    notices = repr(snapshots).splitlines()
    assert notices[0] == f"Snapshots({str(tmp_path)!r})"
    assert "orders 2" in [" ".join(line.split()) for line in notices]


def test_money_is_decimals_of_the_currency_and_null_where_there_is_none(
    tmp_path: Path,
) -> None:
    write(
        tmp_path,
        orders=[order("A-1"), order("A-2", freight_minor=0, freight_currency=None)],
    )
    snapshots = Snapshots(tmp_path)
    orders = snapshots.table(
        "orders",
        columns=["paid_minor", "currency", "freight_minor", "freight_currency"],
        money=True,
    )
    assert list(orders) == ["paid", "currency", "freight", "freight_currency"]
    assert orders.dtypes.astype(str)["paid"] == "decimal128(25, 4)[pyarrow]"
    assert orders["freight"].dropna().to_list() == [Decimal("322.92")]
    assert orders["paid"].sum() == Decimal("39.80")
    sums = snapshots.sql(
        "select currency, sum(paid_minor) as paid_minor from orders group by all",
        money=True,
    )
    assert pairs(sums) == [("CNY", Decimal("39.80"))]
    assert pairs(snapshots.table("orders", columns=["paid_minor"], money=True))[0] == (
        1990,
    )
    frame = snapshots.sql(
        "select paid_minor, currency, 1 as paid from orders limit 1", money=True
    )
    assert frame.to_dict("records") == [
        {"paid_amount": Decimal("19.90"), "currency": "CNY", "paid": 1}
    ]


@pytest.mark.parametrize("yen", [2**63 - 1, -(2**63) + 1])
def test_the_largest_amount_of_a_currency_without_cents_is_a_decimal_too(
    yen: int,
) -> None:
    rows = pa.table({"paid_minor": pa.array([yen], pa.int64()), "currency": ["JPY"]})
    assert with_decimals(rows, {"paid_minor": "currency"}).column(
        "paid"
    ).to_pylist() == [Decimal(yen)]


def test_one_way_to_say_a_time(tmp_path: Path) -> None:
    write_three(tmp_path)
    snapshots = Snapshots(tmp_path)
    for at in ("2026-01-02 04:30", "2026-01-02T05:30+01:00", TRACK):
        assert snapshots.table("orders", at)["state"].to_list() == ["booked", "held"]
    assert snapshots.table("orders", "1h")["state"].to_list() == ["shipped", "held"]


def test_a_frame_has_the_words_of_its_table_and_columns(tmp_path: Path) -> None:
    frame = Snapshots(tmp_path).table("orders", columns=["paid_minor"])
    assert frame.attrs["description"] == TABLES["orders"].words
    assert frame.attrs["columns"]["paid_minor"]["unit"] == "minor units of `currency`"
    assert frame.copy().attrs == frame.attrs


def test_texts_that_repeat_become_categories(tmp_path: Path) -> None:
    write(tmp_path, orders=[order(f"A-{number}") for number in range(4)])
    kinds = Snapshots(tmp_path).table("orders", categories=True).dtypes.astype(str)
    assert (kinds["state"], kinds["order_ref"], kinds["paid_minor"]) == (
        "category",
        "string[pyarrow]",
        "int64[pyarrow]",
    )


def test_batches_are_of_one_moment_although_the_table_is_rewritten_between_them(
    tmp_path: Path,
) -> None:
    write(
        tmp_path,
        orders=[order(f"A-{number:03}", state="paid") for number in range(250)],
    )
    batches = Snapshots(tmp_path).batches("orders", 100, ["order_ref", "state"])
    first = next(batches)
    write(
        tmp_path,
        "track-1",
        orders=[order(f"A-{number:03}", state="shipped") for number in range(250)],
        at=LATER,
    )
    frames = [first, *batches]
    assert [len(frame) for frame in frames] == [100, 100, 50]
    assert {state for frame in frames for state in frame["state"]} == {"paid"}
    assert len({ref for frame in frames for ref in frame["order_ref"]}) == 250
    held = Snapshots(tmp_path).batches(
        "orders", 100, ["order_ref"], [("order_ref", "==", "A-007")]
    )
    assert [pairs(frame) for frame in held] == [[("A-007",)]]
    assert list(Snapshots(tmp_path / "none").batches("orders")) == []


def test_the_installed_package_says_of_what_type_its_snapshots_are() -> None:
    """`sourcing/__init__.pyi` is for a type checker that does not see this class."""
    stub = ast.parse((ROOT / "sourcing" / "__init__.pyi").read_text())
    (class_def,) = (item for item in stub.body if isinstance(item, ast.ClassDef))
    methods = {
        item.name: item.args
        for item in class_def.body
        if isinstance(item, ast.FunctionDef)
    }
    public = {name for name in vars(Snapshots) if not name.startswith("_")}
    assert {name for name in methods if not name.startswith("_")} == public
    for name in public - {"tables"}:
        parameters = inspect.signature(getattr(Snapshots, name)).parameters
        arguments = methods[name]
        assert [item.arg for item in (*arguments.args, *arguments.kwonlyargs)] == list(
            parameters
        )
        defaults = [*arguments.defaults, *filter(None, arguments.kw_defaults)]
        expected = [
            parameter.default
            for parameter in parameters.values()
            if parameter.default is not inspect.Parameter.empty
        ]
        assert [ast.literal_eval(default) for default in defaults] == expected
