"""Outcomes of effects and moves of orders, within one transaction: which outcome counts, and what its order becomes."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, select, update

from connectors.ledger.id_conflicts import IdOwners
from connectors.ledger.many import one_of
from connectors.ledger.order_mover import OrderMover
from connectors.ledger.records import REASON, OrderChange, Outcome
from connectors.ledger.schema import STATUS_OF_THESE, effects
from connectors.ledger.transactions import Transactions
from domain.effects import OPEN
from domain.reasons import stored
from domain.witnessed import RefusedForGood

_OPEN = (
    select(effects.c.key, effects.c.fence)
    .where(one_of(effects.c.key, "keys"), STATUS_OF_THESE.in_(OPEN))
    .order_by(effects.c.key)
    .with_for_update()
)
_SETTLE = (
    update(effects)
    .where(effects.c.key == bindparam("at_key"))
    .values(
        doubtful_sends=effects.c.doubtful_sends - bindparam("came_to_nothing"),
        **{name: bindparam(name) for name in ("status", *REASON, "answer", "settled_at", "lease_until")},
    )
)


def write_all(
    ledger: Transactions, connection: Connection, outcomes: Sequence[Outcome], changes: Sequence[OrderChange]
) -> list[bool]:
    """Write outcomes with what they do to their orders, then changes; returns for each outcome whether it counts."""
    names = IdOwners(connection, [*(outcome.change for outcome in outcomes), *changes])
    refs = [*(outcome.claim.order_ref for outcome in outcomes), *(change.order_ref for change in changes)]
    mover = OrderMover(ledger, connection, refs)
    ordered = sorted(outcomes, key=lambda outcome: outcome.claim.key)  # of two with one id the first key gets it
    counts = _settle(connection, [names.outcome(outcome) for outcome in ordered], mover, ledger.clock())
    for change in sorted(changes, key=lambda change: change.order_ref):
        mover.change(names.change(change))
    mover.write()
    by_outcome = {id(outcome): count for outcome, count in zip(ordered, counts, strict=True)}
    return [by_outcome[id(outcome)] for outcome in outcomes]


def _settle(connection: Connection, outcomes: Sequence[Outcome], mover: OrderMover, now: datetime) -> list[bool]:
    # By the fence: a holder that was stopped past its lease must not overwrite what the next holder found out.
    keys = [outcome.claim.key for outcome in outcomes]
    fences = {key: fence for key, fence in connection.execute(_OPEN, {"keys": keys})} if keys else {}
    counts, settled = [], []
    for outcome in outcomes:
        claim = outcome.claim
        counts.append(fences.get(claim.key) == claim.fence)
        if not counts[-1]:
            continue
        if outcome.status not in OPEN:
            del fences[claim.key]
        settled.append(_row(outcome, now))
        if outcome.change:
            mover.change(outcome.change, is_fact=True)
    if settled:
        connection.execute(_SETTLE, settled)
    return counts


def _row(outcome: Outcome, now: datetime) -> dict[str, Any]:
    return {
        "at_key": outcome.claim.key,
        "came_to_nothing": int(outcome.came_to_nothing or isinstance(outcome.proof, RefusedForGood)),
        "status": outcome.status,
        **stored(outcome.why),
        "answer": outcome.answer,
        "settled_at": now,
        "lease_until": now,
    }
