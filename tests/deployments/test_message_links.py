"""Each kind of message: it has a reason, a deadline where there is one, and each of its
links opens.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator, Sequence
from datetime import timedelta
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import prefect
import pytest

from connectors.ledger.overview import Happened
from connectors.ledger.records import EffectRecord
from connectors.ledger.store import Ledger
from connectors.notifying import composed, what_waits
from connectors.settings import SourcingSettings
from connectors.ui_pages import artifact_page, run_form, run_page
from connectors.xportcn.leased_permits import DailyCalls
from domain.after_sale import RefundState
from domain.decisions import held
from domain.differences import Finding, FindingKind
from domain.effects import Action
from domain.marketplace import Marketplace
from domain.messages import Message, MessageKind, Place, UnknownWord
from domain.reasons import ReasonCode, because
from domain.request_remarks import Fault
from flows.answers.pausing import pause
from flows.batch import question
from flows.messages import digest_of
from flows.notify import outbox
from flows.notify.news import (
    of_arrived,
    of_batch,
    of_calls,
    of_doubts,
    of_faults,
    of_findings,
    of_first_payments,
    of_parcels,
    of_refund,
)
from flows.notify.outbox import enqueue, service_away, service_back
from tasks.snapshot import LedgerAlone
from tests.deployments.test_alerts import (
    NOW,
    _completion,
    _late,
    _messages,
    _news,
    _run,
    ago,
)
from tests.flows.notify.test_news import OVER, line, refund, report
from tests.flows.plans import planned
from tests.ui.browser import PLACES, place_of

BY = NOW + timedelta(days=1)
DATED = {
    MessageKind.REFUND,
    MessageKind.RETURN_ENDS,
}
UNSENT = {MessageKind.WATCHED}
RUN = uuid.UUID(int=7)


@pytest.fixture(autouse=True)
def _ui(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PREFECT_UI_URL", "http://ui")


@cache
def routes() -> Sequence[re.Pattern[str]]:
    """The pages of Prefect's own UI, read from its program."""
    programs = (Path(prefect.__file__).parent / "server" / "ui-v2" / "assets").glob(
        "*.js"
    )
    found = {
        one
        for file in programs
        for one in re.findall(r"`(/[a-z/$_-]+)`", file.read_text(errors="replace"))
    }
    return [
        re.compile(re.sub(r"\\\$[a-z]+", "[^/?]+", re.escape(one)))
        for one in found
        if "{" not in one
    ]


def opens(link: str) -> bool:
    path = link.removeprefix("http://ui/v2").partition("?")[0]
    return any(one.fullmatch(path) for one in routes())


def of_runs() -> list[Message]:
    failed = _run("FAILED", message="no answer", code=ReasonCode.RUN_SERVICE_FAILED)
    crashed, known = (
        _run("CRASHED", run_count=6),
        {"buy-from-inbox": _completion(None, due_s=90_000)},
    )
    return [
        *_news(failed),
        *_news(crashed),
        *_messages(away_since=ago(400)),
        *_messages(last_sign=ago(120)),
        *_messages(last_sign=ago(30), worker_missed_at=ago(600)),
        *_messages(late=[_late()], last_sign=NOW),
        *_messages(completions=known),
    ]


def of_results() -> list[Message]:
    effect = cast(
        EffectRecord, SimpleNamespace(key="A-1:pay", action=Action.PAY, order_ref="A-1")
    )
    differs = Finding(
        kind=FindingKind.ORPHAN, expected="an order", seen="none", remedy="see", marketplace=Marketplace.TAOBAO,
        order_ref="A-1", order_id="71", seen_amount=None,
    )  # fmt: skip
    first = because(
        ReasonCode.FIRST_PAYMENT,
        first="A-1",
        order_id="71",
        marketplace=Marketplace.TAOBAO,
        amount="1.00 CNY",
        goods="cup",
    )
    done = Happened(bought=0, spent=(), booked=0, freight=(), came={})
    return [
        *of_batch(report(line("A-1"), line("A-2", reason="too dear", code=OVER)), {}),
        of_faults("may.csv", "0a1b", "1 fault", [Fault(2, "item", "none")]),
        *of_parcels({"A-1": NOW}, [("A-2", "FAR1")], [], days=7),
        *of_refund(refund(RefundState.TO_RETURN, BY), NOW),
        *of_arrived({"A-1": NOW - timedelta(days=6)}, 7, NOW),
        *of_first_payments({Marketplace.TAOBAO: first}),
        *of_findings([differs], "1 order"),
        *of_calls(
            cast(
                DailyCalls,
                SimpleNamespace(used_up="50,000 calls were made, until 2026-01-03"),
            )
        ),
        *of_doubts([effect]),
        UnknownWord(Marketplace.TAOBAO, Place.PARCEL, "odd").message({"A-1"}),
        digest_of(done, [], since=NOW, now=NOW, timezone="UTC", link=run_page(RUN)),
    ]


@pytest.fixture
def book(tmp_path: Path) -> Iterator[Ledger]:
    with Ledger(
        f"sqlite:///{tmp_path / 'ledger.db'}", clock=lambda: NOW, owner="test"
    ) as ledger:
        yield ledger


def told_at(ledger: Ledger, hour: float) -> list[Message]:
    """What is due for a recipient by then."""
    with Ledger(
        ledger.url, clock=lambda: NOW + timedelta(hours=hour), owner="sender"
    ) as sender:
        found = list[Message]()
        while tried := sender.outbox.begin("ntfy"):
            sender.outbox.end(tried, "ntfy", None, ["ntfy"])
            found += tried
        return found


async def ask(monkeypatch: pytest.MonkeyPatch, ledger: Ledger) -> None:
    """A plan waits for its approval."""

    async def form_link(batch: str, shown_hash: str, _budget: str) -> str:
        return run_form(RUN, {"batch": batch, "plan_hash": shown_hash})

    monkeypatch.setattr(question, "form_link", form_link)
    waits = held(because(ReasonCode.WAITS_FOR_APPROVAL))
    ledger.start_batch("waits", "file.csv")
    ledger.put_plans([planned("W-1").with_verdict(waits)], "waits")
    assert await question.put_question(LedgerAlone(ledger, SourcingSettings()), "waits")


async def test_each_kind_of_message_has_a_reason_its_deadline_and_links_that_open(
    monkeypatch: pytest.MonkeyPatch, book: Ledger
) -> None:
    monkeypatch.setattr(outbox, "run_link", lambda: run_page(RUN))
    pause(book, SourcingSettings(), by="mei", why="a test", notify=lambda _: None)
    await ask(monkeypatch, book)
    await enqueue(book, *of_runs(), *of_results())
    service_away(book, NOW - timedelta(hours=1), run_page(RUN))
    told = told_at(book, 1)
    service_back(book, run_page(RUN))
    told += told_at(book, 20.1)
    seen = {one.kind for one in told}
    assert {*MessageKind} - seen - UNSENT == set()
    places = set[str]()
    for one in told:
        subject, body, link = composed([one], what_waits(book))
        assert len(body) > 20, subject
        assert "None" not in body, subject
        if one.kind in DATED:
            assert re.search(r"\d{4}-\d{2}-\d{2}", subject + body), subject
        links = re.findall(r"http://\S+", f"{body}\n{link}")
        assert links, subject
        assert [address for address in links if not opens(address)] == [], subject
        places |= {place_of(address) for address in links}
    assert (
        places | {place_of(artifact_page(RUN))} == PLACES
    )  # that of what waits, once it was written
    assert not opens("http://ui/v2/runs/flow/1/nowhere")
