"""Which freight service the merchant gets."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.money import Money
from domain.offers import FreightService, choose_freight


def service(service_id: str, fen: int, min_days: int, max_days: int) -> FreightService:
    return FreightService(
        service_id=service_id,
        company="YunExpress",
        category="air",
        price=Money(fen),
        min_days=min_days,
        max_days=max_days,
    )


SLOW_AND_CHEAP = service("21", 5000, 12, 20)
FAST_AND_DEAR = service("7", 19000, 3, 5)
BETWEEN = service("9", 9000, 6, 9)
ON_OFFER = (BETWEEN, SLOW_AND_CHEAP, FAST_AND_DEAR)
SERVICES = st.lists(
    st.builds(
        service,
        st.text(min_size=1, max_size=3),
        st.integers(1, 99),
        st.integers(1, 9),
        st.integers(9, 20),
    ),
    min_size=1,
    max_size=6,
).map(tuple)


@pytest.mark.parametrize(
    ("wish", "chosen"),
    [
        ("cheapest", SLOW_AND_CHEAP),
        ("fastest", FAST_AND_DEAR),
        ("9", BETWEEN),
        ("8", None),
        ("", None),
    ],
)
def test_the_wish_decides(wish: str, chosen: FreightService | None) -> None:
    assert choose_freight(ON_OFFER, wish) == chosen


@pytest.mark.parametrize("wish", ["cheapest", "fastest", "21"])
def test_nothing_on_offer_gives_nothing(wish: str) -> None:
    assert choose_freight((), wish) is None


def test_of_two_equally_cheap_the_faster_goes() -> None:
    assert choose_freight(
        (service("1", 5000, 8, 12), service("2", 5000, 4, 6)), "cheapest"
    ) == service("2", 5000, 4, 6)


def test_of_two_equally_fast_the_cheaper_goes() -> None:
    assert choose_freight(
        (service("1", 9000, 4, 6), service("2", 5000, 4, 6)), "fastest"
    ) == service("2", 5000, 4, 6)


def test_full_ties_fall_to_the_lower_service_id_in_any_order() -> None:
    freight_service = service("1", 5000, 4, 6)
    two = service("2", 5000, 4, 6)
    for wish in ("cheapest", "fastest"):
        assert (
            choose_freight((two, freight_service), wish)
            == choose_freight((freight_service, two), wish)
            == freight_service
        )


def test_a_service_that_tells_no_days_is_not_the_fastest() -> None:
    """By sea, say; where none tells them, a person chooses one. Of two equally cheap it
    goes after the other.
    """
    by_sea = service("1", 5000, 0, 0)
    assert choose_freight((by_sea, *ON_OFFER), "fastest") == FAST_AND_DEAR
    assert choose_freight((by_sea,), "fastest") is None
    assert choose_freight((by_sea, SLOW_AND_CHEAP), "cheapest") == SLOW_AND_CHEAP
    assert choose_freight((by_sea,), "cheapest") == by_sea


YEN = replace(service("3", 4000, 3, 5), price=Money(4000, "JPY"))


@pytest.mark.parametrize(
    ("wish", "currency", "chosen"),
    [
        ("cheapest", None, None),
        ("cheapest", "EUR", None),
        ("cheapest", "CNY", SLOW_AND_CHEAP),
        ("cheapest", "JPY", YEN),
        ("fastest", None, None),
        ("fastest", "CNY", FAST_AND_DEAR),
        ("3", None, YEN),
    ],
)
def test_prices_in_two_currencies_are_not_compared(
    wish: str, currency: str | None, chosen: FreightService | None
) -> None:
    """4,000 yen are no less than 5,000 fen because of the figure. What was approved
    says in which one to look.
    """
    assert choose_freight((*ON_OFFER, YEN), wish, currency) == chosen


def test_the_fastest_needs_no_comparing_of_prices() -> None:
    assert choose_freight((SLOW_AND_CHEAP, YEN), "fastest") == YEN


@given(SERVICES)
def test_no_other_service_is_cheaper_than_the_cheapest_or_faster_than_the_fastest(
    services: tuple[FreightService, ...],
) -> None:
    cheapest = choose_freight(services, "cheapest")
    fastest = choose_freight(services, "fastest")
    assert cheapest is not None
    assert fastest is not None
    assert cheapest.price == min(offered.price for offered in services)
    assert fastest.max_days == min(offered.max_days for offered in services)
