"""The batch that endurance runs buy, and the judgement of what they left."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from connectors.ledger.records import EffectRecord, OrderRecord
from domain.absence import CLOCKS_APART
from domain.effects import Action, EffectStatus
from domain.states import OrderState
from tasks.effects.kinds import kind_of
from tests.crashes.books import broken_promises, kept
from tests.crashes.light import Job, run
from tests.running import RunningSandbox, single_line_orders, write_csv

MARKETPLACES = ("taobao", "1688", "big_major", "international", "poizon")
WALLET_FEN = 10**9
MOST_RUNS = 6


@dataclass(frozen=True, kw_only=True)
class End:
    """How a batch stands at rest."""

    states: Mapping[str, int]
    asked: int
    violations: list[str]

    @property
    def is_right(self) -> bool:
        return not self.violations

    @property
    def words(self) -> str:
        return " ".join(f"{count} {state}" for state, count in self.states.items())


def new_batch(sandbox: RunningSandbox, folder: Path, orders: int) -> Path:
    """Empty books, a full wallet, and a request file of that many orders over all
    marketplaces.
    """
    sandbox.reset()
    sandbox.control("PUT", "wallet", {"balance_fen": WALLET_FEN})
    counts = {
        name: orders // 5 + (index < orders % 5)
        for index, name in enumerate(MARKETPLACES)
    }
    rows = single_line_orders(sandbox, counts)
    assert len(rows) == orders
    folder.mkdir(parents=True, exist_ok=True)
    # the marketplaces in turn, so that each chunk has all of them
    return write_csv(
        folder / "requests.csv",
        sorted(rows, key=lambda row: str(row["order_ref"])[-3:]),
    )


def run_until_quiet(job: Job, *, past_settle_time_s: float) -> int:
    """Run alone, the last time past the settle time, until a run changes nothing;
    answers the number of runs.
    """
    later = replace(job, clock=replace(job.clock, ahead_s=past_settle_time_s))
    before: object = None
    for number in range(1, MOST_RUNS + 1):
        run(later)
        instant = (
            [(e.key, e.status) for e in kept(job)[1]],
            {ref: o.state for ref, o in kept(job)[0].items()},
        )
        if instant == before:
            return number
        before = instant
    return MOST_RUNS


def judged(sandbox: RunningSandbox, job: Job) -> End:
    """Every broken promise, and every order that is neither booked nor waits for the
    one question there may be.
    """
    orders, effects = kept(job)
    broken = broken_promises(sandbox, job)
    first = min(
        (order.ordered_at for order in orders.values() if order.ordered_at),
        default=None,
    )
    unknown = [effect for effect in effects if effect.status is EffectStatus.UNKNOWN]
    calls = [
        effect.order_ref
        for effect in unknown
        if _is_asked(orders[effect.order_ref], effect, first)
    ]
    ended = set(calls) | {
        ref for ref, order in orders.items() if order.state is OrderState.BOOKED
    }
    broken += [
        f"{ref} ends {orders[ref].state}: {orders[ref].reason}"
        for ref in orders.keys() - ended
    ]
    states: Counter[Any] = Counter(str(order.state) for order in orders.values())
    return End(states=dict(sorted(states.items())), asked=len(calls), violations=broken)


def _is_asked(order: OrderRecord, effect: EffectRecord, first: datetime | None) -> bool:
    """Whether only a person can tell, and is asked.

    Nothing proves of such a kind that it did not happen, or no order of ours is old
    enough to prove it of a create.
    """
    kind = kind_of(effect)
    is_early = (
        effect.action is Action.CREATE
        and first is not None
        and effect.intent_at < first + CLOCKS_APART
    )
    ends_with_question = order.reason.endswith(f"--{kind.did_not_happen}")
    return (
        (is_early or not kind.absence_proves)
        and order.state is OrderState.UNKNOWN
        and ends_with_question
    )
