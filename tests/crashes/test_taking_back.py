"""`kill -9` at every named point of cancelling an order and of asking its money back."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from connectors.crash_points import EFFECT_POINTS
from connectors.ledger.records import OrderRecord
from domain.effects import Action, EffectStatus
from tests.crashes.books import kept, ledger_of
from tests.crashes.light import Job, Speed, killed, run, states
from tests.history import violations
from tests.running import RunningSandbox, own_sandbox, single_line_orders, write_csv

MARKETPLACES = ("taobao", "1688")
CASES = [(point, marketplace) for point in EFFECT_POINTS for marketplace in MARKETPLACES]
IDS = [":".join(case) for case in CASES]
PLACE = {point: place for place, point in enumerate(EFFECT_POINTS)}
CLOSED = {"taobao": 4, "1688": "cancel"}
ALREADY = {"taobao": "this is asked for already", "1688": "a refund is under way already"}
OLD_ENOUGH_S = 30
"""1688 cancels no order of less than ten seconds."""

AT_ONCE, LATER = Speed(ahead_s=OLD_ENOUGH_S), Speed(ahead_s=1100)
IN_DOUBT = "before-first-byte"


@dataclass(frozen=True)
class Shop:
    """A sandbox with one order for each case, and the ledger that knows them."""

    sandbox: RunningSandbox
    job: Job

    def order(self, order_ref: str) -> OrderRecord:
        return kept(self.job)[0][order_ref]

    def effects(self, order_ref: str, action: Action) -> list[EffectStatus]:
        return [e.status for e in kept(self.job)[1] if e.order_ref == order_ref and e.action is action]

    def shown(self, order_ref: str) -> dict[str, Any]:
        [found] = [order for order in self.sandbox.books()["orders"] if order["reference"] == order_ref]
        return dict(found)

    def assert_exact(self) -> None:
        assert violations(self.sandbox.books(), *kept(self.job), at_rest=True) == []


def shop(folder: Path, *, wallet_fen: int, end: str) -> Iterator[Shop]:
    with own_sandbox() as sandbox:
        rows = single_line_orders(sandbox, dict.fromkeys(MARKETPLACES, len(EFFECT_POINTS)))
        sandbox.control("PUT", "wallet", {"balance_fen": wallet_fen})
        job = Job(url=sandbox.url, folder=folder, file=write_csv(folder / "requests.csv", rows))
        assert set(states(run(job)).values()) == {end}
        sandbox.advance(OLD_ENOUGH_S)
        yield Shop(sandbox, job)


@pytest.fixture(scope="module")
def unpaid(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    yield from shop(tmp_path_factory.mktemp("unpaid"), wallet_fen=0, end="held")


@pytest.fixture(scope="module")
def booked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    yield from shop(tmp_path_factory.mktemp("booked"), wallet_fen=100_000_000, end="booked")


@pytest.mark.parametrize(("point", "marketplace"), CASES, ids=IDS)
def test_an_order_is_cancelled_once(unpaid: Shop, point: str, marketplace: str) -> None:
    """Whatever died, the order ends closed on both sides, by one cancellation that the service took."""
    order_ref = f"{marketplace}-{PLACE[point]:03d}"
    job = replace(unpaid.job, does="cancel", order_ref=order_ref, clock=AT_ONCE)
    killed(job, f"{point}:cancel")
    unpaid.sandbox.advance(6)  # taobao closes an order five seconds after it took the cancellation
    if point == IN_DOUBT:
        [trouble] = run(job)["troubles"]
        assert trouble.startswith(f"{order_ref}: no answer to cancel: it may still arrive until ")
        assert unpaid.shown(order_ref)["status"] != CLOSED[marketplace]
        job = replace(job, clock=LATER)
    run(job)
    unpaid.sandbox.advance(6)
    assert run(job)["troubles"] == []
    assert unpaid.order(order_ref).state == "cancelled"
    assert unpaid.shown(order_ref)["status"] == CLOSED[marketplace]
    assert unpaid.effects(order_ref, Action.CANCEL) == [EffectStatus.DONE]
    unpaid.assert_exact()


@pytest.mark.parametrize(("point", "marketplace"), CASES, ids=IDS)
def test_money_is_asked_back_once(booked: Shop, point: str, marketplace: str) -> None:
    """The service holds one refund of the order, and the ledger knows it by its id."""
    order_ref = f"{marketplace}-{PLACE[point]:03d}"
    job = replace(booked.job, does="refund", order_ref=order_ref, clock=AT_ONCE)
    killed(job, f"{point}:refund")
    first = run(job)["troubles"]
    if point == IN_DOUBT:
        assert first[0].endswith("is not known to have reached the service; run again")
        assert booked.effects(order_ref, Action.REFUND) == [EffectStatus.UNKNOWN]
        first = run(replace(job, clock=LATER))["troubles"]
    asked_already = point in ("after-send", "after-answer", "after-record")
    assert [trouble.split(":")[0] for trouble in first] == ([ALREADY[marketplace]] if asked_already else [])
    order_id = booked.order(order_ref).order_id
    [refund] = [one for one in booked.sandbox.books()["refunds"] if one["order_id"] == order_id]
    assert booked.order(order_ref).state == "refunding"
    assert booked.effects(order_ref, Action.REFUND) == [EffectStatus.DONE]
    with ledger_of(booked.job) as ledger:
        assert [one.refund_id for one in ledger.refunds.of_orders([order_ref])] == [refund["refund_id"]]
    booked.assert_exact()
