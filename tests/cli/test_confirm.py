"""`sourcing confirm`: all that is open about a marketplace, one question after the
other.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from cli.run import ask_about_first_payments
from connectors.ledger.marks import Note
from connectors.ledger.plans import put_rows
from connectors.ledger.records import OrderChange, Outcome
from connectors.ledger.schema import to_json
from connectors.ledger.store import Ledger
from domain.effects import Action, EffectStatus
from domain.holds import Topic
from domain.marketplace import Marketplace
from domain.money import Money
from domain.orders import OrderLine
from domain.reasons import ReasonCode, because
from domain.states import OrderState
from flows.answers.marketplaces import open_about
from flows.remedies import confirm_marketplace
from tests.cli.conftest import Sourcing
from tests.clock import MovableClock
from tests.connectors.ledger.plans import Columns, intents, plan

TAOBAO = Marketplace.TAOBAO
LINE = OrderLine(
    line_no=1,
    item_id="1",
    sku_id="2",
    title="red cup",
    quantity=3,
    image_url="",
    unit_price=Money(30),
)
ASKED = (
    "sourcing: A-1, order 77, is the first one paid at taobao. Did the balance fall by exactly 1.00 CNY, once, by "
    "which channel, and does the console show its goods (red cup × 3) for your warehouse?"
)


@pytest.fixture
def ledger(sourcing: Sourcing, empty_ledger: Path) -> Ledger:
    """A-1 is paid, and nobody has looked."""
    ledger = Ledger(
        f"sqlite:///{empty_ledger}", clock=MovableClock(), owner="run", asks_first=True
    )
    ledger.start_batch("batch", "file.csv")
    put_rows(ledger, [plan("A-1", lines=[to_json(LINE)], order_id="77")])
    put_rows(ledger, [plan("A-2")])
    for action, state in (
        (Action.CREATE, OrderState.ORDERED),
        (Action.PAY, OrderState.PAYMENT_PENDING),
    ):
        won = ledger.claim(
            intents("A-1", action=action), lease=timedelta(seconds=60)
        ).won["A-1"]
        change = OrderChange(
            order_ref="A-1", state=state, writes=Columns({"order_id": "77"})
        )
        ledger.record(
            [Outcome(claim=won.claim, status=EffectStatus.DONE, change=change)]
        )
    return ledger


def test_a_first_payment_that_is_right_lets_the_others_go(
    sourcing: Sourcing, ledger: Ledger
) -> None:
    done = sourcing("confirm", "taobao", "--yes")
    assert (done.exit_code, done.stderr.splitlines()) == (
        0,
        [ASKED, "sourcing: recorded: its first payment is as it should be"],
    )
    assert (
        sourcing("confirm", "taobao").stderr
        == "sourcing: nothing is open about taobao\n"
    )
    assert (ledger.first_orders.asked(), ledger.holds.standing()) == ({}, {})


@pytest.mark.parametrize(
    ("given", "what"),
    [
        (("--otherwise", "paid by 先采后付"), "paid by 先采后付"),
        (("--otherwise", "two bills"), "two bills"),
    ],
)
def test_a_first_payment_that_is_otherwise_holds_the_marketplace(
    sourcing: Sourcing, ledger: Ledger, given: tuple[str, str], what: str
) -> None:
    """The next question is then whether all is right there again."""
    done = sourcing("confirm", "taobao", "--yes", *given)
    reason = f"taobao is held: the payment of A-1 was not as expected: {what}"
    assert done.stderr.splitlines()[1:] == [f"sourcing: recorded: {reason}"]
    assert list(ledger.holds.standing()) == [TAOBAO]
    done = sourcing("confirm", "taobao", "--yes")
    assert done.stderr.splitlines()[-1] == "sourcing: recorded: its amounts are right"
    assert ledger.holds.standing() == {}


def test_where_nobody_answers_nothing_is_recorded(
    sourcing: Sourcing, ledger: Ledger
) -> None:
    done = sourcing("confirm", "taobao")
    assert (done.exit_code, done.stderr.splitlines()[-1]) == (
        1,
        "sourcing: nothing was recorded. If it is otherwise, say how: sourcing confirm taobao --otherwise WORDS",
    )
    assert ledger.first_orders.asked() == {TAOBAO: "A-1"}


def test_a_run_at_a_terminal_asks_about_a_first_payment_at_once(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only where the person wants to answer now; until then the question stays open."""
    output = [False]
    monkeypatch.setattr("typer.confirm", lambda *_, **__: output.pop(0))
    ask_about_first_payments()
    assert (output, ledger.first_orders.asked()) == ([], {TAOBAO: "A-1"})
    output += [True, True]
    ask_about_first_payments()
    assert (output, ledger.first_orders.asked()) == ([], {})
    ask_about_first_payments()


