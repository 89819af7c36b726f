"""Plans as the ledger stores them: what a person approves, when one is made again,
split in parts, or dropped.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from functools import cache
from types import MappingProxyType
from typing import Any

from sqlalchemy import (
    Connection,
    Executable,
    and_,
    bindparam,
    case,
    exists,
    func,
    or_,
    select,
)

from connectors.ledger.engine import chunked, one_of
from connectors.ledger.forgetting import forgotten_in
from connectors.ledger.order_mover import OrderMover
from connectors.ledger.order_update import OrderUpdate
from connectors.ledger.records import (
    BEFOREHAND,
    ORDERS,
    Approval,
    OrderChange,
    divided,
    order_records,
    reason_of,
)
from connectors.ledger.schema import (
    from_json,
    matches,
    moves,
    orders,
    over_in_shop,
    parts,
    receivers,
    to_json,
)
from connectors.ledger.spending import BEGUN
from connectors.ledger.transactions import LedgerRows, Transactions, repeating
from connectors.ledger.unwritten import mark
from domain.holds import payable
from domain.matching import Match
from domain.money import Money
from domain.plan import PlannedOrder, PlanSummary
from domain.reasons import Reason, ReasonCode, because, stored
from domain.states import NEVER_BEGUN, OrderState
from domain.witnessed import Contradicted

NO_TOLERANCE = Decimal(0)
# built once: building a statement costs several times what running it does
_PRICED = (
    "order_ref",
    "plan_hash",
    "approved_minor",
    "currency",
    "freight_approved_minor",
    "freight_currency",
)
_APPROVED_BY = select(*(orders.c[one] for one in _PRICED)).where(
    orders.c.batch_id == bindparam("batch"),
    or_(orders.c.plan_hash.is_not(None), orders.c.order_id.is_not(None)),
    or_(
        orders.c.paid_minor.is_not(None),
        orders.c.state.not_in((OrderState.CANCELLED, OrderState.REFUSED)),
    ),
    exists().where(
        moves.c.order_ref == orders.c.order_ref,
        moves.c.reason_code == ReasonCode.APPROVED,
        moves.c.reason_facts["by"].as_string() == bindparam("by"),
    ),
)


def plan_hash(plan: PlannedOrder) -> str:
    """A hash of what a person approves: the goods, the receiver, the seller, and the
    most that may be paid.
    """
    content = [
        plan.request.fingerprint,
        [plan.request.marketplace, plan.seller_id],
        [to_json(line) for line in plan.lines],
        str(plan.total),
    ]
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def ledger_row(plan: PlannedOrder, batch_id: str) -> dict[str, Any]:
    """The `orders` columns that a plan fills. Nothing may be bought on it before it is
    approved.
    """
    freight = plan.freight_service.price if plan.freight_service else None
    return {
        "order_ref": plan.order_ref,
        "batch_id": batch_id,
        "marketplace": plan.request.marketplace,
        "state": plan.state,
        **stored(plan.why),
        "fingerprint": plan.request.fingerprint,
        "request": to_json(plan.request),
        "lines": [to_json(line) for line in plan.lines],
        "offers": [to_json(offer) for offer in plan.offers],
        "quote": to_json(plan.quote) if plan.quote else None,
        "seller_id": plan.seller_id,
        "approved_minor": None,
        "payable_minor": None,
        "plan_hash": None,
        "currency": plan.total.currency,
        "freight_quote": to_json(plan.freight) if plan.freight else None,
        "freight_service": plan.freight_service.service_id
        if plan.freight_service
        else None,
        "freight_approved_minor": None,
        "freight_currency": freight.currency if freight else None,
        "shop": plan.request.shop or None,
        "shop_ref": plan.request.shop_ref or None,
    }


@repeating
def put_rows(
    ledger: Transactions,
    rows: Sequence[Mapping[str, Any]],
    *,
    contradicted: Mapping[str, Contradicted] = MappingProxyType({}),
) -> None:
    """Write rows of planned orders, new ones and ones without an effect.

    Other orders stay as they are, as do those that were dropped or whose receiver was
    forgotten meanwhile. Amounts that are `contradicted`, by reference, may hold their
    marketplace.
    """
    if not rows:
        return
    now = ledger.clock()
    planned: dict[str, dict[str, Any]] = {}
    contact: dict[str, Any] = {}
    for row in rows:
        request, contact[row["order_ref"]] = divided(row["request"])
        planned[row["order_ref"]] = {
            **row,
            "request": request,
            "recorded_at": now,
            "updated_at": now,
        }
    with (
        ledger.transaction() as connection
    ):  # what has an effect that counts as spent stays as it is
        # All rows exist and are locked before effects are read: another run's claim is
        # either seen below or waits for this commit. A missing row can't be locked, so
        # new orders are written first.
        gone = forgotten_in(connection, planned)
        ordered = [planned[ref] for ref in sorted(planned) if ref not in gone]
        new = (
            {*connection.scalars(_new_order(ledger.insert), ordered)}
            if ordered
            else set()
        )
        mover = OrderMover(ledger, connection, planned)
        begun = {
            *connection.scalars(BEGUN, {"refs": planned}),
            *forgotten_in(connection, planned),
        }
        begun |= {*withdrawn_since(connection, planned, ledger.since or now)}
        again = [row for row in ordered if row["order_ref"] not in begun | new]
        if again:
            # also over a plan of another batch
            filled = again[0].keys() - {"order_ref", "recorded_at"}
            connection.execute(ledger.upsert(orders, filled), again)
        named = [
            {"order_ref": ref, "receiver": contact[ref]}
            for ref in sorted(planned)
            if ref not in begun and contact[ref]
        ]
        if named:
            connection.execute(ledger.upsert(receivers, ["receiver"]), named)
        for ref, row in planned.items():
            if ref not in begun:
                why = reason_of(row)
                mover.audit(
                    ref, None if ref in new else mover.state(ref), row["state"], why
                )
            if ref in contradicted and ref not in gone:
                mover.contradict(ref, contradicted[ref])
        mark(connection, planned.keys() - begun - gone, planned=True)
        mover.write()


@repeating
def approve_rows(
    ledger: Transactions,
    approvals: Sequence[Approval],
    batch_id: str,
    tolerance: Decimal,
) -> None:
    """Record approvals of plans that are unchanged in this batch and not begun. Other
    orders stay as they are.
    """
    said = {approval.order_ref: approval for approval in approvals}
    with ledger.transaction() as connection:
        # this locks the orders: another run's plan is seen below or waits for this
        # commit
        mover = OrderMover(ledger, connection, said)
        begun = set(connection.scalars(BEGUN, {"refs": said}))
        for ref, order in order_records(connection, _ORDERS, {"refs": said}).items():
            approval = said[ref]
            is_same = (order.batch_id, plan_hash(order.plan)) == (
                batch_id,
                approval.plan_hash,
            )
            is_planned = order.state in (OrderState.PLANNED, OrderState.HELD)
            if is_same and is_planned and ref not in begun:
                writes = OrderUpdate(approval_columns(approval, tolerance))
                mover.change(
                    OrderChange(
                        order_ref=ref,
                        state=OrderState.PLANNED,
                        why=approval.why,
                        writes=writes,
                    )
                )
        mover.write()


def approval_columns(approval: Approval, tolerance: Decimal) -> dict[str, Any]:
    """The `orders` columns that an approval fills. `tolerance` is how many percent
    dearer the order may be paid.

    Raises `ValueError` for a plan that costs nothing: budgets add them up.
    """
    total = approval.total
    freight = approval.freight
    if total.minor <= 0:
        raise ValueError(f"{approval.order_ref}: nothing can be approved for {total}")
    return {
        "approved_minor": total.minor,
        "payable_minor": payable(total, tolerance).minor,
        "plan_hash": approval.plan_hash,
        "freight_approved_minor": freight.minor if freight else None,
        "freight_currency": freight.currency if freight else None,
    }


def approved_by(ledger: Transactions, batch_id: str, by: str) -> list[PlanSummary]:
    """The plans of a batch that were approved by this word, and that cost something or
    may.
    """
    return [
        PlanSummary(
            order_ref=row["order_ref"],
            plan_hash=row["plan_hash"] or "",
            total=Money(row["approved_minor"] or 0, row["currency"]),
            freight=Money(freight, row["freight_currency"])
            if (freight := row["freight_approved_minor"])
            else None,
            is_fine=True,
        )
        for row in ledger.rows(_APPROVED_BY, batch=batch_id, by=by)
    ]


@cache
def _new_order(insert_into: Callable[..., Any]) -> Executable:
    """The statement that writes the plan of a new order; it returns no row if the order
    exists.
    """
    statement: Executable = (
        insert_into(orders)
        .on_conflict_do_nothing(index_elements=["order_ref"])
        .returning(orders.c.order_ref)
    )
    return statement


NOT_THERE = because(ReasonCode.NOT_IN_LEDGER)
_THESE = one_of(orders.c.order_ref, "refs")
_ORDERS = ORDERS.where(_THESE)
_IDS = select(orders.c.order_ref, orders.c.order_id).where(_THESE)
_CONTESTED = and_(
    orders.c.state == OrderState.HELD, orders.c.reason_code == ReasonCode.CONTESTED
)
_DROPPED = and_(
    orders.c.state == OrderState.CANCELLED,
    orders.c.reason_code == ReasonCode.NOT_WANTED,
)
_WITHDRAWN_SINCE = select(orders.c.order_ref).where(
    _THESE, or_(_DROPPED, _CONTESTED), orders.c.updated_at >= bindparam("since")
)


def drop(
    ledger: Transactions, order_refs: Iterable[str], *, by: str, note: str = ""
) -> dict[str, Reason]:
    """Close orders of which nothing was begun, approved ones too; answers why not, for
    those that stay as they are.

    A run that is at work on such an order can't begin it any more, nor plan it anew; a
    later run that asks may.
    """
    why = because(ReasonCode.NOT_WANTED, by=by, note=note)
    return _withdrawn(ledger, dict.fromkeys(order_refs, why), OrderState.CANCELLED, by)


def contest(ledger: Transactions, whys: Mapping[str, Reason]) -> dict[str, Reason]:
    """Hold orders of which nothing was begun, approved ones too, until a run asks a
    person; answers why not, for those that stay as they are.
    """
    return _withdrawn(ledger, whys, OrderState.HELD, "")


def _withdrawn(
    ledger: Transactions, whys: Mapping[str, Reason], state: OrderState, by: str
) -> dict[str, Reason]:
    stay: dict[str, Reason] = {}
    for refs in chunked(whys):
        stay |= _withdraw(ledger, {ref: whys[ref] for ref in refs}, state, by)
    return stay


@repeating
def _withdraw(
    ledger: Transactions, whys: Mapping[str, Reason], state: OrderState, by: str
) -> Mapping[str, Reason]:
    stay = dict.fromkeys(whys, NOT_THERE)
    with ledger.transaction() as connection:
        # this locks the orders: what another run claims is either seen below or waits
        # for this commit
        mover = OrderMover(ledger, connection, whys, by=by)
        begun = {*connection.scalars(BEGUN, {"refs": [*whys]})}
        for ref, order_id in connection.execute(_IDS, {"refs": [*whys]}):
            before = mover.state(ref)
            if before not in NEVER_BEGUN or ref in begun or order_id is not None:
                stay[ref] = because(ReasonCode.NOT_DROPPED, state=before)
                continue
            del stay[ref]
            if before is not OrderState.CANCELLED:
                writes = OrderUpdate.approval_withdrawn()
                mover.change(
                    OrderChange(
                        order_ref=ref, state=state, why=whys[ref], writes=writes
                    )
                )
        mover.write()
    return stay


def withdrawn_since(
    connection: Connection, order_refs: Collection[str], since: datetime
) -> Collection[str]:
    """Those of these orders that were dropped or contested since then: a run that began
    before neither plans nor holds them.
    """
    return connection.scalars(
        _WITHDRAWN_SINCE, {"refs": order_refs, "since": since}
    ).all()


def last_move(*of: Any) -> Any:
    """The newest move of the order that is such a one; 0 for none."""
    found = select(func.coalesce(func.max(moves.c.id), 0)).where(
        moves.c.order_ref == orders.c.order_ref, *of
    )
    return found.scalar_subquery()


_CODE = moves.c.reason_code
_TAKEN_BACK = moves.c.reason_code == ReasonCode.WANTED_BACK
_by, _note = (moves.c.reason_facts[name].as_string() for name in ("by", "note"))
_YES = last_move(_CODE == ReasonCode.APPROVED, _by.is_distinct_from(BEFOREHAND))
_LAST_YES = last_move(_CODE.in_((ReasonCode.APPROVED, ReasonCode.FREIGHT_APPROVED)))
_LAID_ASIDE = or_(_TAKEN_BACK, _CODE == ReasonCode.NOT_WANTED)
# one with a note and no name is of a run that could not ask
_A_NO = or_(
    _LAID_ASIDE,
    and_(_CODE == ReasonCode.NOT_APPROVED, or_(_by.is_not(None), _note.is_(None))),
)
_UNANSWERED = (ReasonCode.NOT_APPROVED, ReasonCode.WAITS_FOR_APPROVAL)
_LAST_NO = last_move(or_(_LAID_ASIDE, _CODE.in_(_UNANSWERED)))
_IS_NO = last_move(_A_NO) > _YES
_DECLINED = select(orders.c.order_ref, _IS_NO).where(_THESE, _YES < _LAST_NO)
_ASIDE = select(
    orders.c.order_ref, case((_CONTESTED, None), else_=orders.c.fingerprint)
).where(
    _THESE,
    or_(
        _DROPPED,
        _CONTESTED,
        and_(
            orders.c.state == OrderState.HELD,
            orders.c.reason_code == ReasonCode.NOT_APPROVED,
            _IS_NO,
        ),
        and_(
            orders.c.state == OrderState.HELD,
            orders.c.reason_code == ReasonCode.WAITS_FOR_APPROVAL,
            orders.c.order_id.is_(None),
        ),
    ),
)
_WITHDRAWN = select(orders.c.order_ref).where(_THESE, orders.c.plan_hash.is_(None))
_UNASKED = _WITHDRAWN.where(or_(orders.c.paid_minor.is_(None), _LAST_YES < _LAST_NO))
_WANTED_BACK = _WITHDRAWN.where(
    last_move(_TAKEN_BACK, moves.c.by == bindparam("owner")) > _LAST_YES
)


def laid_aside(
    ledger: Transactions, order_refs: Iterable[str]
) -> dict[str, str | None]:
    """Those that a person dropped or declined or is asked about, and not planned since,
    each with the fingerprint of its request; None is any request.

    They keep their reason.
    """
    return ledger.pairs(_ASIDE, refs=[*order_refs])


def declined(ledger: Transactions, order_refs: Iterable[str]) -> dict[str, bool]:
    """Those to which a person, asked last, has not said yes, or that a person laid
    aside or took back since.

    True for a no, False for one that was not answered.
    """
    return ledger.pairs(_DECLINED, refs=[*order_refs])


def take_back(ledger: Transactions, order_refs: Collection[str]) -> None:
    """Withdraw the approval of orders that a person wants to take back, whatever
    becomes of that.

    Once in a run is enough; a later run's stands in the trail anew, or a yes to a
    question that waits would renew them.
    """
    before = {*ledger.column(_WANTED_BACK, refs=[*order_refs], owner=ledger.owner)}
    say_no(
        ledger,
        [ref for ref in order_refs if ref not in before],
        because(ReasonCode.WANTED_BACK),
        {},
    )


@repeating
def say_no(
    ledger: Transactions,
    refs: Collection[str],
    why: Reason | None,
    explains: Mapping[str, OrderState],
) -> None:
    """Withdraw the approval of orders, and write down why, whatever state they are in.

    It `explains` the state of some: it becomes the reason of those that are in it
    still.
    """
    with ledger.transaction() as connection:
        mover = OrderMover(ledger, connection, refs)
        for ref in refs:
            state = mover.state(ref)
            writes = OrderUpdate.approval_withdrawn()
            mover.audit(ref, state, state, why)
            reason = OrderUpdate(stored(why) if explains.get(ref) is state else {})
            mover.change(OrderChange(order_ref=ref, writes=writes | reason))
        mover.write()


def needing_a_person(ledger: Transactions, order_refs: Iterable[str]) -> set[str]:
    """Those without an approval that no yes beforehand renews: unpaid ones, and what a
    person refused or took back.
    """
    return {*ledger.column(_UNASKED, refs=[*order_refs])}


Parts = dict[str, dict[str, str]]
_OF = select(parts).where(one_of(parts.c.part_of, "refs"))
_WHOLES = (
    select(parts.c.order_ref, parts.c.part_of)
    .where(one_of(parts.c.order_ref, "refs"))
    .distinct()
)
_OVER = select(over_in_shop).where(one_of(over_in_shop.c.order_ref, "refs"))
_ORDERED = select(orders.c.order_ref).where(
    one_of(orders.c.order_ref, "refs"), orders.c.order_id.is_not(None)
)


class PartRows(LedgerRows):
    """The rows of the table `parts`."""

    def of(self, order_refs: Iterable[str]) -> Parts:
        """The standing order of each own SKU, by the request's name."""
        found: Parts = {}
        for row in self._ledger.rows(_OF, refs=[*order_refs]):
            found.setdefault(row["part_of"], {})[row["own_sku"]] = row["order_ref"]
        return found

    def wholes(self, order_refs: Iterable[str]) -> dict[str, str]:
        """The name of the request that each of these orders is a part of."""
        return self._ledger.pairs(_WHOLES, refs=[*order_refs])

    def names(self, order_refs: Iterable[str]) -> dict[str, set[str]]:
        """The orders that each request was split into, its own name where it was
        not.
        """
        refs = [*order_refs]
        parts_of_each = self.of(refs)
        return {ref: {*parts_of_each.get(ref, {}).values()} or {ref} for ref in refs}

    def begun(self, order_refs: Iterable[str]) -> set[str]:
        """Those of these orders of which something may have happened."""
        refs = [*order_refs]
        return {
            ref
            for which in (BEGUN, _ORDERED)
            for ref in self._ledger.column(which, refs=refs)
        }

    @repeating
    def keep(self, wanted: Mapping[str, Mapping[str, str]]) -> Parts:
        """Store the orders of requests that have none yet; answers those that stand: a
        run that was faster wins.
        """
        rows = [
            {"part_of": ref, "own_sku": own_sku, "order_ref": order_ref}
            for ref in sorted(wanted)
            for own_sku, order_ref in sorted(wanted[ref].items())
        ]
        with self._ledger.transaction() as connection:
            if rows:
                connection.execute(
                    self._ledger.insert(parts).on_conflict_do_nothing(), rows
                )
        return self.of(wanted)

    @repeating
    def note_over(self, order_refs: Iterable[str], file: str) -> None:
        """Store that a file showed these unknown orders as over in their shop."""
        rows = [{"order_ref": ref, "file": file} for ref in sorted(order_refs)]
        with self._ledger.transaction() as connection:
            if rows:
                connection.execute(
                    self._ledger.insert(over_in_shop).on_conflict_do_nothing(), rows
                )

    def over(self, order_refs: Iterable[str]) -> dict[str, str]:
        """Those of these orders that a shop showed as over, each with the file."""
        wholes = {ref: ref for ref in order_refs}
        wholes |= self.wholes(wholes)
        files = self._ledger.pairs(_OVER, refs=[*wholes.values()])
        return {ref: files[whole] for ref, whole in wholes.items() if whole in files}


class MatchRows(LedgerRows):
    """The rows of the table `matches`: which product the words of a request mean."""

    def of(self, order_refs: Iterable[str]) -> dict[tuple[str, str], Match]:
        """The stored matches of these orders, by reference and words."""
        rows = self._ledger.rows(
            select(matches).where(one_of(matches.c.order_ref, "refs")),
            refs=[*order_refs],
        )
        return {
            (row["order_ref"], row["words"]): from_json(Match, row["match"])
            for row in rows
        }

    @repeating
    def keep(self, found: Mapping[tuple[str, str], Match]) -> None:
        """Store matches, each in place of an earlier one of its reference and words."""
        rows = [
            {
                "order_ref": ref,
                "words": words,
                "match": to_json(match),
                "decided_at": self._ledger.clock(),
            }
            for (ref, words), match in found.items()
        ]
        with self._ledger.transaction() as connection:
            if rows:
                connection.execute(
                    self._ledger.upsert(matches, ("match", "decided_at")), rows
                )
