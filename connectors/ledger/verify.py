"""Checks that a ledger is whole and consistent: every fault with its row."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from sqlalchemy import JSON, Connection, Table, inspect, text

from connectors.foreign import words_of
from connectors.ledger.copying import damages
from connectors.ledger.engine import reading, require_file, unusable
from connectors.ledger.schema import metadata
from connectors.ledger.spending import COUNTS_AS_SPENT
from domain.effects import Action, EffectStatus
from domain.marketplace import Marketplace
from domain.orders import CONTACT
from domain.reasons import ReasonCode
from domain.states import MOVES, REACHED_BOOKED, OrderState

MOST_DAMAGES = 100
NEEDS_PAYMENT = (
    OrderState.PAID,
    *REACHED_BOOKED,
    OrderState.REFUNDING,
    OrderState.REFUNDED,
)
NEEDS_ORDER_ID = (OrderState.ORDERED, OrderState.PAYMENT_PENDING, *NEEDS_PAYMENT)


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


class Rule(NamedTuple):
    """What is wrong with the rows of a table `where` this holds, in `words` with their
    columns. `further` columns are computed.
    """

    table: str
    where: str
    words: str
    further: str = ""


def verify(url: str) -> Verification:
    """Check a ledger as it is now, and change nothing. Raises `LedgerUnusable` when it
    can't be read.
    """
    if url.startswith("sqlite") and (damages := _damages(require_file(url))):
        return Verification(rows={}, faults=damages)
    with reading(url) as connection:
        counts = {
            name: connection.scalar(text(f"SELECT count(*) FROM {name}")) or 0
            for name in metadata.tables
        }
        faults = [*_schema(connection), *_foreign_keys(connection)]
        for rule in _rules(is_sqlite=connection.dialect.name == "sqlite"):
            faults += _breaches(connection, rule)
    return Verification(rows=counts, faults=faults)


def _damages(file: Path) -> list[Flaw]:
    """The faults that SQLite itself finds in the file."""
    try:
        found = damages(file, MOST_DAMAGES)
    except sqlite3.DatabaseError as error:
        if "malformed" not in str(error):
            raise unusable(f"sqlite:///{file}", error) from error
        found = [words_of(error)]
    return [Flaw(table="", row="", words=finding) for finding in found]


def _schema(connection: Connection) -> Iterator[Flaw]:
    """The tables, columns and indexes that are not there, as other programs left it."""
    inspector = inspect(connection)
    columns = inspector.get_multi_columns()
    indexes = inspector.get_multi_indexes()
    for table in metadata.sorted_tables:
        key = (None, table.name)
        present = {
            item["name"] for item in (*columns.get(key, ()), *indexes.get(key, ()))
        }
        declared = {*table.columns.keys(), *(index.name for index in table.indexes)}
        for name in sorted(str(name) for name in declared - present):
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


def _breaches(connection: Connection, rule: Rule) -> Iterator[Flaw]:
    """The rows that break a rule, with raw values: an unreadable one is a fault."""
    rows = f"(SELECT * {rule.further} FROM {rule.table}) AS ruled"
    statement = text(f"SELECT * FROM {rows} WHERE {rule.where}")
    keys = metadata.tables[rule.table].primary_key.columns.keys()
    for row in connection.execute(statement).mappings():
        yield Flaw(
            table=rule.table,
            row="/".join(str(row[key]) for key in keys),
            words=rule.words.format(**row),
        )


def _rules(*, is_sqlite: bool) -> Iterator[Rule]:
    """The rules between rows. PostgreSQL holds by itself that JSON is JSON."""

    def field(column: str, *path: str) -> str:
        if not is_sqlite:
            return f"{column} #>> '{{{','.join(path)}}}'"
        return f"CASE WHEN json_valid({column}) THEN json_extract({column}, '$.{'.'.join(path)}') END"

    if is_sqlite:
        yield from map(_json_rule, _json_columns())
    states = _listed(OrderState)
    paying = _listed(COUNTS_AS_SPENT)
    yield from (
        Rule(
            "orders",
            f"marketplace NOT IN {_listed(Marketplace)}",
            "marketplace {marketplace!r} does not exist",
        ),
        Rule("orders", f"state NOT IN {states}", "state {state!r} does not exist"),
        Rule(
            "orders",
            f"state IN {_listed(NEEDS_ORDER_ID)} AND order_id IS NULL",
            "is {state} and has no order id",
        ),
        Rule(
            "orders",
            f"state IN {_listed(NEEDS_PAYMENT)} AND paid_minor IS NULL",
            "is {state} and has no paid amount",
        ),
        Rule(
            "orders",
            f"state IN {_listed(REACHED_BOOKED)} AND shipment_order_id IS NULL",
            "is {state} and has no shipment",
        ),
        Rule(
            "orders",
            "payable_minor < coalesce(approved_minor, 0)",
            "may cost {payable_minor} fen, less than the {approved_minor} that are approved",
        ),
        # one that was erased has empty parts
        Rule(
            "orders",
            f"{field('request', 'receiver')} IS NOT NULL"
            f" AND {field('request', 'receiver', CONTACT[0])} IS NULL"
            " AND order_ref NOT IN (SELECT order_ref FROM receivers)",
            "has no receiver: its row in receivers is missing",
        ),
        Rule(
            "orders",
            "order_id IS NOT NULL AND first_ref <> order_ref",
            "has order id {order_id}, which {first_ref} has too",
            ", min(order_ref) OVER (PARTITION BY marketplace, order_id) AS first_ref",
        ),
        Rule(
            "orders",
            f"order_id IS NOT NULL AND {_ANSWERED} AND given IS NOT NULL"
            " AND NOT EXISTS (SELECT 1 FROM effects WHERE action = 'create'"
            " AND effects.order_ref = ruled.order_ref"
            " AND CAST(answer AS text) LIKE '%\"' || order_id || '\"%')",
            "has order id {order_id}, the service gave it {given}",
            ", (SELECT max(CAST(answer AS text)) FROM effects WHERE action = 'create'"
            " AND effects.order_ref = orders.order_ref"
            f" AND coalesce({field('answer', 'order_ids')}, {field('answer', 'found')},"
            f" {field('answer', 'order_id')}) IS NOT NULL) AS given",
        ),
        Rule(
            "orders",
            f"paid_minor IS NOT NULL AND {_ANSWERED} AND order_ref NOT IN"
            f" (SELECT order_ref FROM effects WHERE action = 'pay' AND status IN {paying})"
            f" AND {_without_reason(ReasonCode.PAID_ELSEWHERE)}",
            "is paid with {paid_minor} fen, and neither a payment nor an answer accounts for it",
        ),
        Rule(
            "orders",
            "paid_minor > may_cost"
            f" AND {_without_reason(ReasonCode.TAKEN_ABOVE_APPROVED)}",
            "is paid with {paid_minor} fen, {may_cost} may be paid, and nothing says why",
            ", coalesce(payable_minor, approved_minor, 0) AS may_cost",
        ),
        # one refund may be shown under two ids
        Rule(
            "orders",
            "came_back <> of_refunds AND NOT"
            " (came_back = coalesce(paid_minor, -1) AND paid_minor < of_refunds)",
            "{came_back} fen came back, its refunds sum to {of_refunds}",
            ", coalesce(refunded_minor, 0) AS came_back,"
            " (SELECT coalesce(sum(refunds.refunded_minor), 0) FROM refunds"
            " WHERE refunds.order_ref = orders.order_ref) AS of_refunds",
        ),
        Rule(
            "orders",
            "refunded_minor > coalesce(paid_minor, 0)",
            "{refunded_minor} fen came back, more than was paid",
        ),
        Rule(
            "orders",
            "state <> coalesce(led_to, '')",
            "is {state}, its last move led to {led_to}",
            ", (SELECT new_state FROM moves WHERE moves.order_ref = orders.order_ref"
            " ORDER BY id DESC LIMIT 1) AS led_to",
        ),
        Rule(
            "moves",
            "coalesce(old_state, '') <> coalesce(before, '')",
            "{order_ref} left {old_state}, it was {before}",
            ", lag(new_state) OVER (PARTITION BY order_ref ORDER BY id) AS before",
        ),
        Rule(
            "moves",
            "old_state <> new_state"
            f" AND old_state || '>' || new_state NOT IN {_listed(_legal_moves())}",
            "{order_ref} can't go from {old_state} to {new_state}",
        ),
        Rule(
            "effects",
            f"action NOT IN {_listed(Action)}",
            "action {action!r} does not exist",
        ),
        Rule(
            "effects",
            f"status NOT IN {_listed(EffectStatus)}",
            "status {status!r} does not exist",
        ),
        Rule(
            "effects",
            "fence < 1 OR attempt < 1",
            "fence {fence}, attempt {attempt}: both begin at 1",
        ),
        Rule(
            "effects",
            "status IN ('done', 'refused', 'unsent') AND settled_at IS NULL",
            "is {status} and was never settled",
        ),
        Rule(
            "effects",
            "substr(key, 1, length(named)) <> named"
            " OR attempt > 1 AND key NOT LIKE '%:' || attempt",
            "the key does not name {named} and attempt {attempt}",
            ", order_ref || ':' || action AS named",
        ),
        Rule(
            "effects",
            "attempt <> place",
            "of {slot} not every attempt is there",
            _ATTEMPTS,
        ),
        # only one attempt can be live
        Rule(
            "effects",
            "later IS NOT NULL AND status <> 'refused'",
            "is {status}, and a later attempt was made all the same",
            _ATTEMPTS,
        ),
    )


_ANSWERED = "order_ref NOT IN (SELECT order_ref FROM answers)"
_SLOT = "CASE WHEN attempt > 1 THEN substr(key, 1, length(key) - length(':' || attempt)) ELSE key END"
_ATTEMPTS = (
    f", {_SLOT} AS slot, row_number() OVER (PARTITION BY {_SLOT} ORDER BY attempt) AS place,"
    f" lead(attempt) OVER (PARTITION BY {_SLOT} ORDER BY attempt) AS later"
)


def _without_reason(code: ReasonCode) -> str:
    return (
        f"order_ref NOT IN (SELECT order_ref FROM moves WHERE reason_code = '{code}')"
    )


def _listed(finding: Iterable[str]) -> str:
    return str(tuple(map(str, finding)))


def _legal_moves() -> Iterator[str]:
    for old, allowed in MOVES.items():
        yield from (f"{old}>{new}" for new in allowed)


def _json_columns() -> Iterator[tuple[Table, str]]:
    for table in metadata.sorted_tables:
        for column in table.columns:
            if isinstance(column.type, JSON):
                yield table, column.name


def _json_rule(column: tuple[Table, str]) -> Rule:
    table, name = column
    return Rule(table.name, f'NOT json_valid("{name}")', f"{name} is not JSON")
