"""What a large batch shows at a terminal."""

from __future__ import annotations

import io

import pytest

from cli.run import ask, print_report
from cli.terminal import show_orders
from domain.marketplace import Marketplace
from domain.report import BatchReport, ReportLine
from domain.states import OrderState
from tests.flows.plans import planned, request_for


def line(number: int, state: OrderState = OrderState.BOOKED) -> ReportLine:
    reason = "costs too much" if state is OrderState.HELD else ""
    return ReportLine(
        order_ref=f"A-{number:05d}",
        marketplace=Marketplace.TAOBAO,
        state=state,
        reason=reason,
    )


def report(*lines: ReportLine) -> BatchReport:
    return BatchReport(
        batch_id="batch",
        orders=lines,
        spent_this_run_fen=0,
        bought_this_run=len(lines),
        snapshot_id=None,
        snapshot_root="",
    )


def test_of_many_orders_the_first_are_shown_and_where_the_rest_is(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """What waits for a person is among them, however late it stands in the file."""
    lines = [*(line(n) for n in range(9_999)), line(9_999, OrderState.HELD)]
    show_orders("Orders", lines)
    output = capsys.readouterr().out
    assert output.count("A-0") == 50 + 1
    assert "A-09999 is held: costs too much" in output
    assert "and 9,950 more: see them with --json" in output


def test_fifty_orders_are_shown_as_they_come(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A table that fits is neither cut nor put in another order."""
    show_orders(
        "Orders", [line(0), line(1, OrderState.HELD), *(line(n) for n in range(2, 50))]
    )
    output = capsys.readouterr().out
    assert "more" not in output
    assert output.index("A-00000") < output.index("A-00001") < output.index("A-00049")


@pytest.mark.usefixtures("empty_ledger")
def test_a_run_prints_the_report_that_prefect_shows(
    capsys: pytest.CaptureFixture[str],
) -> None:
    print_report(report(line(0), line(1, OrderState.HELD)))
    output = " ".join(capsys.readouterr().out.split())
    assert "Batch batch" in output
    assert "paid by this run 0.00 CNY for 2 orders" in output
    assert "A-00001 1 held costs too much" in output


@pytest.mark.parametrize(
    ("new", "begun", "words"),
    [
        (
            ["A"],
            [],
            "Buy 1 order for 10.00 CNY and ship 1 order for freight of 5.00 USD? [y/N]: ",
        ),
        (
            ["A", "C"],
            ["B"],
            "Buy 2 orders for 20.00 CNY and ship 3 orders for freight of 15.00 USD? [y/N]: ",
        ),
        ([], ["B"], "Ship 1 order for freight of 5.00 USD? [y/N]: "),
    ],
)
def test_the_question_comes_after_plan_costs_and_reason(
    new: list[str],
    begun: list[str],
    words: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """In the words of the form in the UI. Goods that were paid earlier are not in the
    sum; their freight is.
    """
    monkeypatch.setattr("sys.stdin", io.StringIO("y\n"))
    question = request_for(
        batch_id="b",
        to_buy=[planned(ref) for ref in new],
        to_ship=[planned(ref) for ref in begun],
    )
    assert ask(question)
    output = capsys.readouterr().err
    notices = [
        line
        for line in output.splitlines()
        if line.startswith(("Goods", "Freight", "Why"))
    ]
    assert notices[-1] == "Why this is asked: it was not approved beforehand."
    assert ("of 1 line has no price limit." in " ".join(output.split())) is (
        len(new) == 1
    )
    assert output.rstrip("\n").endswith(words.rstrip())


def test_of_a_long_plan_the_dearest_are_shown(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """And how dear the rest is at most."""
    monkeypatch.setattr("sys.stdin", io.StringIO("n\n"))
    orders = [planned(f"A-{n}", fen=1000 + n) for n in range(60)]
    assert not ask(request_for(batch_id="b", to_buy=orders, to_ship=[]))
    output = capsys.readouterr().err
    assert output.index("A-59 ") < output.index("A-10 ")
    assert (
        "And 10 orders more, none of them dearer than 10.10 CNY. See them with --dry-run --json"
        in output
    )
