"""Who may work on a shared batch, and what becomes of a share whose run ends, dies or is not alone."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from prefect.client.schemas.objects import State

from connectors.ledger.records import SpendLimits
from connectors.ledger.shares import Chunk, Share, Terms
from connectors.ledger.store import Ledger
from connectors.program import program
from connectors.settings import SourcingSettings
from domain.decisions import held
from domain.money import Money
from domain.reasons import earlier
from flows.batch import sharing
from flows.batch.helping import Helping
from flows.batch.plan_sources import FromCarts, FromRequests, summary_of
from flows.batch.run import BatchRun, wanted_of
from flows.batch.sharing import Sharing, TakenOver, helpers_for, shared
from flows.helper import Helped, account_on, help_batch, on_terms
from flows.prefect_ui.parameters import BadInput
from tasks.engine.resources import Resources, utc_now
from tests.connectors.ledger.plans import intents
from tests.flows.plans import planned

ACCOUNT = "user 2100007300001 at the sandbox"
LIMITS = SpendLimits(batch_id="batch", batch=Money(100_00), day=None)
TERMS = Terms(
    account=ACCOUNT,
    run="run",
    wanted="hash",
    limits=LIMITS,
    chunk_size=10,
    concurrency=4,
    patience_s=0,
    settle_s=900,
    look_back_days=30,
    done_by=None,
    asks=True,
    pay_is="debit",
    asks_first=False,
)


@pytest.fixture
def ledger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Ledger]:
    """The one that a helper finds."""
    monkeypatch.setenv("SOURCING_DATA_DIR", str(tmp_path))
    with Ledger(SourcingSettings().ledger_url, clock=utc_now, owner="first") as ledger:
        ledger.start_batch("batch", "file.csv")
        yield ledger


def helped(share_id: str) -> Any:
    return asyncio.run(help_batch.fn(share_id))


def refusal(share_id: str) -> str:
    """The sentence with which a helper ends."""
    ended = helped(share_id)
    assert isinstance(ended, State)
    assert ended.is_failed()
    return str(ended.message)


def test_a_helper_of_another_version_does_nothing(ledger: Ledger) -> None:
    ledger.shares.open("share", "batch", version="0.0.1-abc", terms=TERMS)
    assert refusal("share") == (
        f"this helper is another version of the program ({program()}) than the run that shares the batch (0.0.1-abc): "
        "bring both to the same version, and start its worker again. It has done nothing"
    )
    assert ledger.shares.helpers() == []


def test_a_helper_without_the_account_says_which_settings_are_missing(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger.shares.open("share", "batch", version=program(), terms=TERMS)
    monkeypatch.setenv("XPORTCN_BASE_URL", "https://service.example/api")
    assert refusal("share") == (
        "XPORTCN_ACCESS_KEY, XPORTCN_ACCESS_SECRET, XPORTCN_USER_ID not set: put them in the environment or in a .env "
        "file"
    )


def test_a_helper_with_another_account_does_nothing(ledger: Ledger) -> None:
    ledger.shares.open("share", "batch", version=program(), terms=replace(TERMS, account="user 7 at service.example"))
    assert refusal("share") == (
        f"this helper has the account {ACCOUNT}, and the batch is bought by user 7 at service.example: give its "
        "machine the same XPORTCN_ settings as the run that shares it. It has done nothing"
    )


def test_a_helper_with_another_ledger_is_told_what_to_set(ledger: Ledger) -> None:
    assert refusal("share") == (
        "this helper's ledger does not know the share share: give it the SOURCING_LEDGER_URL of the run that shares "
        "the batch, and start its worker again"
    )


def test_a_helper_that_comes_too_late_ends_well(ledger: Ledger) -> None:
    ledger.shares.close(ledger.shares.open("share", "batch", version="0.0.1-abc", terms=TERMS))
    assert helped("share") == Helped(
        batch_id="batch", planned=0, bought=0, why_ended="the batch is done, or was stopped"
    )


def test_a_helper_pays_and_settles_as_the_batch_does(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever its own machine says, which may say nothing."""
    limits = replace(LIMITS, day=Money(1_234_05), timezone="Asia/Shanghai")
    monkeypatch.setenv("SOURCING_SETTLE_S", "1")
    monkeypatch.setenv("SOURCING_LOOK_BACK_DAYS", "1")
    for own in ("", "5000000"):
        monkeypatch.setenv("SOURCING_DAY_LIMIT_CNY", own)
        settings = on_terms(SourcingSettings(), replace(TERMS, limits=limits, patience_s=7))
        assert (settings.day_limit, settings.timezone, settings.patience_s) == (Money(1_234_05), "Asia/Shanghai", 7)
        assert (settings.settle_s, settings.look_back_days) == (900, 30)
        assert on_terms(SourcingSettings(), TERMS).day_limit is None
        assert account_on(replace(TERMS, pay_is="submission")).pay_is == "submission"
        assert [account_on(replace(TERMS, asks_first=asks)).asks_first for asks in (True, False)] == [True, False]


