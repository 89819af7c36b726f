"""What `sourcing costs` shows, and what it does not begin with."""

from __future__ import annotations

import pytest

from cli.export import show_costs
from domain.cost_report import CostReport, OrderCost
from domain.money import Money
from tests.cli.conftest import Sourcing


def cost(ref: str, batch: str, landed: int | None, problem: str = "") -> OrderCost:
    return OrderCost(
        order_ref=ref,
        batch_id=batch,
        lines=2,
        net_paid=Money(3588),
        freight=Money(667, "USD"),
        landed=None if landed is None else Money(landed, "EUR"),
        problem=problem,
    )


def report(*orders: OrderCost) -> CostReport:
    return CostReport(
        currency="EUR",
        since="",
        orders=orders,
        notes=["a note"],
        csv="data/exports/landed-costs-EUR.csv",
        xlsx=None,
        snapshot_id="costs-1",
        snapshot_root="data/snapshots",
    )


def test_orders_reasons_and_the_sums_of_each_batch_are_shown(
    capsys: pytest.CaptureFixture[str],
) -> None:
    show_costs(
        report(
            cost("A-1", "autumn", 1077),
            cost("B-1", "winter", None, "no rate"),
            cost("B-2", "winter", 123),
        )
    )

    told = capsys.readouterr()
    lines = [" ".join(line.split()) for line in told.out.splitlines()]
    assert "• B-1: no rate" in lines
    assert "autumn 1 35.88 CNY 6.67 USD 10.77 EUR" in lines
    assert "winter 2 71.76 CNY 13.34 USD 1.23 EUR 1" in lines
    assert "3 paid orders: 12.00 EUR, 1 order without a sum" in lines
    assert "• data/exports/landed-costs-EUR.csv" in lines
    assert told.err == "a note\n"


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (
            "costs --since yesterday",
            "sourcing: --since: 'yesterday' is no day; give one such as 2026-11-01, or leave it empty\n",
        ),
        (
            "reconcile --not-ours 1",
            "sourcing: --not-ours: '1' is no order; give marketplace:order id, as taobao:4050118801\n",
        ),
        (
            "reconcile --ours 1",
            "sourcing: --ours: '1' is no order; give marketplace:order id, as taobao:4050118801\n",
        ),
    ],
)
def test_what_can_not_be_meant_begins_nothing(
    sourcing: Sourcing, command: str, said: str
) -> None:
    done = sourcing(*command.split())

    assert (done.exit_code, done.stderr) == (2, said)
