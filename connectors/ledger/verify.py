"""Checks that a ledger is whole and consistent: every fault with its row."""

from __future__ import annotations

import json
import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import JSON, Connection, Table, inspect, text

from connectors.foreign import words_of
from connectors.ledger.copying import damages
from connectors.ledger.engine import reading, require_file, unusable
from connectors.ledger.schema import metadata
from connectors.ledger.spending import COUNTS_AS_SPENT
from domain.effects import Action, EffectStatus, effect_key
from domain.marketplace import Marketplace
from domain.orders import CONTACT
from domain.reasons import Reason, ReasonCode, read
from domain.states import MOVES, REACHED_BOOKED, OrderState

MOST_DAMAGES = 100
NEEDS_ORDER_ID = (
    OrderState.ORDERED,
    OrderState.PAYMENT_PENDING,
    OrderState.PAID,
    *REACHED_BOOKED,
    OrderState.REFUNDING,
    OrderState.REFUNDED,
)
NEEDS_PAYMENT = (
    OrderState.PAID,
    *REACHED_BOOKED,
    OrderState.REFUNDING,
    OrderState.REFUNDED,
)

SLICED = ("orders", "receivers", "effects", "moves", "answers", "refunds")
"""The tables that are checked by order, a slice of orders at a time: the ledger may be
larger than the memory.
"""
ORDERS_A_SLICE = 500
_TWICE = text(
    "SELECT marketplace, order_id FROM orders WHERE order_id IS NOT NULL GROUP BY marketplace, order_id "
    "HAVING count(*) > 1 ORDER BY 1, 2"
)
_OF_ID = text(
    "SELECT order_ref FROM orders WHERE marketplace = :marketplace AND order_id = :order_id ORDER BY order_ref"
)

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Flaw:
    """One fault; `row` is the key of the row in `table`, empty for the whole table."""

    table: str
    row: str
    words: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """The result of a check: the number of rows by table, and the faults."""

    rows: Mapping[str, int]
    faults: Sequence[Flaw]


def verify(url: str) -> Verification:
    """Check a ledger as it is now, and change nothing. Raises `LedgerUnusable` when it
    can't be read.
    """
    if url.startswith("sqlite") and (damages := _damages(require_file(url))):
        return Verification(rows={}, faults=damages)
    with reading(url) as connection:
        return _verdict(connection)


def _damages(file: Path) -> list[Flaw]:
    """The faults that SQLite itself finds in the file."""
    try:
        found = damages(file, MOST_DAMAGES)
    except sqlite3.DatabaseError as error:
        if "malformed" not in str(error):
            raise unusable(f"sqlite:///{file}", error) from error
        found = [words_of(error)]
    return [Flaw(table="", row="", words=words) for words in found]


def _verdict(connection: Connection) -> Verification:
    counts = {table.name: _count(connection, table) for table in metadata.sorted_tables}
    of_no_order = (
        table for table in metadata.sorted_tables if table.name not in SLICED
    )
    faults = [
        *_schema(connection),
        *_foreign_keys(connection),
        *_twice_ordered(connection),
        *(
            fault
            for table in of_no_order
            for fault in _json(table, _streamed(connection, table))
        ),
        *(fault for rows in _slices(connection) for fault in check(rows)),
    ]
    return Verification(rows=counts, faults=faults)


def _count(connection: Connection, table: Table) -> int:
    return int(
        connection.execute(text(f"SELECT count(*) FROM {table.name}")).scalar_one()
    )


def _streamed(connection: Connection, table: Table) -> Iterator[Row]:
    statement = text(f"SELECT {_names(connection, table)} FROM {table.name}")
    for row in connection.execute(
        statement, execution_options={"yield_per": ORDERS_A_SLICE}
    ).mappings():
        yield dict(row)


