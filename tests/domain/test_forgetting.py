"""What is erased of a receiver in words, and what stays readable."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.forgetting import FORGOTTEN, Mentions

MAY = {
    "name": "May Müller 王",
    "phone": "+49 30 5551234",
    "email": "may@x.example",
    "country": "DE",
    "zip": "100",
}
MENTIONS = Mentions.of(
    {**MAY, "city": "York", "state": "NY", "address": "Elm Street 1"}
)


@pytest.mark.parametrize(
    ("said", "erased"),
    [
        ("signed by MAY at york", f"signed by {FORGOTTEN} at {FORGOTTEN}"),
        ("it may have happened in Yorkshire", "it may have happened in Yorkshire"),
        (
            "0 in stock, costs 100.50 CNY, zip 100",
            f"0 in stock, costs 100.50 CNY, zip {FORGOTTEN}",
        ),
        ("call +49 30 5551234 or 49305551234", f"call {FORGOTTEN} or {FORGOTTEN}"),
        ("送至王先生", f"送至{FORGOTTEN}先生"),
        ("NY is no word that tells", "NY is no word that tells"),
        ("MAY@X.EXAMPLE,elm street 1", f"{FORGOTTEN},{FORGOTTEN}"),
    ],
)
def test_words_of_an_order_name_nobody_any_more(said: str, erased: str) -> None:
    """Whole parts in any case, single names as they are written; not what merely has
    the same letters.
    """
    assert MENTIONS.erased(said) == erased


def test_only_what_points_to_one_person_is_looked_for_anywhere() -> None:
    """Not a city, a postcode or a short word, and not what another order still
    needs.
    """
    assert MENTIONS.identifying == {
        "May Müller 王",
        "+49 30 5551234",
        "49305551234",
        "may@x.example",
        "Elm Street 1",
    }
    assert MENTIONS.without(
        ["may müller 王", "Elm Street 1, Berlin", "+49 30 5551234"]
    ) == {
        "49305551234",
        "may@x.example",
    }
    assert Mentions.of({"name": "Ann", "city": " ", "country": "US"}).receiver == {
        "name": "Ann"
    }
    assert Mentions.of({}).erased("anything") == "anything"


@settings(max_examples=50)
@given(st.text(min_size=3, max_size=12), st.text(max_size=8), st.text(max_size=8))
def test_no_telling_part_survives(name: str, before: str, after: str) -> None:
    mentions = Mentions.of({"name": name})
    for text in mentions.identifying:
        assert text not in mentions.erased(f"{before}{text}{after}").replace(
            FORGOTTEN, "\0"
        )
