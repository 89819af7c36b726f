"""What a run says it bought."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from prefect.utilities.collections import visit_collection

from cli.terminal import print_json
from connectors.ledger.plans import put_rows
from connectors.ledger.records import OrderChange, Outcome
from connectors.ledger.store import Ledger
from domain.effects import Action, EffectStatus
from domain.plan import PlannedOrder
from domain.report import BatchReport, ReportLine
from domain.states import OrderState
from flows.batch.reporting import lines_of, one_report
from tests.connectors.ledger.plans import Columns, intents, plan
from tests.flows.plans import planned

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
REFS = ["A-1", "A-2", "A-3", "A-4", "A-5"]


def ledger_of(run: str, folder: Path) -> Ledger:
    return Ledger(f"sqlite:///{folder / 'ledger.db'}", clock=lambda: NOW, owner=run)


def paid(order_ref: str) -> OrderChange:
    return OrderChange(
        order_ref=order_ref,
        state=OrderState.PAID,
        writes=Columns({"paid_minor": 100 + int(order_ref[-1])}),
    )


def pays(
    ledger: Ledger, order_ref: str, status: EffectStatus, change: OrderChange | None
) -> None:
    won = ledger.claim(
        intents(order_ref, action=Action.PAY), lease=timedelta(seconds=60)
    ).won
    ledger.record([Outcome(claim=won[order_ref].claim, status=status, change=change)])


def test_a_run_bought_what_it_paid_itself(tmp_path: Path) -> None:
    """Not what another run paid meanwhile, what was found paid at the service, nor what
    may have been paid.

    What is shown as paid before the answer to the payment is settled it bought.
    """
    with ledger_of("mine", tmp_path) as ledger, ledger_of("other", tmp_path) as second:
        ledger.start_batch("batch", "file.csv")
        put_rows(ledger, [plan(ref) for ref in REFS])
        ledger.change(
            [OrderChange(order_ref=ref, state=OrderState.ORDERED) for ref in REFS]
        )
        pays(ledger, "A-1", EffectStatus.DONE, paid("A-1"))
        pays(second, "A-2", EffectStatus.DONE, paid("A-2"))
        ledger.change([paid("A-3")])
        pays(ledger, "A-4", EffectStatus.UNKNOWN, None)
        ledger.claim(intents("A-5", action=Action.PAY), lease=timedelta(seconds=60))
        second.change([paid("A-5")])
        assert lines_of(ledger, REFS)[1] == [101, 105]
        assert lines_of(second, REFS)[1] == [102]


def report_of(*refs: str, plans: Sequence[PlannedOrder] = ()) -> BatchReport:
    return BatchReport(
        batch_id="batch",
        orders=[
            ReportLine(
                order_ref=ref, marketplace="taobao", state=OrderState.PLANNED, reason=""
            )
            for ref in refs
        ],
        spent_this_run_fen=0,
        bought_this_run=0,
        snapshot_id=None,
        snapshot_root="",
        plans=plans,
    )


def test_prefect_walks_no_lines_of_a_flows_result() -> None:
    """Of 100,000 orders that takes seconds and 80 MiB."""
    walked: list[object] = []
    visit_collection(
        one_report([report_of("A-1", "A-2")], ["A-2", "A-1"]),
        visit_fn=walked.append,
        return_data=False,
    )
    assert "batch" in walked
    assert not {"A-1", "A-2"} & {item for item in walked if isinstance(item, str)}


def test_lines_that_are_left_to_the_printing_are_printed_like_all(
    capsys: pytest.CaptureFixture[str],
) -> None:
    report = report_of("A-1", "A-2", plans=[planned("A-2", freight_cents=700)])
    print_json(report.to_json(line_as=lambda line: line))
    first, second = json.loads(capsys.readouterr().out)["orders"]
    assert (first["order_ref"], first["state"], first["tracking_numbers"]) == (
        "A-1",
        "planned",
        [],
    )
    assert (second["order_ref"], second["freight_minor"]) == ("A-2", 700)
    assert [first, second] == json.loads(json.dumps(report.to_json()["orders"]))
