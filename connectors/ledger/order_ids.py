"""Ids of the service: each belongs to one order of the ledger, or to an order that a
person declared foreign.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from sqlalchemy import Connection, func, or_, select, update

from connectors.ledger.engine import one_of
from connectors.ledger.order_update import NOTHING
from connectors.ledger.records import OrderChange, Outcome
from connectors.ledger.schema import not_ours, orders
from connectors.ledger.transactions import LedgerRows, repeating
from domain.effects import EffectStatus
from domain.findings import ForeignOrder, OrderId
from domain.marketplace import Marketplace
from domain.money import Money
from domain.reasons import Reason, ReasonCode, because
from domain.states import OrderState

ID_OWNERS_LOCK = 7_307_423
ORDER_ID = "order_id"
SHIPMENT_ID = "shipment_order_id"
# the warehouse numbers the shipments of all marketplaces; each marketplace its own
# orders
_THING = {ORDER_ID: "order", SHIPMENT_ID: "shipment"}
_NAMED = select(
    orders.c.order_ref,
    orders.c.marketplace,
    orders.c.order_id,
    orders.c.shipment_order_id,
)
_BY_ORDER = _NAMED.where(
    or_(one_of(orders.c.order_ref, "refs"), one_of(orders.c.order_id, "ids"))
)
_BY_SHIPMENT = _NAMED.where(one_of(orders.c.shipment_order_id, "ids"))

OwnedId = tuple[str, str, str]  # column, marketplace (empty for shipments), id


class IdOwners:
    """The owners of the ids that these changes name. Transactions that name ids run one
    at a time, until the commit.
    """

    def __init__(
        self, connection: Connection, changes: Iterable[OrderChange | None]
    ) -> None:
        with_ids = [change for change in changes if change is not None and _ids(change)]
        self._owners: dict[OwnedId, str] = {}
        self._marketplaces: dict[str, str] = {}
        if with_ids:
            self._read(connection, with_ids)

    def _read(self, connection: Connection, with_ids: Sequence[OrderChange]) -> None:
        if connection.dialect.name == "postgresql":
            connection.execute(select(func.pg_advisory_xact_lock(ID_OWNERS_LOCK)))
        order_id = [_ids(change) for change in with_ids]
        order_ids, shipment_ids = (
            [ids[column] for ids in order_id if column in ids] for column in _THING
        )
        refs = [change.order_ref for change in with_ids]
        rows = [*connection.execute(_BY_ORDER, {"refs": refs, "ids": order_ids})]
        if shipment_ids:
            rows += connection.execute(_BY_SHIPMENT, {"ids": shipment_ids})
        for row in rows:
            self._marketplaces[row.order_ref] = row.marketplace
            self._keep(
                row.order_ref,
                {ORDER_ID: row.order_id, SHIPMENT_ID: row.shipment_order_id},
            )

    def _keep(self, order_ref: str, ids: Mapping[str, str | None]) -> None:
        for column, order_id in ids.items():
            if order_id:
                self._owners.setdefault(
                    self._name(column, order_ref, order_id), order_ref
                )

    def _name(self, column: str, order_ref: str, order_id: str) -> OwnedId:
        return (
            column,
            self._marketplaces.get(order_ref, "") if column == ORDER_ID else "",
            order_id,
        )

    def conflict(self, change: OrderChange | None) -> dict[str, str]:
        """The id of a change that is another order's. Where there is none, the change's
        ids become its order's.
        """
        ids = _ids(change) if change else {}
        for column, order_id in ids.items():
            owner = (
                self._owners.get(self._name(column, change.order_ref, order_id))
                if change
                else None
            )
            if change and owner not in (None, change.order_ref):
                return {"thing": _THING[column], "id": order_id, "owner": owner or ""}
        if change:
            self._keep(change.order_ref, ids)
        return {}

    def outcome(self, outcome: Outcome) -> Outcome:
        """The outcome, or UNKNOWN in its place: the effect may have happened, and what
        it made has another id.
        """
        if not (conflict := self.conflict(outcome.change)):
            return outcome
        reason = (outcome.if_misnamed or misnamed()).but(**conflict)
        change = OrderChange(
            order_ref=outcome.claim.order_ref, state=OrderState.UNKNOWN, why=reason
        )
        return Outcome(
            claim=outcome.claim, status=EffectStatus.UNKNOWN, why=reason, change=change
        )

    def change(self, change: OrderChange) -> OrderChange:
        """A change without an effect, or a hold in its place."""
        if not (conflict := self.conflict(change)):
            return change
        return replace(
            change,
            state=OrderState.HELD,
            why=misnamed().but(**conflict),
            writes=NOTHING,
        )


def misnamed(looked_for_by: str = "") -> Reason:
    """Why the id in an answer is not believed; `looked_for_by` is what the order is
    looked for by instead, if any.
    """
    return because(ReasonCode.ID_IS_ANOTHERS, by=looked_for_by)


def _ids(change: OrderChange) -> dict[str, str]:
    filled = change.writes.columns
    return {column: str(filled[column]) for column in _THING if filled.get(column)}


class ForeignOrderRows(LedgerRows):
    """The table `not_ours` of one ledger."""

    def standing(self) -> dict[OrderId, ForeignOrder]:
        """The orders that are declared foreign now: of each the last declaration,
        unless it was withdrawn.
        """
        statement = (
            select(not_ours)
            .where(not_ours.c.ended_at.is_(None))
            .order_by(not_ours.c.id)
        )
        foreign_orders = [
            ForeignOrder(
                marketplace=Marketplace(row["marketplace"]),
                order_id=row["order_id"],
                amount=Money(row["amount_minor"], row["currency"]),
                by=row["by"],
                at=row["at"],
            )
            for row in self._ledger.rows(statement)
        ]
        return {
            foreign_order.identity: foreign_order for foreign_order in foreign_orders
        }

    @repeating
    def record(self, orders: Iterable[ForeignOrder]) -> None:
        """Record a person's declaration about each order, in place of an earlier
        one.
        """
        with self._ledger.transaction() as connection:
            for order in orders:
                self._end(connection, order.identity, by=order.by)
                row = {
                    "marketplace": order.marketplace,
                    "order_id": order.order_id,
                    "amount_minor": order.amount.minor,
                    "currency": order.amount.currency,
                    "at": order.at,
                    "by": order.by,
                }
                connection.execute(not_ours.insert().values(row))

    @repeating
    def take_back(self, order: OrderId, *, by: str) -> bool:
        """Withdraw a declaration: reconciliation reports the order again. False when it
        was not declared foreign.
        """
        with self._ledger.transaction() as connection:
            return self._end(connection, order, by=by)

    def _end(self, connection: Connection, order: OrderId, *, by: str) -> bool:
        marketplace, order_id = order
        statement = (
            update(not_ours)
            .where(
                not_ours.c.marketplace == marketplace,
                not_ours.c.order_id == order_id,
                not_ours.c.ended_at.is_(None),
            )
            .values(ended_at=self._ledger.clock(), ended_by=by)
        )
        return connection.execute(statement).rowcount > 0