def _slices(connection: Connection) -> Iterator[dict[str, list[Row]]]:
    """Some orders at a time with all rows about them; with the last ones also rows of
    orders that are not there.
    """
    after = ""
    while True:
        orders = _between(
            connection, metadata.tables["orders"], after, most=ORDERS_A_SLICE
        )
        until = orders[-1]["order_ref"] if len(orders) == ORDERS_A_SLICE else None
        others = (metadata.tables[name] for name in SLICED if name != "orders")
        yield {
            "orders": orders,
            **{
                table.name: _between(connection, table, after, until)
                for table in others
            },
        }
        if until is None:
            return
        after = until


def _between(
    connection: Connection,
    table: Table,
    after: str,
    until: str | None = None,
    *,
    most: int | None = None,
) -> list[Row]:
    """The rows of orders after one and up to another, with raw values: an unreadable
    one is a fault of its row.
    """
    which = "order_ref > :after" + (" AND order_ref <= :until" if until else "")
    limit = f" ORDER BY order_ref LIMIT {most}" if most else ""
    statement = (
        f"SELECT {_names(connection, table)} FROM {table.name} WHERE {which}{limit}"
    )
    given = {"after": after, **({"until": until} if until else {})}
    return [dict(row) for row in connection.execute(text(statement), given).mappings()]


def _names(connection: Connection, table: Table) -> str:
    return ", ".join(
        connection.dialect.identifier_preparer.quote(column.name)
        for column in table.columns
    )


def _schema(connection: Connection) -> Iterator[Flaw]:
    """The tables, columns and indexes that are not there, as other programs left it."""
    inspector = inspect(connection)
    columns = inspector.get_multi_columns()
    indexes = inspector.get_multi_indexes()
    for table in metadata.sorted_tables:
        key = (None, table.name)
        there = {
            item["name"] for item in (*columns.get(key, ()), *indexes.get(key, ()))
        }
        declared = {*table.columns.keys(), *(index.name for index in table.indexes)}
        for name in sorted(str(name) for name in declared - there):
            yield Flaw(
                table="",
                row="",
                words=f"the schema is not as this program makes it: {table.name} lacks {name}",
            )


def _foreign_keys(connection: Connection) -> Iterator[Flaw]:
    if connection.dialect.name != "sqlite":
        return  # PostgreSQL checks them with every write
    for table, row_id, parent, _ in connection.exec_driver_sql(
        "PRAGMA foreign_key_check"
    ):
        yield Flaw(
            table=table,
            row=f"row {row_id}",
            words=f"names a row of {parent} that is not there",
        )


def check(rows: Mapping[str, Sequence[Row]]) -> Iterator[Flaw]:
    """The faults of some orders' rows, by table."""
    orders = {row["order_ref"]: row for row in rows["orders"]}
    effects: defaultdict[str, list[Row]] = defaultdict(list)
    for row in rows["effects"]:
        effects[row["order_ref"]].append(row)
    moves: defaultdict[str, list[Row]] = defaultdict(list)
    for row in sorted(rows["moves"], key=lambda row: int(row["id"])):
        moves[row["order_ref"]].append(row)
    answered = {row["order_ref"] for row in rows["answers"]}
    named = {row["order_ref"] for row in rows["receivers"]}
    back: defaultdict[str, int] = defaultdict(int)
    for row in rows["refunds"]:
        back[row["order_ref"]] += row["refunded_minor"]
    for name in SLICED:
        yield from _json(metadata.tables[name], rows[name])
    for ref, order in orders.items():
        yield from _order(order)
        yield from _receiver(order, has_row=ref in named)
        yield from _ordered_as(order, effects[ref], answered=ref in answered)
        yield from _payment(order, effects[ref], moves[ref], answered=ref in answered)
        yield from _refunded(order, back[ref])
        yield from _trail(order, moves[ref])
    for listed in effects.values():
        for effect in listed:
            yield from _effect(effect)
        yield from _attempts(listed)


def _json(table: Table, rows: Iterable[Row]) -> Iterator[Flaw]:
    if columns := [
        column.name for column in table.columns if isinstance(column.type, JSON)
    ]:
        for row in rows:
            for column in columns:
                if isinstance(row[column], str) and not _is_json(row[column]):
                    yield Flaw(
                        table=table.name,
                        row=_key(table, row),
                        words=f"{column} is not JSON",
                    )