def test_a_helper_of_a_run_that_is_long_gone_buys_nothing(ledger: Ledger) -> None:
    """What was approved is for the run that takes the share up: it looks for it at the service first."""
    gone_at = utc_now() - timedelta(minutes=6)
    ledger.clock = lambda: gone_at
    ledger.shares.open("share", "batch", version=program(), terms=TERMS)
    ledger.shares.put_to_buy("share", 1, [{"A-1": "hash"}])
    assert helped("share") == Helped(
        batch_id="batch",
        planned=0,
        bought=0,
        why_ended=f"the batch has had no run since {gone_at:%H:%M:%S} UTC",
    )
    assert not ledger.shares.states("share")[0].holder


def resources_of(ledger: Ledger, tmp_path: Path, *, concurrency: int = 4) -> Resources:
    return cast(
        Resources,
        SimpleNamespace(
            ledger=ledger,
            clock=ledger.clock,
            send_logs=tmp_path / "sends",
            lease=timedelta(seconds=60),
            breaker=SimpleNamespace(is_over=False, blocked_by=""),
            concurrency=concurrency,
            settings=SourcingSettings(patience_s_setting=0, helpers=2, help_above=10),
        ),
    )


def sharing_of(resources: Resources, *, helpers: int = 2, wanted: str = "hash") -> Any:
    terms: dict[str, Any] = {"limits": LIMITS, "chunk_size": 10, "done_by": None, "asks": True}
    return shared(resources, "batch", helpers=helpers, wanted=wanted, **terms)


async def taken_up(resources: Resources, *, helpers: int = 2, wanted: str = "hash") -> str | None:
    """The share that a run takes up; None where it has none or a new one."""
    async with sharing_of(resources, helpers=helpers, wanted=wanted) as its:
        return its.share.share_id if isinstance(its, Sharing) and its._is_taken_up else None


@pytest.fixture
def left_open(ledger: Ledger) -> Share:
    """By a run that is gone for two minutes."""
    clock, ledger.clock = ledger.clock, lambda: utc_now() - timedelta(minutes=2)
    share = ledger.shares.open("left", "batch", version=program(), terms=TERMS)
    ledger.clock = clock
    return share


def test_what_a_dead_run_has_left_is_taken_up(ledger: Ledger, left_open: Share, tmp_path: Path) -> None:
    """Also where no helpers are wanted any more. It is closed at the end."""
    assert asyncio.run(taken_up(resources_of(ledger, tmp_path), helpers=0)) == "left"
    assert ledger.shares.standing("batch") is None


def test_what_was_left_on_other_terms_is_closed(ledger: Ledger, left_open: Share, tmp_path: Path) -> None:
    assert asyncio.run(taken_up(resources_of(ledger, tmp_path, concurrency=5))) is None
    assert ledger.shares.standing("batch") is None


def test_what_was_approved_of_another_file_is_not_bought(ledger: Ledger, left_open: Share, tmp_path: Path) -> None:
    """Nor by a run that is to ask, after one that was not."""
    plans = [planned("fine"), planned("wrong")]
    file = FromRequests([one.request for one in plans], "file.csv")
    shorter, cart = FromRequests([plans[0].request], "file.csv"), FromCarts(ledger.orders(()))
    wanted = {wanted_of(file, ask=True), wanted_of(file, ask=False), wanted_of(shorter, ask=True)}
    assert len(wanted | {wanted_of(cart, ask=True), wanted_of(FromRequests([], "file.csv"), ask=True)}) == 5
    assert wanted_of(FromRequests([one.request for one in reversed(plans)], "moved.csv"), ask=True) in wanted
    assert asyncio.run(taken_up(resources_of(ledger, tmp_path), helpers=0, wanted=wanted.pop())) is None
    assert ledger.shares.standing("batch") is None


def test_what_another_version_has_left_is_closed(ledger: Ledger, left_open: Share, tmp_path: Path) -> None:
    ledger.shares.close(left_open)
    ledger.shares.open("older", "batch", version="0.0.1-abc", terms=TERMS)
    ledger.clock = lambda: utc_now() + timedelta(minutes=2)
    assert asyncio.run(taken_up(resources_of(ledger, tmp_path))) is None
    found = ledger.shares.look("older")
    assert found is not None
    assert found.closed_at is not None


