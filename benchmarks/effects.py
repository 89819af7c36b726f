"""The effect protocol as `tasks.effects.protocol` does it, against a commit for each
intent and each outcome.

The service answers at once here, so what is left is the price of safety: the ledger on
disk, every commit synced.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, cast

from benchmarks.measuring import Comparison, compare
from connectors.concurrently import concurrently
from connectors.ledger.group_commit import GroupCommit
from connectors.ledger.order_update import OrderUpdate
from connectors.ledger.plans import put_rows
from connectors.ledger.records import Intent, OrderChange, OrderRecord, Outcome
from connectors.ledger.send_log import SendLog
from connectors.ledger.store import Ledger
from connectors.settings import SourcingSettings
from domain.effects import Action, Claim, EffectStatus
from domain.money import Money
from domain.states import OrderState
from tasks.effects.create_by_reference import CreateByReference
from tasks.effects.kind import Proof
from tasks.effects.protocol import perform
from tasks.engine.resources import Resources

ORDERS = 200
REPETITIONS = 7
PRICE = Money(1_000)
PLAN: dict[str, Any] = {
    "batch_id": "benchmark",
    "marketplace": "taobao",
    "state": OrderState.PLANNED,
    "fingerprint": "f" * 64,
    "request": {},
    "lines": [],
    "offers": [],
    "seller_id": "",
    "approved_minor": PRICE.minor,
    "currency": PRICE.currency,
}


def run() -> list[Comparison]:
    with TemporaryDirectory() as folder, resources_in(Path(folder)) as resources:
        chunks = iter(
            [planned(resources, number) for number in range(2 * (REPETITIONS + 1))]
        )
        return [
            compare(
                lambda: asyncio.run(in_a_chunk(resources, next(chunks))),
                lambda: asyncio.run(one_by_one(resources, next(chunks))),
                work=f"effects claimed, sent and recorded: intents in one commit for {ORDERS}, outcomes in groups",
                rival="a commit for each intent and outcome",
                amount=ORDERS,
                things="orders",
                repetitions=REPETITIONS,
            )
        ]


@contextmanager
def resources_in(folder: Path) -> Iterator[Resources]:
    """A run with a ledger and a send log, and no service."""

    def now() -> datetime:
        return datetime.now(UTC)

    with (
        SendLog(folder / "sends") as log,
        Ledger(f"sqlite:///{folder / 'l.db'}", clock=now, owner=log.owner) as ledger,
    ):
        ledger.start_batch("benchmark", "")
        resources = Resources(
            settings=SourcingSettings(data_dir=folder),
            client=cast(Any, None),
            ledger=ledger,
            group_commit=GroupCommit(ledger),
            send_logs=folder / "sends",
            clock=now,
            offerings={},
            concurrency=16,
        )
        yield resources


def planned(resources: Resources, number: int) -> dict[str, OrderRecord]:
    """A chunk of new orders, in the ledger."""
    refs = [f"B-{number}-{index}" for index in range(ORDERS)]
    put_rows(resources.ledger, [{**PLAN, "order_ref": ref} for ref in refs])
    return resources.ledger.orders(refs)


async def in_a_chunk(resources: Resources, orders: Mapping[str, OrderRecord]) -> None:
    await perform(
        CreateAtOnce(resources), [intent_of(order) for order in orders.values()], orders
    )
    check(resources, orders)


async def one_by_one(resources: Resources, orders: Mapping[str, OrderRecord]) -> None:
    ledger = resources.ledger

    async def one(order: OrderRecord) -> None:
        claimed = await asyncio.to_thread(
            ledger.claim, [intent_of(order)], lease=resources.lease
        )
        claim = claimed.won[order.order_ref].claim
        proof = send(claim, order)
        outcome = Outcome(
            claim=claim,
            status=EffectStatus.DONE,
            answer=proof.answer,
            change=proof.change,
        )
        await asyncio.to_thread(ledger.record, [outcome])

    await concurrently(orders.values(), one, at_once=resources.concurrency)
    check(resources, orders)


def intent_of(order: OrderRecord) -> Intent:
    return Intent(
        order_ref=order.order_ref,
        action=Action.CREATE,
        amount=PRICE,
        request_hash=order.fingerprint,
    )


@dataclass(frozen=True)
class CreateAtOnce(CreateByReference):
    """Creating at a service that answers at once."""

    async def send(self, claim: Claim, order: OrderRecord) -> Proof:
        return send(claim, order)


def send(claim: Claim, order: OrderRecord) -> Proof:
    fact = OrderUpdate.ordered(order_id=claim.key, total=PRICE, at=claim.lease_until)
    return Proof(
        answer={},
        change=OrderChange(
            order_ref=order.order_ref, state=OrderState.ORDERED, writes=fact
        ),
    )


def check(resources: Resources, orders: Mapping[str, OrderRecord]) -> None:
    assert {order.state for order in resources.ledger.orders(orders).values()} == {
        OrderState.ORDERED
    }
