"""A marketplace whose amounts are a unit apart: held with its order, for every run,
until a person confirms it.
"""

from __future__ import annotations

from datetime import timedelta

import pytest

from connectors.ledger.marks import Note
from connectors.ledger.plans import put_rows
from connectors.ledger.records import OrderChange
from connectors.ledger.store import Ledger
from domain.effects import Action
from domain.holds import Topic
from domain.marketplace import Marketplace
from domain.money import Money
from domain.states import OrderState
from domain.witnessed import Contradicted, Gap, Kind, Source, Statement
from flows.answers.marketplaces import Question, answer
from tests.connectors.ledger.plans import intents, plan
from tests.verdicts import in_these_words

LEASE = timedelta(seconds=60)
WHY = (
    "A-1: the ledger says 14.20 CNY, and the order says 0.14 CNY: about a hundred times apart, so one of them is in "
    "another unit (yuan, fen)"
)


def apart(gap: Gap) -> Contradicted:
    approved = Statement(source=Source.LEDGER, value=Money(1420))
    return Contradicted(
        kind=Kind.AMOUNT,
        first=approved,
        second=Statement(source=Source.DETAIL, value=Money(14)),
        gap=gap,
    )


def contradict(ledger: Ledger, order_ref: str = "A-1", gap: Gap = Gap.UNIT) -> None:
    ledger.change([ledger.orders([order_ref])[order_ref].contradicted(apart(gap))])


@pytest.fixture(autouse=True)
def elsewhere(ledger: Ledger) -> None:
    """B-1 is at another marketplace than A-1 and A-2."""
    put_rows(ledger, [plan("B-1", marketplace="1688")])


@pytest.mark.parametrize("action", [Action.CREATE, Action.PAY])
def test_a_unit_holds_its_marketplace_for_every_run(
    ledger: Ledger, other: Ledger, action: Action
) -> None:
    """What another run would create or pay there is held with both figures; other
    marketplaces go on.
    """
    contradict(ledger)
    assert set(other.claim(intents("A-2", "B-1", action=action), lease=LEASE).won) == {
        "B-1"
    }
    order = other.orders(["A-2"])["A-2"]
    assert (order.state, WHY in order.reason) == (OrderState.HELD, True)
    assert order.reason.endswith("until it is checked: sourcing confirm taobao")


@pytest.mark.parametrize("action", [Action.BOOK, Action.CANCEL, Action.REFUND])
def test_what_neither_orders_nor_pays_goes_on(ledger: Ledger, action: Action) -> None:
    contradict(ledger)
    assert set(ledger.claim(intents("A-2", action=action), lease=LEASE).won) == {"A-2"}


def test_an_order_that_is_far_off_is_held_alone(ledger: Ledger) -> None:
    contradict(ledger, gap=Gap.FAR)
    assert ledger.holds.standing() == {}
    assert set(ledger.claim(intents("A-2"), lease=LEASE).won) == {"A-2"}


def test_a_person_s_word_lets_it_buy_again(ledger: Ledger, other: Ledger) -> None:
    """The same figures of the same order hold that order again, and the marketplace no
    more; others do.
    """
    contradict(ledger)
    assert [reason for reason, _ in other.holds.standing()[Marketplace.TAOBAO]] == [WHY]
    assert other.holds.release(Marketplace.TAOBAO, by="mei")
    assert set(ledger.claim(intents("A-2"), lease=LEASE).won) == {"A-2"}
    contradict(ledger)
    assert ledger.holds.standing() == {}
    contradict(ledger, "A-2")
    assert list(ledger.holds.standing()) == [Marketplace.TAOBAO]


def test_amounts_and_orders_are_confirmed_apart(ledger: Ledger) -> None:
    contradict(ledger)
    marketplace = Marketplace.TAOBAO
    amounts = Question(Topic.AMOUNTS, "")
    expected = Question(Topic.ALL_KNOWN, "")
    assert answer(ledger, marketplace, amounts, by="mei") == "its amounts are right"
    assert ledger.marks.last_at(Note.KNOWN.at(marketplace)) is None
    assert (
        answer(ledger, marketplace, expected, by="mei")
        == "every order of ours there is known"
    )
    assert (
        ledger.holds.standing(),
        ledger.marks.last_at(Note.KNOWN.at(marketplace)),
    ) == (
        {},
        ledger.clock(),
    )


def test_news_that_come_too_late_for_the_order_hold_the_marketplace(
    ledger: Ledger,
) -> None:
    """The order is elsewhere by now; that the marketplace tells another unit stays
    true.
    """
    order_change = ledger.orders(["A-1"])["A-1"].contradicted(apart(Gap.UNIT))
    ledger.change(
        [
            OrderChange(
                order_ref="A-1",
                state=OrderState.REFUSED,
                why=in_these_words("sold out"),
            )
        ]
    )
    ledger.change([order_change])
    assert ledger.orders(["A-1"])["A-1"].state is OrderState.REFUSED
    assert list(ledger.holds.standing()) == [Marketplace.TAOBAO]


def test_a_plan_that_is_a_unit_off_holds_its_marketplace(ledger: Ledger) -> None:
    put_rows(ledger, [plan("A-3", state="held")], contradicted={"A-3": apart(Gap.UNIT)})
    assert list(ledger.holds.standing()) == [Marketplace.TAOBAO]


def test_a_hold_is_no_pause(ledger: Ledger) -> None:
    """Nobody has stopped all buying, and resuming it releases no marketplace."""
    contradict(ledger)
    assert ledger.buying_paused() is None
    assert ledger.resume_buying("mei") is None
    assert list(ledger.holds.standing()) == [Marketplace.TAOBAO]


def test_amounts_are_confirmed_as_they_are_read(ledger: Ledger, other: Ledger) -> None:
    """The confirmation is of one marketplace and one setting of its units, for every
    run.
    """
    taobao = Marketplace.TAOBAO
    in_yuan = "taobao.detail=yuan"
    ledger.marks.note(Note.UNITS.at(taobao), "", by="mei")
    assert other.marks.is_noted(Note.UNITS.at(taobao), "")
    assert not other.marks.is_noted(Note.UNITS.at(taobao), in_yuan)
    assert not other.marks.is_noted(Note.UNITS.at(Marketplace.POIZON), "")
    ledger.marks.note(Note.UNITS.at(taobao), in_yuan, by="mei")
    assert other.marks.is_noted(Note.UNITS.at(taobao), in_yuan)
