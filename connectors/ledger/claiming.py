"""Claiming an effect: whether it is still valid, which row it gets, and which of
several processes wins it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from sqlalchemy import Connection, Executable, and_, null, select, text

from connectors.ledger.engine import one_of
from connectors.ledger.first_orders import behind_first
from connectors.ledger.order_mover import LOCKED_ORDERS, OrderMover
from connectors.ledger.records import (
    Claimed,
    EffectRecord,
    Intent,
    OrderChange,
    SpendLimits,
)
from connectors.ledger.schema import effects
from connectors.ledger.spending import count_spending, without_room
from connectors.ledger.transactions import Transactions
from domain.decisions import Verdict, held
from domain.effects import (
    MOST_DOUBTFUL_SENDS,
    OPEN,
    SPENDING,
    TAKING_BACK,
    Action,
    EffectStatus,
    effect_key,
)
from domain.marketplace import Marketplace
from domain.money import Money
from domain.reasons import stored
from domain.witnessed import marketplace_held

_OPPOSED = {
    **dict.fromkeys(SPENDING, TAKING_BACK),
    **dict.fromkeys(TAKING_BACK, SPENDING),
}
_BEGUN = (
    select(effects)
    .where(one_of(effects.c.order_ref, "refs"))
    .order_by(effects.c.attempt)
)


def claim_each(
    ledger: Transactions,
    connection: Connection,
    intents: Sequence[Intent],
    *,
    now: datetime,
    lease: timedelta,
    limits: SpendLimits | None,
    off: Mapping[str, str],
) -> Claimed:
    """Claim the intents that are still valid, at marketplaces that are not turned
    `off`, and within the limits.

    Where a first payment is not confirmed yet, no second order is claimed.
    """
    if not intents:
        return Claimed()
    refs = {"refs": [intent.order_ref for intent in intents]}
    # Orders first: this locks them until the claim is committed, so what is read below
    # stays true.
    now_standing = {
        row.order_ref: row for row in connection.execute(LOCKED_ORDERS, refs)
    }
    effects = effect_records(connection, _BEGUN, refs)
    intents = still_valid(
        intents, now_standing, effects, limits.batch_id if limits else ""
    )
    intents = _where_open(ledger, connection, intents, off, now_standing)
    if limits is not None and intents:
        over = without_room(connection, intents, limits, now=now, standing=now_standing)
        intents = _without(ledger, connection, intents, over)
    if intents:
        intents = _without(
            ledger,
            connection,
            intents,
            behind_first(ledger, connection, intents, now_standing, effects),
        )
    if not intents:
        return Claimed()
    latest = _latest(effects, intents[0].action)
    asked = {
        intent.slot: intent for intent in intents
    }  # PostgreSQL refuses a statement that meets a row twice
    rows = [
        intent_row(intent, last, owner=ledger.owner, moment=now, lease=lease)
        for slot, intent in asked.items()
        if not _is_over((last := latest.get(slot)), ledger.owner)
    ]
    rows.sort(
        key=lambda row: str(row["key"])
    )  # two runs that lock rows in one order never deadlock
    won = effect_records(connection, _claiming(ledger.insert), rows) if rows else []
    count_spending(connection, [record.order_ref for record in won])
    return claimed_of(connection, won, intents)


def _is_over(latest: EffectRecord | None, owner: str) -> bool:
    """Whether this run may not try again: the service refused it, or the outcome of two
    sends is not known.
    """
    if latest is None:
        return False
    was_refused = latest.status is EffectStatus.REFUSED and latest.owner == owner
    return was_refused or latest.doubtful_sends >= MOST_DOUBTFUL_SENDS


def claimed_of(
    connection: Connection, won: Sequence[EffectRecord], intents: Sequence[Intent]
) -> Claimed:
    """The result of a claim that has `won` these effects."""
    lost = {intent.slot for intent in intents} - {record.slot for record in won}
    latest = latest_attempts(connection, intents) if lost else {}
    effects = [latest[slot] for slot in lost if slot in latest]
    return Claimed(
        won={e.order_ref: e for e in won},
        open={e.order_ref: e for e in effects if e.status in OPEN},
    )


def won_unheard(
    ledger: Transactions,
    connection: Connection,
    intents: Sequence[Intent],
    moment: datetime,
) -> list[EffectRecord]:
    """What an earlier try of this very claim has won: its commit succeeded, but the
    confirmation was lost.
    """
    statement = select(effects).where(
        effects.c.order_ref.in_([intent.order_ref for intent in intents]),
        effects.c.action.in_({intent.action for intent in intents}),
        effects.c.status == EffectStatus.SENDING,
        effects.c.owner == ledger.owner,
        effects.c.intent_at == moment,
    )
    slots = {intent.slot for intent in intents}
    return [
        record
        for record in effect_records(connection, statement)
        if record.slot in slots
    ]


def _where_open(
    ledger: Transactions,
    connection: Connection,
    intents: Sequence[Intent],
    off: Mapping[str, str],
    standing: Mapping[str, Any],
) -> Sequence[Intent]:
    """The intents at marketplaces that are not held. Orders of the others are held if
    they would be created or paid.
    """
    if not off or not intents or intents[0].action not in (Action.CREATE, Action.PAY):
        return intents
    at = {
        intent.order_ref: standing[intent.order_ref].marketplace for intent in intents
    }
    waiting = {
        ref: held(marketplace_held(Marketplace(value), off[value]))
        for ref, value in at.items()
        if value in off
    }
    return _without(ledger, connection, intents, waiting)


def _without(
    ledger: Transactions,
    connection: Connection,
    intents: Sequence[Intent],
    over: Mapping[str, Verdict],
) -> Sequence[Intent]:
    """The intents but for those of the orders in `over`, which are held."""
    if over:
        mover = OrderMover(ledger, connection, over)
        for order_ref, verdict in over.items():
            unpaid = verdict.why and verdict.why.but(
                unpaid=intents[0].action is Action.PAY
            )
            mover.change(
                OrderChange(order_ref=order_ref, state=verdict.state, why=unpaid)
            )
        mover.write()
    return [intent for intent in intents if intent.order_ref not in over]


def still_valid(
    intents: Sequence[Intent],
    now: Mapping[str, Any],
    effects: Sequence[EffectRecord],
    batch_id: str,
) -> Sequence[Intent]:
    """The intents whose order has the plan and state that were seen, and no open effect
    that does the opposite.

    It is paid, and booked, only while its approval stands, and for no more than was
    approved.

    With a `batch_id` the order must be of that batch too, whose budget it counts for: a
    later file may have planned it anew. `now` has the orders' rows, `begun` all their
    effects.
    """
    action = intents[0].action
    opposite = _OPPOSED.get(action, ())
    opposed = {
        effect.order_ref
        for effect in effects
        if effect.action in opposite and effect.may_have_happened
    }
    return [
        intent
        for intent in intents
        if intent.order_ref not in opposed
        and (
            not intent.plan_hash or now[intent.order_ref].plan_hash == intent.plan_hash
        )
        and (not batch_id or now[intent.order_ref].batch_id == batch_id)
        and (intent.seen_in is None or now[intent.order_ref].state == intent.seen_in)
        and (
            action not in (Action.PAY, Action.BOOK)
            or _is_approved(intent.amount, action, now[intent.order_ref])
        )
    ]


def _is_approved(amount: Money | None, action: Action, order: Any) -> bool:
    payable = order.payable
    currency = order.currency
    if action is Action.BOOK:
        payable = order.freight_approved_minor or 0
        currency = order.freight_currency
    is_within = (
        amount is not None and amount.currency == currency and amount.minor <= payable
    )
    return is_within and order.plan_hash is not None


def latest_attempts(
    connection: Connection, intents: Sequence[Intent]
) -> dict[str, EffectRecord]:
    """The newest effect of each slot of these orders and this action."""
    refs = {"refs": [intent.order_ref for intent in intents]}
    return _latest(effect_records(connection, _BEGUN, refs), intents[0].action)


def _latest(effects: Iterable[EffectRecord], action: Action) -> dict[str, EffectRecord]:
    """The newest of each slot, of effects in the order of their attempts."""
    return {record.slot: record for record in effects if record.action is action}


def intent_row(
    intent: Intent,
    latest: EffectRecord | None,
    *,
    owner: str,
    moment: datetime,
    lease: timedelta,
) -> dict[str, Any]:
    """The row of an intent: a new attempt after a refused one, else the key of the
    latest attempt again.
    """
    attempt = (
        1
        if latest is None
        else latest.attempt + (latest.status is EffectStatus.REFUSED)
    )
    return {
        "key": effect_key(
            intent.order_ref, intent.action, part=intent.part, attempt=attempt
        ),
        "order_ref": intent.order_ref,
        "action": intent.action,
        "attempt": attempt,
        "status": EffectStatus.SENDING,
        "amount_minor": intent.amount.minor if intent.amount else None,
        "currency": intent.amount.currency if intent.amount else None,
        "request_hash": intent.request_hash,
        "fence": 1,
        "owner": owner,
        "lease_until": moment + lease,
        "sender": owner,
        "intent_at": moment,
        "leaves_by": moment + lease,
        **stored(None),
        "doubtful_sends": 1 + (latest.doubtful_sends if latest else 0),
    }


@cache
def _claiming(insert_into: Callable[..., Any]) -> Executable:
    """The one statement that decides between processes: a new row is ours, and one that
    provably never left.
    """
    # Any row but an unsent one may stand for a request that left; another claim of it
    # would buy twice.
    insert = insert_into(effects)
    kept_keys = {
        "key",
        "order_ref",
        "action",
        "attempt",
        "fence",
        "settled_at",
        "answer",
        "doubtful_sends",
    }
    statement: Executable = insert.on_conflict_do_update(
        index_elements=["key"],
        set_={
            "fence": effects.c.fence
            + text(
                "1"
            ),  # no parameters here, or each row would be a statement of its own
            "settled_at": null(),
            "doubtful_sends": effects.c.doubtful_sends + text("1"),
            **{
                column.name: insert.excluded[column.name]
                for column in effects.c
                if column.name not in kept_keys
            },
        },
        where=and_(
            effects.c.status == text(f"'{EffectStatus.UNSENT}'"),
            effects.c.doubtful_sends < text(f"{MOST_DOUBTFUL_SENDS}"),
        ),
    ).returning(effects)
    return statement


def effect_records(
    connection: Connection,
    statement: Executable,
    given: Mapping[str, Any] | Sequence[Mapping[str, Any]] | None = None,
) -> list[EffectRecord]:
    """The effects that a statement returns."""
    rows = connection.execute(statement, given)
    names = rows.keys()
    return [EffectRecord.of(dict(zip(names, row, strict=True))) for row in rows]
