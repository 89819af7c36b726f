"""1688 is paid by another call than an earlier program's: what that one proved of
payments there counts no more.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text

from connectors.ledger.evidence import taken_at_once
from connectors.ledger.plans import put_rows
from connectors.ledger.records import OrderChange
from connectors.ledger.store import Ledger
from connectors.xportcn.settings import XportcnSettings
from domain.effects import Action
from domain.marketplace import Marketplace
from domain.states import OrderState
from tests.clock import MovableClock
from tests.connectors.ledger.plans import plan
from tests.connectors.ledger.test_debits import pays
from tests.connectors.ledger.test_first_orders import claims, done, ordered

TAOBAO, ALIBABA = Marketplace.TAOBAO, Marketplace.ALIBABA_1688
OLD, NEW = [f"B-{n}" for n in (1, 2, 3)], [f"B-{n}" for n in (4, 5, 6, 7)]
ACCOUNT = {
    "base_url": "https://example.com/api",
    "access_key": "a",
    "access_secret": "b",
    "user_id": "c",
}


@pytest.fixture
def before(ledger: Ledger, clock: MovableClock) -> Ledger:
    """Three payments at each of two marketplaces, taken at once; a person has confirmed
    the first of each.
    """
    put_rows(
        ledger, [plan("A-3"), *(plan(ref, marketplace=ALIBABA) for ref in (*OLD, *NEW))]
    )
    for ref in ("A-1", "A-2", "A-3", *OLD):
        pays(ledger, clock, ref, 2)
    ledger.first_orders.answer(TAOBAO, "A-1", otherwise="", by="mei")
    ledger.first_orders.answer(ALIBABA, "B-1", otherwise="", by="mei")
    return ledger


def upgraded(ledger: Ledger, clock: MovableClock, version: str = "0024") -> Ledger:
    """The ledger as this program opens one that an earlier one left."""
    with ledger.transaction() as connection:
        connection.execute(
            text("UPDATE alembic_version SET version_num = :version"),
            {"version": version},
        )
    later = Ledger(ledger.url, clock=clock, owner="later", asks_first=True)
    clock.advance((datetime.now(UTC) - clock() + timedelta(minutes=1)).total_seconds())
    return later


def test_the_first_payment_by_the_new_call_is_asked_about_once_more(
    before: Ledger, clock: MovableClock
) -> None:
    """About itself, not about one of the earlier ones; further orders wait for the
    answer, at 1688 alone.
    """
    with upgraded(before, clock) as later:
        assert (later.first_orders.asked(), later.first_orders.unproven()) == (
            {},
            {ALIBABA},
        )
        ordered(later, "B-4")
        assert claims(later, "B-4", action=Action.PAY) == {"B-4"}
        assert later.first_orders.asked() == {ALIBABA: "B-4"}
        assert claims(later, "B-5") == set()
        later.first_orders.answer(ALIBABA, "B-4", otherwise="", by="mei")
        assert claims(later, "B-5", "B-6") == {"B-5", "B-6"}
        assert (later.first_orders.asked(), later.first_orders.unproven()) == (
            {},
            set(),
        )


def test_where_goods_have_arrived_it_is_asked_and_nothing_is_held(
    before: Ledger, clock: MovableClock
) -> None:
    before.change([OrderChange(order_ref="B-1", state=OrderState.HELD)])
    before.change([OrderChange(order_ref="B-1", state=OrderState.DELIVERED)])
    with upgraded(before, clock) as later:
        ordered(later, "B-4", "B-5")
        assert claims(later, "B-4", "B-5", action=Action.PAY) == {"B-4", "B-5"}
        assert later.first_orders.asked() == {ALIBABA: "B-4"}
        assert later.first_orders.unproven() == {ALIBABA}


def test_an_order_that_waited_to_be_paid_at_the_upgrade_goes_first(
    before: Ledger, clock: MovableClock
) -> None:
    """A payment without an answer is of the old call, and keeps no order waiting."""
    ordered(before, "B-4", "B-5")
    claims(before, "B-4", action=Action.PAY)
    with upgraded(before, clock) as later:
        assert claims(later, "B-5", action=Action.PAY) == {"B-5"}
        assert later.first_orders.asked() == {ALIBABA: "B-5"}
        done(later, "B-5", OrderState.PAYMENT_PENDING, Action.PAY)
        assert claims(later, "B-6") == set()


def test_earlier_payments_propose_no_debit(before: Ledger, clock: MovableClock) -> None:
    """Three by the new call do. Another marketplace's are as good as ever."""
    assert [len(taken_at_once(before, one)) for one in (TAOBAO, ALIBABA)] == [3, 3]
    with upgraded(before, clock) as later:
        assert [len(taken_at_once(later, one)) for one in (TAOBAO, ALIBABA)] == [3, 0]
        later.asks_first = False
        for ref in NEW[:3]:
            pays(later, clock, ref, 2)
        assert sorted(taken_at_once(later, ALIBABA)) == NEW[:3]


@pytest.mark.parametrize(
    ("pay_is", "there", "debits"),
    [
        ("debit", ACCOUNT["base_url"], False),
        ("1688=debit", ACCOUNT["base_url"], True),
        ("taobao=debit,1688=debit", ACCOUNT["base_url"], True),
        ("debit", "http://127.0.0.1:1", True),
    ],
)
def test_a_debit_of_all_marketplaces_is_not_taken_for_1688_before_the_answer(
    before: Ledger, clock: MovableClock, pay_is: str, there: str, *, debits: bool
) -> None:
    """One written for 1688 is, and a sandbox's."""
    settings = XportcnSettings.model_validate(
        {**ACCOUNT, "pay_is": pay_is, "base_url": there}
    )
    with upgraded(before, clock) as later:
        now = settings.doubting(later.first_orders.unproven())
        assert now.debits_at_once(ALIBABA) is debits
        assert now.debits_at_once(TAOBAO) is settings.debits_at_once(TAOBAO)
        assert now.debits_at_once(Marketplace.POIZON) is settings.debits_at_once(
            Marketplace.POIZON
        )
        later.first_orders.answer(ALIBABA, "B-4", otherwise="", by="mei")
        assert settings.doubting(later.first_orders.unproven()).debits_at_once(ALIBABA)


def test_a_ledger_that_paid_nothing_there_is_as_new(
    ledger: Ledger, clock: MovableClock
) -> None:
    pays(ledger, clock, "A-1", 2)
    with upgraded(ledger, clock) as later:
        assert later.first_orders.unproven() == set()