def _receiver(order: Row, *, has_row: bool) -> Iterator[Flaw]:
    """An order keeps its receiver, or has it erased: one that lost it could neither be
    ordered nor be read.
    """
    request = _read(order["request"])
    receiver = request.get("receiver") if isinstance(request, Mapping) else None
    if receiver is not None and not has_row and CONTACT[0] not in receiver:
        yield _at_order(order, "has no receiver: its row in receivers is missing")


def _read(content: object) -> object:
    """A raw JSON value, which drivers give as text or decoded."""
    return (
        json.loads(content)
        if isinstance(content, str) and _is_json(content)
        else content
    )


def _is_json(content: str) -> bool:
    try:
        json.loads(content)
    except ValueError:
        return False
    return True


def _key(table: Table, row: Row) -> str:
    return "/".join(str(row[column.name]) for column in table.primary_key.columns)


def _twice_ordered(connection: Connection) -> Iterator[Flaw]:
    for marketplace, order_id in connection.execute(_TWICE).all():
        first, *others = (
            connection.execute(
                _OF_ID, {"marketplace": marketplace, "order_id": order_id}
            )
            .mappings()
            .all()
        )
        for row in others:
            yield _at_order(
                dict(row),
                f"has order id {order_id}, which {first['order_ref']} has too",
            )


def _at_order(order: Row, words: str) -> Flaw:
    return Flaw(table="orders", row=order["order_ref"], words=words)


def _order(order: Row) -> Iterator[Flaw]:
    state = order["state"]
    if order["marketplace"] not in set(Marketplace):
        yield _at_order(order, f"marketplace {order['marketplace']!r} does not exist")
    if state not in set(OrderState):
        yield _at_order(order, f"state {state!r} does not exist")
    if state in NEEDS_ORDER_ID and order["order_id"] is None:
        yield _at_order(order, f"is {state} and has no order id")
    if state in NEEDS_PAYMENT and order["paid_minor"] is None:
        yield _at_order(order, f"is {state} and has no paid amount")
    if state in REACHED_BOOKED and order["shipment_order_id"] is None:
        yield _at_order(order, f"is {state} and has no shipment")
    approved, payable = order["approved_minor"], order["payable_minor"]
    if payable is not None and payable < (approved or 0):
        yield _at_order(
            order, f"may cost {payable} fen, less than the {approved} that are approved"
        )


def _ordered_as(
    order: Row, effects: Sequence[Row], *, answered: bool
) -> Iterator[Flaw]:
    """An order's id must be one that the service gave it, unless a person has answered
    otherwise.
    """
    if order["order_id"] is None or answered:
        return
    given = [
        one
        for effect in effects
        if effect["action"] == Action.CREATE
        for one in _order_ids(effect["answer"])
    ]
    if given and order["order_id"] not in given:
        yield _at_order(
            order,
            f"has order id {order['order_id']}, the service gave it {', '.join(given)}",
        )


def _order_ids(answer: object) -> list[str]:
    """The order ids in the stored answer to a create."""
    told = _read(answer)
    if not isinstance(told, Mapping):
        return []
    several = told.get("order_ids")
    ids = (
        several
        if isinstance(several, list)
        else [told.get("found"), told.get("order_id")]
    )
    return [str(one) for one in ids if one]


def _payment(
    order: Row, effects: Sequence[Row], moves: Sequence[Row], *, answered: bool
) -> Iterator[Flaw]:
    paid = order["paid_minor"]
    if paid is None:
        return
    ours = any(
        effect["action"] == Action.PAY and effect["status"] in COUNTS_AS_SPENT
        for effect in effects
    )
    told = answered or _was_given(ReasonCode.PAID_ELSEWHERE, moves)
    if not ours and not told:
        yield _at_order(
            order,
            f"is paid with {paid} fen, and neither a payment nor an answer accounts for it",
        )
    most = (
        order["approved_minor"]
        if order["payable_minor"] is None
        else order["payable_minor"]
    )
    if paid > (most or 0) and not _was_given(ReasonCode.TAKEN_ABOVE_APPROVED, moves):
        yield _at_order(
            order,
            f"is paid with {paid} fen, {most or 0} may be paid, and nothing says why",
        )


