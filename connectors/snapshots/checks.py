"""Rules that the rows of a table must keep, checked over columns, many rows at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial

import pyarrow as pa
from pyarrow import compute as pc

from connectors.callbacks.kinds import CallbackKind
from connectors.snapshots.schemas import TABLES
from connectors.snapshots.schemas.tables import Table
from domain.after_sale import RefundKind, RefundState
from domain.findings import FindingKind
from domain.marketplace import Marketplace
from domain.received import Inspection
from domain.service_orders import TraceStatus
from domain.states import OrderState

MARKETPLACE = "marketplace"
LEAST = {"quantity": 1, "min_quantity": 1, "stock": 0}
AS_RECEIVED = {"shipment_items.quantity": 0}  # a booking's answer may not say how many (assumed)
RECEIVED_AS_SEEN = ("reconciliation",)
"""Tables of findings: an impossible amount is just what they report."""
STATES: Mapping[str, Iterable[str]] = {
    "orders.state": OrderState,
    "outcomes.state": OrderState,
    "outcomes.outcome": (*OrderState, "done"),
    "refunds.state": RefundState,
    "refunds.kind": RefundKind,
    "tracking_events.status": TraceStatus,
    "reconciliation.kind": (*FindingKind, "run"),
    "reconciliation.marketplace": (*Marketplace, ""),
    "callbacks.marketplace": (*Marketplace, ""),
    "callbacks.kind": CallbackKind,
    "parcels_received.inspection": Inspection,
}
ORDER = (("order_ref",), ("orders",))
PLAN = (("order_ref",), ("requests", "orders"))
REFERENCES: Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "candidates": (("order_ref", "line_no"), ("requests",)),
    "quotes": PLAN,
    "freight_quotes": PLAN,
    **dict.fromkeys(
        (
            *("order_lines", "payments", "outcomes", "shipments", "tracking_events", "refunds", "landed_costs"),
            "parcels_received",
        ),
        ORDER,
    ),
    "shipment_items": (("order_ref", "shipment_order_id"), ("shipments", "orders")),
    "refund_events": (("order_ref", "refund_key"), ("refunds",)),
}
"""Foreign keys of each table: its columns, and the tables of which one must have a row with these values."""

SUMMED: Mapping[str, str] = {"orders": "paid_minor", "payments": "amount_minor", "refunds": "refunded_minor"}
"""The amount of each table whose sum the ledger has too."""

SEPARATOR = "\x1f"
DIGITS = 20

Row = Mapping[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A condition on each row of a table alone. `words` describe how a row breaks it."""

    name: str
    columns: tuple[str, ...]
    broken: Callable[[pa.RecordBatch], pa.BooleanArray]
    words: Callable[[Row], str]


@cache
def rules_of(name: str) -> tuple[Rule, ...]:
    """The rules of a table, derived from the names and types of its columns."""
    table = TABLES[name]
    return tuple(
        rule for field in table.schema if (kind := RULES.get(str(field.type))) for rule in kind(table, field.name)
    )


def _of_numbers(table: Table, name: str) -> Iterator[Rule]:
    if (least := AS_RECEIVED.get(f"{table.name}.{name}", LEAST.get(name))) is not None:
        yield _at_least(name, least)
    if (currency := table.columns[name].currency) and table.name not in RECEIVED_AS_SEEN:
        yield Rule(
            name="amount",
            columns=(name,),
            broken=lambda rows: pc.less(rows[name], 0),
            words=lambda row: f"{name} is {row[name]}, and no amount is below zero",
        )
        yield _has_currency(name, currency)


def _at_least(name: str, least: int) -> Rule:
    return Rule(
        name="quantity",
        columns=(name,),
        broken=lambda rows: pc.less(rows[name], least),
        words=lambda row: f"{name} is {row[name]}, and must be {least} or more",
    )


def _has_currency(name: str, currency: str) -> Rule:
    return Rule(
        name="currency",
        columns=(name, currency),
        broken=lambda rows: pc.and_(
            pc.not_equal(rows[name], 0), pc.equal(pc.fill_null(pc.utf8_length(rows[currency]), 0), 0)
        ),
        words=lambda row: f"{name} is {row[name]}, and {currency} is empty",
    )


def _of_texts(table: Table, name: str) -> Iterator[Rule]:
    known = STATES.get(f"{table.name}.{name}") or (Marketplace if name == MARKETPLACE else None)
    if known is not None:
        words = pa.array([str(word) for word in known], pa.string())
        yield Rule(
            name="state",
            columns=(name,),
            broken=lambda rows: pc.and_(pc.is_valid(rows[name]), pc.invert(pc.is_in(rows[name], words))),
            words=lambda row: f"{name} is {row[name]!r}, which is none of {', '.join(filter(None, map(str, known)))}",
        )


def _of_volume_prices(_table: Table, name: str) -> Iterator[Rule]:
    yield Rule(
        name="amount",
        columns=(name,),
        broken=partial(_has_negative_step, name),
        words=lambda row: f"{name} has a price below zero",
    )


def _has_negative_step(name: str, rows: pa.RecordBatch) -> pa.BooleanArray:
    steps, owners = pc.list_flatten(rows[name]), pc.list_parent_indices(rows[name])
    wrong = pc.filter(owners, pc.less(pc.struct_field(steps, "price_minor"), 0))
    if not len(wrong):
        return pa.repeat(False, len(rows))  # noqa: FBT003
    return pc.is_in(pa.array(range(len(rows)), owners.type), wrong)


RULES: Mapping[str, Callable[[Table, str], Iterator[Rule]]] = {
    "int64": _of_numbers,
    "string": _of_texts,
    str(TABLES["offers"].schema.field("volume_prices").type): _of_volume_prices,
}


def keys_of(rows: pa.RecordBatch | pa.Table, columns: Sequence[str]) -> pa.Array:
    """One text per row for some columns together: equal where all of them are, and sorted as they are."""
    parts = [_key_part(rows[name]) for name in columns]
    return parts[0] if len(parts) == 1 else pc.binary_join_element_wise(*parts, SEPARATOR)


def _key_part(values: pa.Array) -> pa.Array:
    if pa.types.is_string(values.type):
        return pc.fill_null(values, "")
    return pc.utf8_lpad(pc.cast(pc.cast(values, pa.int64()), pa.string()), DIGITS, "0")


def key_text(row: Row, columns: Sequence[str]) -> str:
    """A row's key for people: its parts joined with commas."""
    return ",".join("" if row.get(name) is None else str(row.get(name)) for name in columns)
