"""An answer that quotes the receiver of its request: the words are struck, and nothing
else.
"""

from __future__ import annotations

from connectors.xportcn.envelope import Opened, without_the_receiver
from connectors.xportcn.operations import warehouse
from connectors.xportcn.operations.taobao_order import (
    Address,
    OrderPageRequest,
    RenderRequest,
)

ADDRESS = Address(
    country="US",
    state="Ohio",
    city="Dayton",
    district="",
    address="12 Example Road",
    zip="45402",
    name="Jane Example",
    phone="9375550142",
    mobile_phone="9375550142",
)
RENDER = RenderRequest(receiver=ADDRESS, warehouse_address=ADDRESS, render_item_list=())


def opened(words: str, data: object = None) -> Opened:
    return Opened(code="400", words=words, request_id="r", ok=False, data=data)


def test_words_are_struck_and_ids_amounts_and_titles_stay() -> None:
    line = {
        "itemId": "9375550142",
        "price": 45402,
        "title": "Dayton bag",
        "errorMessage": "none to Dayton 45402",
    }
    answer = without_the_receiver(
        opened("bad phone 9375550142", {"orders": [{"lines": [line]}]}), RENDER
    )
    assert answer is not None
    assert answer.words == "bad phone [receiver_phone]"
    assert answer.data == {
        "orders": [{"lines": [{**line, "errorMessage": "none to [city] [zip]"}]}]
    }


def test_freight_is_asked_for_with_a_receiver_too() -> None:
    to = warehouse.RenderAddress(
        name="Jane Example",
        email="jane@example.com",
        phone="9375550142",
        mobile_phone="9375550142",
        address="12 Example Road",
        tax_id="",
        country="US",
        state="Ohio",
        city="Dayton",
        zip="45402",
    )
    request = warehouse.RenderRequest(receiver_address=to, render_items=())
    answer = without_the_receiver(
        opened("no way to 12 Example Road, Dayton, Ohio"), request
    )
    assert answer is not None
    assert answer.words == "no way to [address], [city], [state]"


def test_what_names_no_receiver_is_not_looked_through() -> None:
    answer = opened("Dayton", {"message": "Dayton"})
    assert (
        without_the_receiver(answer, OrderPageRequest(page_no=1, page_size=1)) is answer
    )
    assert without_the_receiver(None, RENDER) is None