def test_the_share_of_a_living_run_is_left_alone(
    ledger: Ledger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two runs of one batch at once: each order is bought by one of them."""
    monkeypatch.setattr(sharing, "TOUCH_EVERY_S", 0.05)

    async def both() -> str | None:
        async with sharing_of(resources_of(ledger, tmp_path)) as its:
            with Ledger(ledger.url, clock=utc_now, owner="second") as other:
                found = await taken_up(resources_of(other, tmp_path))
            assert await asyncio.to_thread(ledger.shares.touch, its.share.share_id)
            return found

    assert asyncio.run(both()) is None


def test_what_is_approved_too_late_is_handed_to_nobody(ledger: Ledger, tmp_path: Path) -> None:
    """Another run went on with the batch while somebody was asked, or closed the share: that one asks anew."""

    async def late() -> None:
        async with sharing_of(resources_of(ledger, tmp_path)) as its:
            with Ledger(ledger.url, clock=utc_now, owner="second") as other:
                assert other.shares.take_up(its.share)
            await its.bought(["A-1"], {"A-1": "hash"}, _told_nobody)

    with pytest.raises(TakenOver, match=r"^another run goes on with batch batch"):
        asyncio.run(late())
    standing = ledger.shares.standing("batch")
    assert standing is not None
    assert ledger.shares.states(standing.share_id) == []


async def _told_nobody(_refs: Sequence[str]) -> None: ...


def test_who_is_cancelled_closes_its_share(ledger: Ledger, tmp_path: Path) -> None:
    """Helpers end by that."""

    async def cancelled() -> None:
        async with sharing_of(resources_of(ledger, tmp_path)):
            raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(cancelled())
    assert ledger.shares.standing("batch") is None


def test_helpers_need_postgresql(ledger: Ledger, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Who asks for them is told; a setting that can't be followed stops no batch."""
    resources = resources_of(ledger, tmp_path)
    with pytest.raises(BadInput, match=r"^helpers need a ledger on PostgreSQL: move it there \(sourcing ledger copy"):
        helpers_for(resources, 5, wanted=1)
    assert helpers_for(resources, 11) == 0
    assert "this run does everything itself" in caplog.text
    assert helpers_for(resources, 10) == 0


def test_what_the_service_has_already_is_not_bought_of_what_was_handed_out(ledger: Ledger, tmp_path: Path) -> None:
    """A ledger that was put back knows nothing of it. An order that a helper has begun meanwhile is no stranger."""
    plans = [planned("begun"), planned("there"), planned("fine")]
    ledger.put_plans(plans, "batch", approved=True)
    ledger.claim(intents("begun"), lease=timedelta(seconds=60))
    run = BatchRun(resources_of(ledger, tmp_path), "batch", FromRequests([one.request for one in plans], "file.csv"))
    made = {plan.order_ref: summary_of(plan) for plan in plans}
    judged = asyncio.run(
        run._judge(made, dict.fromkeys(("begun", "there"), held(earlier("the service already has it"))))
    )
    assert [ref for ref, plan in judged.items() if plan.is_fine] == ["begun", "fine"]
    orders = ledger.orders(made)
    assert {ref: (str(order.state), order.plan_hash is None) for ref, order in orders.items()} == {
        "begun": ("planned", False),
        "there": ("held", True),
        "fine": ("planned", False),
    }


def test_a_run_without_helpers_does_all_of_it_and_says_why(
    ledger: Ledger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What nobody takes it does itself; events are told of orders a chunk at a time, each once."""
    monkeypatch.setattr(sharing, "LOOK_EVERY_S", 0.01)
    monkeypatch.setattr(sharing, "NOBODY_FOR_S", -1.0)
    monkeypatch.setattr(Helping, "_buy", _bought_at_once)
    told: list[list[str]] = []

    async def tell(refs: Sequence[str]) -> None:
        told.append(list(refs))

    async def all_of_it() -> Sequence[str]:
        async with sharing_of(resources_of(ledger, tmp_path)) as its:
            await its.bought(["A-1", "A-2", "A-3"], {"A-1": "hash"}, tell)
            return [*its.said]

    assert asyncio.run(all_of_it()) == ["none is at work; this run goes on by itself"]
    assert ledger.shares.helpers() == ["first"]
    assert sorted(told) == [["A-1"], ["A-2"], ["A-3"]]


def test_who_lost_its_share_to_another_run_ends(
    ledger: Ledger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It takes nothing for unplanned that the other one has had planned, and closed."""
    monkeypatch.setattr(sharing, "LOOK_EVERY_S", 0.01)

    async def overtaken(helping: Helping, _chunk: Chunk, _label: str, _through: object) -> bool:
        with Ledger(ledger.url, clock=utc_now, owner="second") as other:
            # this run is alive, and may touch its share between a look and the taking: at most twice, as it stands here
            while (found := other.shares.standing("batch")) and not other.shares.take_up(found):
                pass
            assert found
            other.shares.close(replace(found, parent="second"))
        return True

    monkeypatch.setattr(Helping, "_plan", overtaken)

    async def planned_elsewhere() -> None:
        async with sharing_of(resources_of(ledger, tmp_path)) as its:
            await its.planned([planned("A-1").request])

    with pytest.raises(TakenOver, match="another run goes on with batch batch: this one gave no sign of life"):
        asyncio.run(planned_elsewhere())


async def _bought_at_once(helping: Helping, chunk: Chunk, _label: str, _through: object) -> bool:
    return helping._shares.finish(chunk)
