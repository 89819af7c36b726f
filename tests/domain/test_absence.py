"""When not seeing an order proves that there is none."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from domain.absence import (
    EVER,
    Absent,
    Account,
    Between,
    Control,
    FirstPage,
    Misread,
    OwnRecord,
    Reading,
    Sent,
    could_be_ours,
    judge_absence,
)
from domain.money import Money
from domain.service_orders import ReferenceField, ServiceOrder, ServiceStatus
from domain.witnessed import Contradicted, Lack, Open, Source, Statement, words_of

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
BOTH = frozenset(ReferenceField)
MESSAGE_ONLY = frozenset({ReferenceField.REFERENCE})
SENT = Sent(order_ref="R-1", places=BOTH, at=NOON, until=NOON + timedelta(minutes=17))
LATER = SENT.until + timedelta(minutes=30)


def ours(number: int, minutes: float) -> Control:
    """C-`number`, an order of ours with that id, ordered so many minutes after the
    create began.
    """
    return Control(
        order_ref=f"C-{number}",
        order_id=str(number),
        ordered_at=NOON + timedelta(minutes=minutes),
    )


OLDER = ours(1, -120)
YOUNGER = ours(2, 17)


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


def reading(*orders: ServiceOrder, **values: Any) -> Reading:
    findings: dict[str, list[ServiceOrder]] = {}
    for order in orders:
        for name in order.names:
            findings.setdefault(name, []).append(order)
    read: dict[str, Any] = {"covers": EVER, "unbroken": True, "ended": True, **values}
    return Reading(found=findings, listed=orders, **read)


def verdict(
    *orders: ServiceOrder,
    places: frozenset[ReferenceField] = BOTH,
    controls: tuple[Control, ...] = (OLDER,),
    asked_at: datetime = LATER,
    **values: Any,
) -> object:
    account = Account(controls=controls)
    return judge_absence(
        replace(SENT, places=places), reading(*orders, **values), account, asked_at
    )


def lack(judged: object) -> Lack:
    assert isinstance(judged, Open)
    return judged.lacks


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
def test_an_older_order_of_ours_in_the_same_place_is_a_witness(
    control: ServiceOrder, places: frozenset[ReferenceField]
) -> None:
    """Shown by its reference where the one that is looked for would have it too."""
    sent = replace(SENT, places=places)
    covers = FirstPage(since=EVER, read_at=LATER)
    assert verdict(control, places=places) == Between(
        sent=sent, older=OLDER, younger=covers
    )


@pytest.mark.parametrize(
    "control",
    [
        shown(),
        shown(reference="C-10"),
        shown("2", reference="C-1"),
        shown(own_id="c-1"),
    ],
)
def test_anything_else_proves_nothing(control: ServiceOrder) -> None:
    """Shown without its reference, with nearly that, or an order of somebody else under
    it.
    """
    assert lack(verdict(control)) is Lack.OLDER_ORDER
    assert lack(verdict()) is Lack.OLDER_ORDER


def test_an_order_sent_without_the_own_id_is_not_missed_by_it() -> None:
    """A program before, or the setting, left it out: a list that shows only that can't
    show the order.
    """
    judged = verdict(shown(own_id="C-1"), places=MESSAGE_ONLY)
    assert isinstance(judged, Open)
    assert judged.known == (Statement(source=Source.LISTED, value="outOrderId"),)


@pytest.mark.parametrize(
    ("minutes", "is_older"),
    [(-600, True), (-10, True), (-9, False), (0, False), (480, False)],
)
def test_an_order_of_the_same_minutes_is_no_older_witness(
    minutes: int,
    is_older: bool,  # noqa: FBT001
) -> None:
    """Clocks may be ten minutes apart; and a time filter that is read in another zone
    hides the older.
    """
    judged = verdict(shown(reference="C-1"), controls=(ours(1, minutes),))
    assert isinstance(judged, Between) is is_older


@pytest.mark.parametrize(("minutes", "proves"), [(16, False), (17, True)])
def test_a_younger_order_speaks_for_a_list_that_may_lag(
    minutes: int,
    proves: bool,  # noqa: FBT001
) -> None:
    """Ordered when what was sent could arrive no more: a list that shows it would show
    that too.
    """
    controls = (OLDER, ours(2, minutes))
    orders = (shown("1", "C-1"), shown("2", "C-2"))
    judged = verdict(*orders, controls=controls, asked_at=SENT.until, covers=None)
    assert isinstance(judged, Between) is proves


@pytest.mark.parametrize("values", [{"unbroken": False}, {"controls": (OLDER,)}])
def test_without_a_younger_witness_the_first_page_must_reach_back(
    values: dict[str, Any],
) -> None:
    """The pages may leave something out between two orders, or hide what is
    youngest.
    """
    orders = (shown("1", "C-1"), shown("2", "C-2"))
    inputs = {"controls": (OLDER, YOUNGER), **values}
    assert lack(verdict(*orders, covers=None, **inputs)) is Lack.YOUNGER_ORDER
    assert (
        lack(verdict(*orders, covers=NOON - timedelta(minutes=9), **inputs))
        is Lack.YOUNGER_ORDER
    )
    assert isinstance(
        verdict(*orders, covers=NOON - timedelta(minutes=10), **inputs), Between
    )


def test_a_list_without_a_younger_order_is_given_time() -> None:
    """It may be read from a copy that follows: no question, but another look."""
    early = verdict(shown("1", "C-1"), asked_at=LATER - timedelta(seconds=1))
    assert isinstance(early, Open)
    assert (early.lacks, early.again_at) == (Lack.YOUNGER_ORDER, LATER)


@pytest.mark.parametrize("lacks", [Lack.READABLE_ROWS, Lack.WHOLE_LIST])
def test_a_reading_with_a_flaw_proves_nothing(lacks: Lack) -> None:
    """However many orders it shows."""
    assert lack(verdict(shown(reference="C-1"), lacks=lacks)) is lacks


ODD = Misread(field="productItems.0.quantity", order_id="9")


@pytest.mark.parametrize(
    ("row", "is_proof"),
    [
        (replace(ODD, names=("a colleague's",)), True),
        (replace(ODD, order_id="4"), True),
        (replace(ODD, created_at=NOON - timedelta(days=2)), True),
        (replace(ODD, created_at=NOON - timedelta(hours=8)), False),
        (ODD, False),
        (Misread(field="id"), False),
    ],
)
def test_a_row_that_does_not_fit_and_is_another_s_hides_nothing(
    row: Misread,
    is_proof: bool,  # noqa: FBT001
) -> None:
    """By its reference, its id, or since it is long older; any other may be the order
    that is looked for.
    """
    account = Account(controls=(OLDER,), accounted={"4"})
    read = reading(shown(reference="C-1"), lacks=Lack.READABLE_ROWS, misread=[row])
    judged = judge_absence(SENT, read, account, LATER)
    assert isinstance(judged, Between) is is_proof
    if isinstance(judged, Open):
        assert judged.known == (Statement(source=Source.LISTED, value=str(row)),)


@pytest.mark.parametrize("name", [SENT.order_ref, SENT.order_ref.lower()])
def test_a_row_that_does_not_fit_under_the_reference_may_be_the_order(
    name: str,
) -> None:
    read = reading(
        shown(reference="C-1"),
        lacks=Lack.READABLE_ROWS,
        misread=[replace(ODD, names=(name,))],
    )
    assert isinstance(
        judge_absence(SENT, read, Account(controls=(OLDER,)), LATER), Contradicted
    )


def test_without_an_older_order_of_ours_nothing_proves() -> None:
    """Nor does a whole list of which every order is accounted for, in a confirmed
    account.
    """
    account = Account(controls=(YOUNGER,), accounted={"7", "2"}, confirmed_at=NOON)
    read = reading(shown("7"), shown("2", "C-2"))
    assert lack(judge_absence(SENT, read, account, LATER)) is Lack.OLDER_ORDER


@pytest.mark.parametrize(
    ("order_ref", "name", "is_meant"),
    [
        ("R-1", "r-1", True),
        ("R-1", '"R-1"', True),
        ("R-1", "R-10", False),
        ("R-1", "R", False),
        ("Lot-2026-North-West-1", "Lot-2026-North-West-", True),
        ("Lot-2026-North-West-1", "Lot-2026-North-West-2", False),
    ],
)
def test_a_reference_that_is_written_otherwise_may_be_its_own(
    order_ref: str,
    name: str,
    is_meant: bool,  # noqa: FBT001
) -> None:
    """At a living order of which nothing is known: older ones of ours may be too short
    to be cut.
    """
    sent = replace(SENT, order_ref=order_ref)
    read = reading(shown("1", "C-1"), shown("8", name))
    judged = judge_absence(sent, read, Account(controls=(OLDER,)), LATER)
    assert isinstance(judged, Contradicted) is is_meant
    expected = judge_absence(
        sent, read, Account(controls=(OLDER,), accounted={"8"}), LATER
    )
    assert isinstance(expected, Between)


@pytest.mark.parametrize(
    ("order", "is_wrong"),
    [
        (shown("1", reference="R-9"), False),
        (shown("4", reference="X"), False),
        (replace(shown("4", reference="R-9"), status=ServiceStatus.CLOSED), False),
        (shown("4", reference="R-9"), True),
        (shown("4", own_id="R-9"), True),
    ],
)
def test_a_reference_of_ours_at_another_order_is_wrong(
    order: ServiceOrder,
    is_wrong: bool,  # noqa: FBT001
) -> None:
    """A closed one may have been ordered anew; what is nobody's of ours says
    nothing.
    """
    account = Account(controls=(OLDER,), ids={"R-9": "1"})
    judged = judge_absence(SENT, reading(shown("1", "C-1"), order), account, LATER)
    assert isinstance(judged, Contradicted) is is_wrong
    if isinstance(judged, Contradicted):
        assert (
            words_of(judged)
            == "the ledger shows R-9 as 1, and the order list shows R-9 as 4"
        )


def test_a_proof_of_absence_can_t_be_made_without_its_witnesses() -> None:
    """Not with one of the wrong side, not before the list has caught up, and not while
    it may still arrive.
    """
    covers = FirstPage(since=EVER, read_at=LATER)
    record = OwnRecord(shown=Statement(source=Source.DETAIL, value="x"))
    Between(sent=SENT, older=OLDER, younger=covers)
    wrong: list[tuple[Control, Control | FirstPage]] = [
        (ours(1, -9), covers),
        (OLDER, ours(2, 16)),
        (OLDER, FirstPage(since=NOON, read_at=LATER)),
        (OLDER, FirstPage(since=EVER, read_at=SENT.until)),
    ]
    for older, younger in wrong:
        with pytest.raises(ValueError, match="does not lie between its witnesses"):
            Between(sent=SENT, older=older, younger=younger)
    with pytest.raises(ValueError, match="may still arrive"):
        Absent(unseen=record, asked_at=NOON, clear_at=LATER)


def test_only_orders_that_show_no_reference_at_all_could_be_ours() -> None:
    """Known ones, those of which a person said so, and those with somebody's reference
    are not.
    """
    service_order = shown("1")
    foreign = shown("2")
    theirs = shown("3", reference="X")
    bare = shown("4")
    assert could_be_ours(
        [service_order, foreign, theirs, bare], Account(accounted={"1", "2"})
    ) == [bare]


def test_where_references_show_an_order_without_one_is_nobody_of_ours() -> None:
    """One order of ours that shows its own reference is enough."""
    assert (
        could_be_ours([shown("1", own_id="R-1"), shown("4")], Account(ids={"R-1": "1"}))
        == ()
    )
