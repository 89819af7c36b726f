"""Words of the service without the receiver that they quote."""

from __future__ import annotations

import pytest

from domain.addresses import without_receiver
from domain.orders import Receiver

RECEIVER = Receiver(
    name="Anna Maria Muster",
    phone="+49 170 1234567",
    email="anna@example.com",
    country="DE",
    state="",
    city="Bonn",
    zip="53111",
    address="Am Hof 5, Bonn",
)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("no delivery to Am Hof 5, Bonn", "no delivery to [address]"),
        ("no courier in BONN (53111)", "no courier in [city] ([zip])"),
        ("signed for by Anna Maria Muster", "signed for by [receiver_name]"),
        ("signed: A. MUSTER", "signed: A. [receiver_name]"),
        ("call 491701234567", "call [receiver_phone]"),
        ("call +49-170-123-4567!", "call [receiver_phone]!"),
        (
            "地址无效：Am Hof 5, Bonn，收件人Anna",
            "地址无效：[address]，收件人[receiver_name]",
        ),
        ("ask anna@example.com", "ask [receiver_email]"),
        ("nothing goes to DE", "nothing goes to DE"),
        ("parcel 153111 and BONNET", "parcel 153111 and BONNET"),
        ("", ""),
    ],
)
def test_what_tells_who_or_where_becomes_the_name_of_its_column(
    words: str, told: str
) -> None:
    assert without_receiver(words, RECEIVER) == told


def test_a_name_without_blanks_around_it_is_found() -> None:
    receiver = Receiver(
        name="王小明",
        phone="",
        email="",
        country="CN",
        state="",
        city="",
        zip="",
        address="",
    )
    assert (
        without_receiver("收件人王小明已签收", receiver)
        == "收件人[receiver_name]已签收"
    )
