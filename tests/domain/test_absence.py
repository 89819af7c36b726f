"""When not seeing an order proves that there is none."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from domain.absence import Control, Reading, Sent, could_be_ours, misnamed, why_unproven
from domain.money import Money
from domain.service_orders import Place, ServiceOrder, ServiceStatus

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
BOTH, MESSAGE_ONLY = frozenset(Place), frozenset({Place.REFERENCE})
CONTROL = Control(order_ref="C-1", order_id="1", ordered_at=NOON - timedelta(hours=2))


def shown(order_id: str = "1", reference: str = "", own_id: str = "") -> ServiceOrder:
    return ServiceOrder(
        order_id=order_id,
        reference=reference,
        own_id=own_id,
        status=ServiceStatus.UNPAID,
        total=Money(100),
        paid=None,
        created_at=None,
    )


def verdict(*orders: ServiceOrder, places: frozenset[Place] = BOTH, control: Control = CONTROL, flaw: str = "") -> str:
    reading = Reading(found={"C-1": orders} if orders else {}, listed=orders, flaw=flaw)
    return why_unproven(Sent(order_ref="R-1", places=places, at=NOON), reading, [control])


@pytest.mark.parametrize(
    ("control", "places"),
    [
        (shown(reference="C-1"), BOTH),
        (shown(reference="C-1"), MESSAGE_ONLY),
        (shown(own_id="C-1"), BOTH),
        (shown(reference="C-1", own_id="C-1"), MESSAGE_ONLY),
        (shown(reference="C-1", own_id="the service's own"), MESSAGE_ONLY),
    ],
)
def test_an_order_of_ours_in_the_same_place_proves_absence(control: ServiceOrder, places: frozenset[Place]) -> None:
    """Shown by its reference where the one that is looked for would have it too."""
    assert verdict(control, places=places) == ""


@pytest.mark.parametrize(
    "control", [shown(), shown(reference="C-10"), shown("2", reference="C-1"), shown(own_id="c-1")]
)
def test_anything_else_proves_nothing(control: ServiceOrder) -> None:
    """Shown without its reference, with nearly that, or an order of somebody else under it."""
    assert verdict(control).startswith("nothing shows it, but nothing shows an older order of ours")
    assert verdict().startswith("nothing shows it, but nothing shows an older order of ours")


def test_an_order_sent_without_the_own_id_is_not_missed_by_it() -> None:
    """A program before, or the setting, left it out: a list that shows only that can't show the order."""
    words = "the list shows our orders by their outOrderId, and R-1 was sent without it"
    assert verdict(shown(own_id="C-1"), places=MESSAGE_ONLY) == words


@pytest.mark.parametrize(("minutes", "proves"), [(-600, True), (0, True), (10, True), (11, False), (480, False)])
def test_a_younger_order_does_not_speak_for_an_older_one(minutes: int, proves: bool) -> None:  # noqa: FBT001
    """A time filter that is read in another zone hides the older and shows the younger."""
    control = Control(order_ref="C-1", order_id="1", ordered_at=NOON + timedelta(minutes=minutes))
    assert (verdict(shown(reference="C-1"), control=control) == "") is proves


def test_a_reading_with_a_flaw_proves_nothing() -> None:
    """However many orders it shows."""
    assert verdict(shown(reference="C-1"), flaw="2 rows could not be read") == "2 rows could not be read"


def test_only_orders_that_show_no_reference_at_all_could_be_ours() -> None:
    """Known ones, those of which a person said so, and those with somebody's reference are not."""
    known, not_ours, theirs, bare = shown("1"), shown("2"), shown("3", reference="X"), shown("4")
    assert could_be_ours([known, not_ours, theirs, bare], {"1": "R-1"}, ["2"]) == [bare]


def test_where_references_show_an_order_without_one_is_nobody_of_ours() -> None:
    """One order of ours that shows its own reference is enough."""
    assert could_be_ours([shown("1", own_id="R-1"), shown("4")], {"1": "R-1"}, []) == ()


@pytest.mark.parametrize(
    ("order", "words"),
    [
        (shown("1", reference="R-1"), ""),
        (shown("4", reference="X"), ""),
        (replace(shown("4", reference="R-1"), status=ServiceStatus.CLOSED), ""),
        (shown("4", reference="R-1"), "the list shows R-1, which is order 1, as order 4 too"),
        (shown("4", own_id="R-1"), "the list shows R-1, which is order 1, as order 4 too"),
    ],
)
def test_a_reference_of_ours_at_another_order_is_wrong(order: ServiceOrder, words: str) -> None:
    """A closed one may have been ordered anew; what is nobody's of ours says nothing."""
    assert misnamed([order], {"R-1": "1"}) == words
