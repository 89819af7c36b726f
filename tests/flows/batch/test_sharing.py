"""Who may work on a shared batch, and what its run does itself."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from prefect.client.schemas.objects import State

from connectors.ledger.chunks import Chunk, Planned, SharedBatch, Work
from connectors.ledger.engine import LedgerUnusable
from connectors.ledger.records import SpendLimits
from connectors.ledger.store import Ledger
from connectors.process_locks import program
from connectors.settings import SourcingSettings
from domain.decisions import held
from domain.money import Money
from domain.plan import PlannedOrder
from domain.reasons import earlier
from domain.request_remarks import BadInput
from flows.batch import helping, sharing
from flows.batch.helping import ChunkWorker
from flows.batch.plan_sources import FromRequests, summary_of
from flows.batch.planning import Take
from flows.batch.run import BatchRun
from flows.batch.sharing import Coordinator, helpers_for, shared
from flows.batch.sorting import SortedOrders
from flows.helper import Helped, account_for, help_batch
from tasks.engine.progress import SILENT, progress
from tasks.engine.resources import Resources, utc_now
from tests.connectors.ledger.test_chunks import shared_by
from tests.flows.plans import planned

ACCOUNT = "user 2100007300001 at the sandbox"
LIMITS = SpendLimits(batch_id="batch", batch=Money(100_00), day=None)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (helping, sharing):
        monkeypatch.setattr(module, "POLL_EVERY_S", 0.01)
    monkeypatch.setattr(helping, "TAKE_EVERY_S", 0.01)


@pytest.fixture
def ledger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Ledger]:
    """The one that a helper finds."""
    monkeypatch.setenv("SOURCING_DATA_DIR", str(tmp_path))
    with Ledger(SourcingSettings().ledger_url, clock=utc_now, owner="first") as ledger:
        ledger.start_batch("batch", "file.csv")
        yield ledger


def share(ledger: Ledger, **other: Any) -> SharedBatch:
    """A batch to buy one order of, shared by a run of this program and account."""
    made = replace(
        shared_by(ledger), version=program(), account=ACCOUNT, done_by=None, **other
    )
    ledger.chunks.share(made)
    ledger.chunks.put(made, 1, Work.BUY, [[("A-1", "hash")]])
    return made


def helped(batch: str = "batch") -> Any:
    return asyncio.run(help_batch.fn(batch))


def refusal(batch: str = "batch") -> str:
    """The sentence with which a helper ends."""
    ended = helped(batch)
    assert isinstance(ended, State)
    assert ended.is_failed()
    return str(ended.message)


def test_a_helper_of_another_version_does_nothing(ledger: Ledger) -> None:
    made = share(ledger)
    ledger.chunks.share(replace(made, version="0.0.1-abc"))
    assert refusal() == (
        f"this helper is another version of the program ({program()}) than the run that shares the batch (0.0.1-abc): "
        "bring both to the same version, and start its worker again. It has done nothing"
    )
    assert ledger.chunks.at_work(made) == set()


def test_a_helper_without_the_account_says_which_settings_are_missing(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    share(ledger)
    monkeypatch.setenv("XPORTCN_BASE_URL", "https://service.example/api")
    assert refusal() == (
        "XPORTCN_ACCESS_KEY, XPORTCN_ACCESS_SECRET, XPORTCN_USER_ID not set: put them in the environment or in a .env "
        "file"
    )


def test_a_helper_with_another_account_does_nothing(ledger: Ledger) -> None:
    made = share(ledger)
    ledger.chunks.share(replace(made, account="user 7 at service.example"))
    assert refusal() == (
        f"this helper has the account {ACCOUNT}, and the batch is bought by user 7 at service.example: give its "
        "machine the same XPORTCN_ settings as the run that shares it. It has done nothing"
    )


def test_a_helper_with_another_ledger_is_told_what_to_set(ledger: Ledger) -> None:
    assert refusal("unknown") == (
        "this helper's ledger does not know the batch unknown: give it the SOURCING_LEDGER_URL of the run that shares "
        "the batch, and start its worker again"
    )


def test_a_helper_that_comes_too_late_ends_well(ledger: Ledger) -> None:
    ledger.chunks.close(share(ledger))
    assert helped() == Helped(
        batch_id="batch",
        planned=0,
        bought=0,
        why_ended="the batch is done, or was stopped",
    )


def test_a_helper_of_a_run_that_is_long_gone_buys_nothing(ledger: Ledger) -> None:
    """What was approved was for that run; the next one looks for it at the service
    first.
    """
    gone_at = utc_now() - timedelta(minutes=6)
    ledger.clock = lambda: gone_at
    made = share(ledger)
    assert helped() == Helped(
        batch_id="batch",
        planned=0,
        bought=0,
        why_ended=f"the batch has had no run since {gone_at:%H:%M:%S} UTC",
    )
    assert ledger.chunks.at_work(made) == set()


def resources_of(ledger: Ledger, tmp_path: Path, **settings: Any) -> Resources:
    made = SimpleNamespace(
        ledger=ledger,
        clock=ledger.clock,
        send_logs=tmp_path / "sends",
        lease=timedelta(seconds=60),
        breaker=SimpleNamespace(is_over=False, blocked_by=""),
        concurrency=4,
        done_by=None,
        heed=lambda pause: pause,
        settings=SourcingSettings().model_copy(
            update={"helpers": 2, "help_above": 10, **settings}
        ),
    )
    return cast(Resources, made)


def sharing_of(resources: Resources) -> Any:
    return shared(resources, LIMITS, helpers=2, chunk_size=10, asks=True)


def test_a_helper_pays_and_settles_as_the_run_that_shares(
    ledger: Ledger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever its own machine says, which may say nothing."""
    limit = {"day_limit_cny": "1234.05", "timezone": "Asia/Shanghai"}
    theirs = resources_of(
        ledger,
        tmp_path,
        settle_s=7,
        lease_s=33,
        look_back_days=9,
        patience_s_setting=5,
        **limit,
    )
    monkeypatch.setenv("XPORTCN_PAY_IS", "submission")
    monkeypatch.setenv("XPORTCN_ASK_FIRST", "true")

    async def as_shared() -> SharedBatch | None:
        async with sharing_of(theirs):
            return ledger.chunks.of_batch("batch")

    made = asyncio.run(as_shared())
    assert made is not None
    monkeypatch.setenv("SOURCING_SETTLE_S", "1")
    monkeypatch.setenv("SOURCING_DAY_LIMIT_CNY", "5000000")
    monkeypatch.setenv("XPORTCN_PAY_IS", "debit")
    monkeypatch.setenv("XPORTCN_ASK_FIRST", "false")
    mine = SourcingSettings().model_copy(update=dict(made.settings))
    assert (mine.day_limit, mine.timezone, mine.patience_s) == (
        Money(1_234_05),
        "Asia/Shanghai",
        5,
    )
    assert (mine.settle_s, mine.lease_s, mine.look_back_days) == (7, 33, 9)
    account = account_for(made)
    assert (account.pay_is, account.asks_first) == ("submission", True)
    assert (made.limits, made.asks, made.concurrency) == (LIMITS, True, 4)


