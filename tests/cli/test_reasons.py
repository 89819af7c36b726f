"""Ten reasons, each by its code in the commands: its orders, its words, and what to
do.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from connectors.ledger.plans import put_rows
from connectors.ledger.records import OrderChange
from connectors.ledger.store import Ledger
from domain.money import Money
from domain.reasons import Reason, ReasonCode, because, explained, grouped
from domain.report import BatchReport, ReportLine
from domain.states import OrderState
from domain.wording import shorten
from flows.report.sections import describe
from tests.cli.conftest import Sourcing
from tests.connectors.ledger.plans import plan

YUAN = Money(100)
REASONS: dict[str, tuple[Reason, str]] = {
    "A-1": (
        because(
            ReasonCode.PRICE_ABOVE_LIMIT,
            lines=["bag costs 2.00 CNY each, limit 1.00 CNY"],
        ),
        "raise max_unit",
    ),
    "A-2": (
        because(
            ReasonCode.PRICE_ABOVE_LIMIT,
            lines=["cup costs 3.00 CNY each, limit 1.00 CNY"],
        ),
        "raise max_unit",
    ),
    "B": (
        because(ReasonCode.OVER_BUDGET, costs=YUAN, taken=YUAN, limit=YUAN),
        "raise the budget",
    ),
    "C": (
        because(ReasonCode.ADDRESS_INCOMPLETE, columns=["zip", "state"]),
        "fill in zip, state",
    ),
    "D": (because(ReasonCode.NOT_ON_SALE, item="77", title="cup"), "drop the line"),
    "E": (
        because(ReasonCode.PRICE_ROSE, total=YUAN * 2, approved=YUAN),
        "To buy at the new price",
    ),
    "F": (
        because(ReasonCode.MARKETPLACE_HELD, marketplace="1688", why="?"),
        "sourcing confirm 1688",
    ),
    "G": (
        because(ReasonCode.REFUSED_AFTER_ORDERING, failure="wallet empty"),
        "Mend that and run again",
    ),
    "H": (
        because(ReasonCode.SEVERAL_SHIPMENTS, count=2, ids=["1", "2"]),
        "Cancel all but one at the warehouse; tracking goes on with that",
    ),
    "I": (
        because(ReasonCode.NOT_APPROVED, by="Mei", note="too dear"),
        "run the file again",
    ),
    "J": (
        because(
            ReasonCode.NO_ANSWER_ASKED,
            action="book",
            question="Is it there?",
            answers="X",
        ),
        "answer with: X",
    ),
}


@pytest.fixture(autouse=True)
def held(empty_ledger: Path) -> None:
    with Ledger(
        f"sqlite:///{empty_ledger}", clock=lambda: datetime.now(UTC), owner="me"
    ) as ledger:
        ledger.start_batch("batch", "file.csv")
        put_rows(ledger, [plan(ref) for ref in REASONS])
        changes = [
            OrderChange(order_ref=ref, state=OrderState.HELD, why=why)
            for ref, (why, _) in REASONS.items()
        ]
        ledger.change(changes)


@pytest.mark.parametrize("ref", REASONS)
def test_a_code_finds_its_orders_with_words_and_remedy(
    sourcing: Sourcing, ref: str
) -> None:
    why, remedy = REASONS[ref]
    refs = {name for name, (one, _) in REASONS.items() if one.code is why.code}
    told = sourcing("status", "--reason", why.code).output
    assert {name for name in REASONS if f"│ {name} " in told} == refs
    words = " ".join(told.split())
    assert remedy.lower() in words.lower()
    assert " ".join(sourcing("status", ref).output.split()).count(str(why)) >= 1


def test_what_waits_is_told_with_code_and_remedy(sourcing: Sourcing) -> None:
    """And orders of one code together, whatever their amounts."""
    told = {
        one["order_ref"]: one for one in json.loads(sourcing("todo", "--json").stdout)
    }
    for ref, (why, _) in REASONS.items():
        assert (told[ref]["reason"], told[ref]["reason_code"], told[ref]["remedy"]) == (
            str(why),
            why.code,
            why.remedy,
        )
    shown = " ".join(sourcing("todo").output.split())
    assert "A-1, A-2 of batch held since" in shown
    assert "price above limit. Raise max_unit_price or drop the line" in shown


def test_a_code_that_does_not_exist_is_told(
    sourcing: Sourcing,
) -> None:
    done = sourcing("status", "--reason", "over_budgets")
    assert done.exit_code == 1
    assert "no reason over_budgets; all are in docs/reasons.md" in done.output
    assert (
        "No order has the reason sku_unknown"
        in sourcing("status", "--reason", "sku_unknown").output
    )


def test_the_report_puts_orders_of_one_code_together() -> None:
    lines = [
        ReportLine(
            order_ref=ref,
            marketplace="taobao",
            state=OrderState.HELD,
            **explained(why),
        )
        for ref, (why, _) in REASONS.items()
    ]
    report = BatchReport(
        batch_id="b",
        orders=lines,
        spent_this_run_fen=0,
        bought_this_run=0,
        snapshot_id=None,
        snapshot_root="",
    )
    waiting = next(
        part for part in describe(report) if part.heading == "What waits for you"
    )
    assert [(row[0], row[1]) for row in waiting.rows] == [
        (shorten([line.order_ref for line in alike]), str(len(alike)))
        for alike, _ in grouped(lines)
    ]
    assert len(waiting.rows) < len(lines)
