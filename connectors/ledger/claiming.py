"""Claiming an effect: whether it is still meant, which row it gets, and who of several processes wins it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from sqlalchemy import BindParameter, Connection, Executable, bindparam, select

from connectors.ledger.records import EffectRecord, Intent
from connectors.ledger.schema import effects, orders
from domain.effects import OPEN, SPENDING, TAKING_BACK, EffectStatus, effect_key

_REFS: BindParameter[Any] = bindparam("refs", expanding=True)
_OPPOSED = {**dict.fromkeys(SPENDING, TAKING_BACK), **dict.fromkeys(TAKING_BACK, SPENDING)}
_OPPOSING = select(effects.c.order_ref).where(
    effects.c.order_ref.in_(_REFS),
    effects.c.status.in_(OPEN),
    effects.c.action.in_(bindparam("actions", expanding=True)),
)
STANDING = (
    select(orders.c.order_ref, orders.c.batch_id, orders.c.state, orders.c.plan_hash)
    .where(orders.c.order_ref.in_(_REFS))
    .order_by(orders.c.order_ref)
    .with_for_update()
)
"""How orders (`refs`) stand; locks them until the commit, always in one order, so that two runs never deadlock."""


def still_valid(connection: Connection, intents: Sequence[Intent], batch_id: str) -> Sequence[Intent]:
    """The intents whose order is still as it was seen: its plan, its state, and nobody about to do the opposite.

    With a `batch_id` it must be of that batch too, whose budget it counts for: a later file may have planned it anew.

    Locks the orders until the claim is committed, so that what is found here holds.
    """
    if not intents:
        return []
    refs = [intent.order_ref for intent in intents]
    now = {row.order_ref: row for row in connection.execute(STANDING, {"refs": refs})}
    against = {"refs": refs, "actions": [*_OPPOSED.get(intents[0].action, ())]}
    opposed = set(connection.scalars(_OPPOSING, against)) if against["actions"] else set()
    return [
        intent
        for intent in intents
        if intent.order_ref not in opposed
        and (not intent.plan_hash or now[intent.order_ref].plan_hash == intent.plan_hash)
        and (not batch_id or now[intent.order_ref].batch_id == batch_id)
        and (intent.seen_in is None or now[intent.order_ref].state == intent.seen_in)
    ]


def slot_of(intent: Intent) -> str:
    """What an intent asks for, whichever attempt it is."""
    return effect_key(intent.order_ref, intent.action, part=intent.part)


def latest_attempts(connection: Connection, intents: Sequence[Intent]) -> dict[str, EffectRecord]:
    """The newest effect of each slot of these orders and this action."""
    refs = [intent.order_ref for intent in intents]
    statement = (
        select(effects)
        .where(effects.c.order_ref.in_(refs), effects.c.action == intents[0].action)
        .order_by(effects.c.attempt)
    )
    return {record.slot: record for record in effect_records(connection, statement)}


def intent_row(
    intent: Intent, latest: EffectRecord | None, *, owner: str, now: datetime, lease: timedelta
) -> dict[str, Any]:
    """The row of an intent: a new attempt after a refused one, else the same key once more."""
    attempt = 1 if latest is None else latest.attempt + (latest.status is EffectStatus.REFUSED)
    return {
        "key": effect_key(intent.order_ref, intent.action, part=intent.part, attempt=attempt),
        "order_ref": intent.order_ref,
        "action": intent.action,
        "attempt": attempt,
        "status": EffectStatus.SENDING,
        "amount_minor": intent.amount.minor if intent.amount else None,
        "currency": intent.amount.currency if intent.amount else None,
        "request_hash": intent.request_hash,
        "fence": 1,
        "owner": owner,
        "lease_until": now + lease,
        "sender": owner,
        "intent_at": now,
        "leaves_by": now + lease,
        "reason": "",
    }


@cache
def claiming(insert_into: Callable[..., Any]) -> Executable:
    """The one statement that decides between processes: a new row is ours, and one that provably never left."""
    insert = insert_into(effects)
    kept = {"key", "order_ref", "action", "attempt", "fence", "settled_at", "answer"}
    statement: Executable = insert.on_conflict_do_update(
        index_elements=["key"],
        set_={
            "fence": effects.c.fence + 1,
            "settled_at": None,
            **{column.name: insert.excluded[column.name] for column in effects.c if column.name not in kept},
        },
        where=effects.c.status == EffectStatus.UNSENT,
    ).returning(effects)
    return statement


def effect_records(
    connection: Connection,
    statement: Executable,
    given: Mapping[str, Any] | Sequence[Mapping[str, Any]] | None = None,
) -> list[EffectRecord]:
    """The effects that a statement answers."""
    return [EffectRecord.of(dict(row)) for row in connection.execute(statement, given).mappings()]