def test_helpers_need_postgresql(
    ledger: Ledger, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Who asks for them is told; a setting that can't be followed stops no batch."""
    resources = resources_of(ledger, tmp_path)
    with pytest.raises(
        BadInput,
        match=r"^helpers need a ledger on PostgreSQL: move it there \(sourcing ledger copy",
    ):
        helpers_for(resources, 5, wanted=1)
    assert helpers_for(resources, 11) == 0
    assert "this run does everything itself" in caplog.text
    assert helpers_for(resources, 10) == 0


def test_who_is_cancelled_closes_the_batch(ledger: Ledger, tmp_path: Path) -> None:
    """Helpers end by that."""

    async def cancelled() -> None:
        async with sharing_of(resources_of(ledger, tmp_path)):
            raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(cancelled())
    assert ledger.chunks.of_batch("batch") is None


def test_a_run_shows_that_it_is_alive_also_after_its_database_was_away(
    ledger: Ledger,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    answers: list[LedgerUnusable | bool] = [LedgerUnusable("it is away"), True, False]

    def touched(_: SharedBatch) -> bool:
        if isinstance(answer := answers.pop(0), LedgerUnusable):
            raise answer
        return answer

    monkeypatch.setattr(ledger.chunks, "touch", touched)
    monkeypatch.setattr(sharing, "TOUCH_EVERY_S", 0)
    coordinator = Coordinator(
        resources_of(ledger, tmp_path), share(ledger), helpers=2, chunk_size=10
    )
    asyncio.run(coordinator.touch())
    assert answers == []
    assert "Helpers of batch batch don't see this run: it is away" in caplog.text


APPROVED = {"A-1": "hash", "A-2": "hash"}


def bought_beside(
    ledger: Ledger, tmp_path: Path, beside: Callable[[Coordinator], object]
) -> tuple[list[str], list[list[str]], set[str]]:
    """What is left of three orders to the run, what was done in the meantime, and by
    whom.
    """
    emitted: list[list[str]] = []

    async def emit(refs: Sequence[str]) -> None:
        emitted.append(list(refs))

    async def bought() -> tuple[list[str], set[str]]:
        async with sharing_of(resources_of(ledger, tmp_path)) as coordinator:
            beside(coordinator)
            return await coordinator.bought(
                ["A-1", "A-2", "A-3"], APPROVED, emit
            ), ledger.chunks.helpers

    left, workers = asyncio.run(asyncio.wait_for(bought(), 10))
    return left, sorted(emitted), workers


async def _bought_at_once(
    worker: ChunkWorker, chunk: Chunk, _label: str, _through: object
) -> bool:
    assert (
        progress.get() is SILENT
    )  # the run shows the progress of its own part with that of the others
    assert worker._planning._listener is SILENT
    return worker._rows.finish(worker._shared, chunk.number)


def test_a_run_without_helpers_does_all_of_it(
    ledger: Ledger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It takes chunks as a helper does; events are emitted a chunk at a time, each
    once.
    """
    monkeypatch.setattr(ChunkWorker, "_buy", _bought_at_once)
    assert bought_beside(ledger, tmp_path, lambda _: None) == (
        [],
        [["A-1"], ["A-2"], ["A-3"]],
        {"first"},
    )


def test_a_run_works_while_its_helpers_are_being_started(
    ledger: Ledger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The Prefect server may take its time, and more than the work: then no helper is
    started any more.
    """

    async def slow(coordinator: Coordinator, _: int) -> None:
        while not any(one.is_done for one in ledger.chunks.states(coordinator._shared)):  # noqa: ASYNC110 - a database
            await asyncio.sleep(0.01)

    monkeypatch.setattr(ChunkWorker, "_buy", _bought_at_once)
    for starting in (slow, lambda *_: asyncio.sleep(60)):
        monkeypatch.setattr(Coordinator, "_start_helpers", starting)
        assert bought_beside(ledger, tmp_path, lambda _: None)[0] == []


def taken_first(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch, *, seen_ago_s: float
) -> None:
    """A helper takes the first chunk, and is not seen from then on."""
    put = ledger.chunks.put

    def put_and_taken(made: SharedBatch, *parts: Any) -> None:
        put(made, *parts)
        with Ledger(
            ledger.url,
            clock=lambda: utc_now() - timedelta(seconds=seen_ago_s),
            owner="second",
        ) as other:
            assert other.chunks.take(made)

    monkeypatch.setattr(ledger.chunks, "put", put_and_taken)
    monkeypatch.setattr(ChunkWorker, "_buy", _bought_at_once)


def test_what_a_dead_helper_had_taken_is_left_to_the_run(
    ledger: Ledger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once its claims are over: a lease and a quarter after it was seen last. What it
    paid counts as the run's.
    """
    taken_first(ledger, monkeypatch, seen_ago_s=76)
    assert bought_beside(ledger, tmp_path, lambda _: None) == (
        ["A-1"],
        [["A-2"], ["A-3"]],
        {"first", "second"},
    )


def test_a_helper_that_was_seen_is_waited_for(
    ledger: Ledger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken_first(ledger, monkeypatch, seen_ago_s=70)
    with pytest.raises(TimeoutError):
        asyncio.run(asyncio.wait_for(_bought(ledger, tmp_path), 1))


async def _bought(ledger: Ledger, tmp_path: Path) -> None:
    async with sharing_of(resources_of(ledger, tmp_path)) as coordinator:
        await coordinator.bought(["A-1", "A-2", "A-3"], APPROVED, _emitted)


async def _emitted(_refs: Sequence[str]) -> None: ...


def test_a_run_whose_batch_another_one_shares_goes_on_alone(
    ledger: Ledger, tmp_path: Path
) -> None:
    """Two runs of one batch at once: each order is bought by one of them, as its claims
    have it.
    """

    def take_over(_: Coordinator) -> None:
        with Ledger(ledger.url, clock=utc_now, owner="second") as other:
            shared_by(other)

    assert bought_beside(ledger, tmp_path, take_over) == (
        ["A-1", "A-2", "A-3"],
        [],
        set(),
    )
    found = ledger.chunks.of_batch("batch")
    assert found is not None
    assert found.owner == "second"


class Sorted(Exception):
    """The run sorts its orders."""


@pytest.mark.parametrize("helpers", [0, 2])
def test_a_run_sorts_its_orders_once_the_helpers_of_an_earlier_run_have_ended(
    ledger: Ledger, tmp_path: Path, helpers: int
) -> None:
    """An order that one of them begins later would be planned anew, found at the
    service, and left in the middle.
    """
    other = Ledger(ledger.url, clock=utc_now, owner="second")
    made = share(ledger)
    assert other.chunks.take(made)

    class Source(FromRequests):
        def sort(self, _: Ledger) -> SortedOrders:
            raise Sorted

    async def bought() -> None:
        run = BatchRun(
            resources_of(ledger, tmp_path),
            "batch",
            Source([], "file.csv"),
            helpers=helpers,
        )
        buying = asyncio.create_task(run.buy(ask=False))
        async with asyncio.timeout(30):
            while ledger.chunks.of_batch("batch"):  # noqa: ASYNC110 - a database; by it the helper ends
                await asyncio.sleep(0.01)
        await asyncio.sleep(0.1)
        assert not buying.done()
        other.chunks.release(made)
        await asyncio.wait_for(buying, 30)

    with other, pytest.raises(Sorted):
        asyncio.run(bought())


class Planning(BatchRun):
    """A run whose helpers have planned two of three orders."""

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self.planned_itself: list[str] = []

    async def _plan(
        self, requests: Sequence[Any], take: Take, *, anew: bool = False
    ) -> None:
        self.planned_itself += [request.order_ref for request in requests]
        await take([planned(request.order_ref) for request in requests])


def planned_by_helpers(
    ledger: Ledger, tmp_path: Path, plans: Sequence[PlannedOrder], why: Any
) -> tuple[Any, Any]:
    async def looked_up(*_: Any) -> Any:
        return why

    made = Planned(plans=tuple(summary_of(plan) for plan in plans))

    async def together(_: Any) -> list[Planned]:
        return [made]

    source = FromRequests(
        [planned(ref).request for ref in ("A-1", "A-2", "A-3")], "file.csv"
    )
    source.check_unrecorded = looked_up  # type: ignore[assignment, method-assign]
    run = Planning(resources_of(ledger, tmp_path), "batch", source)
    run.coordinator = cast(Any, SimpleNamespace(planned=together))
    return run, asyncio.run(run._planned([*source.requests]))


def test_what_helpers_did_not_plan_the_run_plans_itself(
    ledger: Ledger, tmp_path: Path
) -> None:
    plans = [planned("A-1"), planned("A-3")]
    ledger.put_plans(plans, "batch")
    run, summaries = planned_by_helpers(ledger, tmp_path, plans, {})
    assert run.planned_itself == ["A-2"]
    assert [(one.order_ref, one.is_fine) for one in summaries] == [
        ("A-1", True),
        ("A-2", True),
        ("A-3", True),
    ]
    assert list(ledger.orders(["A-1", "A-2", "A-3"])) == ["A-1", "A-2", "A-3"]


def test_what_the_service_has_already_is_held_of_what_helpers_planned(
    ledger: Ledger, tmp_path: Path
) -> None:
    """A ledger that was put back knows nothing of it."""
    plans = [planned("A-1"), planned("A-2"), planned("A-3")]
    ledger.put_plans(plans, "batch")
    why = {"A-2": held(earlier("the service already has it"))}
    _, summaries = planned_by_helpers(ledger, tmp_path, plans, why)
    assert [one.order_ref for one in summaries if one.is_fine] == ["A-1", "A-3"]
    states = {
        ref: str(order.state)
        for ref, order in ledger.orders(["A-1", "A-2", "A-3"]).items()
    }
    assert states == {"A-1": "planned", "A-2": "held", "A-3": "planned"}