def test_doctor_shows_the_question_about_a_first_payment(
    sourcing: Sourcing, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the line of payments, with its command; once it is answered, what is set."""
    monkeypatch.delenv("XPORTCN_PAY_IS", raising=False)

    def payments() -> tuple[str, str]:
        (line,) = [
            item
            for item in json.loads(sourcing("doctor", "--json").stdout)
            if item["check"] == "payments"
        ]
        return line["found"], line["remedy"]

    assert payments() == (ASKED.removeprefix("sourcing: "), "sourcing confirm taobao")
    ledger.first_orders.answer(TAOBAO, "A-1", otherwise="", by="mei")
    assert payments() == ("unknown", "")


@pytest.mark.parametrize(
    ("field", "asked"),
    [
        ({"checked": [Topic.AMOUNTS]}, Topic.AMOUNTS),
        ({"checked": [Topic.AMOUNTS]}, "units"),
        ({"checked": [Topic.FIRST_PAYMENT]}, Topic.FIRST_PAYMENT),
        ({"first_payment_otherwise": "two bills"}, Topic.FIRST_PAYMENT),
        ({"checked": [Topic.REFERENCE]}, Topic.REFERENCE),
        ({"checked": [Topic.ALL_KNOWN]}, Topic.ALL_KNOWN),
    ],
)
async def test_each_question_has_its_field_in_the_form(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch, field: dict[str, Any], asked: str
) -> None:
    """What is not filled in stays open."""
    monkeypatch.setattr("flows.remedies.rename_run", nothing)
    reasons = {
        "units": because(
            ReasonCode.PRICE_FAR_BELOW_LIMIT, lines=["a cup"], marketplace=TAOBAO
        ),
        Topic.ALL_KNOWN: because(
            ReasonCode.MAY_BE_THERE, doubt="d", marketplace=TAOBAO
        ),
    }
    put_rows(
        ledger,
        [
            plan(
                "A-3",
                lines=[to_json(LINE)],
                order_id="78",
                ordered_at=datetime(2026, 1, 1, tzinfo=UTC),
            )
        ],
    )
    reason = because(ReasonCode.NO_REFERENCE_YET)
    ledger.change([OrderChange(order_ref="A-3", state=OrderState.ORDERED, why=reason)])
    ledger.change(
        [OrderChange(order_ref="A-2", state=OrderState.HELD, why=reasons.get(asked))]
    )
    if asked == Topic.AMOUNTS:
        ledger.first_orders.answer(TAOBAO, "A-1", otherwise="two bills", by="mei")
    topic = Topic.AMOUNTS if asked == "units" else Topic(asked)
    before = {item.topic for item in open_about(ledger, TAOBAO)}
    assert topic in before
    assert (
        await confirm_marketplace.fn(TAOBAO, said_by="mei")
    ) == "taobao: nothing of that was asked"
    assert {item.topic for item in open_about(ledger, TAOBAO)} == before
    assert (
        await confirm_marketplace.fn(TAOBAO, said_by="mei", **field)
    ) != "taobao: nothing of that was asked"
    is_until_the_next_run = (
        topic is Topic.ALL_KNOWN
    )  # which looks again for what the order waits for
    assert (
        topic in {item.topic for item in open_about(ledger, TAOBAO)}
    ) == is_until_the_next_run


async def nothing(_words: str) -> None: ...


def test_units_in_doubt_are_asked_about_until_they_are_confirmed(
    sourcing: Sourcing, ledger: Ledger
) -> None:
    """A first payment that is right confirms them too: the balance fell by exactly
    that.
    """
    doubt = because(
        ReasonCode.PRICE_FAR_BELOW_LIMIT,
        lines=["a cup costs 0.59 CNY each"],
        marketplace=TAOBAO,
    )
    ledger.change([OrderChange(order_ref="A-2", state=OrderState.HELD, why=doubt)])
    assert not ledger.marks.is_noted(Note.UNITS.at(TAOBAO), "")
    done = sourcing("confirm", "taobao", "--yes")
    assert (
        "sourcing: A-2: a cup costs 0.59 CNY each: less than a twentieth" in done.stderr
    )
    assert "sourcing: recorded: its amounts are right\n" in done.stderr
    assert ledger.marks.is_noted(Note.UNITS.at(TAOBAO), "")
    assert (
        sourcing("confirm", "taobao").stderr
        == "sourcing: nothing is open about taobao\n"
    )


def test_orders_of_unknown_origin_are_asked_about_too(
    sourcing: Sourcing, ledger: Ledger
) -> None:
    doubt = because(
        ReasonCode.MAY_BE_THERE, doubt="orders without reference", marketplace=TAOBAO
    )
    ledger.change([OrderChange(order_ref="A-2", state=OrderState.HELD, why=doubt)])
    done = sourcing("confirm", "taobao", "--yes")
    assert (
        done.stderr.splitlines()[-1]
        == "sourcing: recorded: every order of ours there is known"
    )
    assert ledger.marks.last_at(Note.KNOWN.at(TAOBAO)) is not None