def _was_given(code: ReasonCode, moves: Sequence[Row]) -> bool:
    return any(one and one.code is code for one in map(_reason, moves))


def _reason(move: Row) -> Reason | None:
    facts = move["reason_facts"]
    return read(
        move["reason_code"],
        json.loads(facts) if isinstance(facts, str) else facts,
    )


def _refunded(order: Row, back: int) -> Iterator[Flaw]:
    told, paid = order["refunded_minor"] or 0, order["paid_minor"]
    if told not in (
        back,
        back if paid is None else min(back, paid),
    ):  # one refund may be shown under two ids
        yield _at_order(order, f"{told} fen came back, its refunds sum to {back}")
    if told > (paid or 0):
        yield _at_order(order, f"{told} fen came back of {paid or 0} paid")


def _trail(order: Row, moves: Sequence[Row]) -> Iterator[Flaw]:
    """The moves of an order must lead, by legal steps, to its present state."""
    before = None
    for move in moves:
        old, new = move["old_state"], move["new_state"]
        if old != before:
            yield Flaw(
                table="moves",
                row=str(move["id"]),
                words=f"{order['order_ref']} left {old}, it was {before}",
            )
        elif old is not None and new != old and not _is_legal(old, new):
            yield Flaw(
                table="moves",
                row=str(move["id"]),
                words=f"{order['order_ref']} can't go from {old} to {new}",
            )
        before = new
    if before != order["state"]:
        yield _at_order(order, f"is {order['state']}, its last move led to {before}")


def _is_legal(old: str, new: str) -> bool:
    return old in set(OrderState) and new in MOVES[OrderState(old)]


def _at_effect(effect: Row, words: str) -> Flaw:
    return Flaw(table="effects", row=effect["key"], words=words)


def _effect(effect: Row) -> Iterator[Flaw]:
    if effect["action"] not in set(Action):
        yield _at_effect(effect, f"action {effect['action']!r} does not exist")
        return
    if effect["status"] not in set(EffectStatus):
        yield _at_effect(effect, f"status {effect['status']!r} does not exist")
    if effect["fence"] < 1 or effect["attempt"] < 1:
        yield _at_effect(
            effect,
            f"fence {effect['fence']}, attempt {effect['attempt']}: both begin at 1",
        )
    if (
        effect["status"]
        in (EffectStatus.DONE, EffectStatus.REFUSED, EffectStatus.UNSENT)
        and not effect["settled_at"]
    ):
        yield _at_effect(effect, f"is {effect['status']} and was never settled")
    start = effect_key(effect["order_ref"], Action(effect["action"]))
    end = f":{effect['attempt']}" if effect["attempt"] > 1 else ""
    if not effect["key"].startswith(start) or not effect["key"].endswith(end):
        yield _at_effect(
            effect, f"the key does not name {start} and attempt {effect['attempt']}"
        )


def _attempts(effects: Sequence[Row]) -> Iterator[Flaw]:
    """All attempts of an effect but the last must be refused, so that only one can be
    live.
    """
    slots: defaultdict[str, list[Row]] = defaultdict(list)
    for effect in effects:
        slots[
            effect["key"].removesuffix(
                f":{effect['attempt']}" if effect["attempt"] > 1 else ""
            )
        ].append(effect)
    for slot, attempts in slots.items():
        attempts.sort(key=lambda effect: int(effect["attempt"]))
        if [effect["attempt"] for effect in attempts] != list(
            range(1, len(attempts) + 1)
        ):
            yield _at_effect(attempts[0], f"of {slot} not every attempt is there")
        for effect in attempts[:-1]:
            if effect["status"] != EffectStatus.REFUSED:
                yield _at_effect(
                    effect,
                    f"is {effect['status']}, and a later attempt was made all the same",
                )
