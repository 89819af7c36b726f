"""The rows of some orders are left out of a text, and everything else in it stays as it
was.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from types import MappingProxyType

import pytest

from connectors.request_files import without_orders as module
from connectors.shop_files import shipped
from domain.shop_files import Profile

HEADER = "order_ref,item,receiver_name,receiver_phone,city,note\n"
HERS = 'A-1,1,王小明,"+1 508-555 0199",Xenopolis,"two\nlines"\n'
HIS = 'A-2,2,Ann,1,Berlin,"a ""quoted"" word"\n'


def without_orders(
    text: str,
    order_refs: Collection[str],
    wholes: Mapping[str, str] = MappingProxyType({}),
    profiles: Sequence[Profile] | None = None,
) -> tuple[str, set[str]]:
    return module.without_orders(
        text, order_refs, wholes, shipped() if profiles is None else profiles
    )


@pytest.mark.parametrize("begin", ["", "\n\n", "sep=,\n"])
def test_text_keeps_every_other_character(begin: str) -> None:
    """Quotes, line ends within cells, blank lines and what stands before the header."""
    text = f"{begin}{HEADER}{HERS}{HIS}{HERS}\n"
    assert without_orders(text, ["A-1"]) == (f"{begin}{HEADER}{HIS}\n", {"A-1"})
    assert without_orders(text, ["A-1", "A-2", "A-3"]) == (
        f"{begin}{HEADER}\n",
        {"A-1", "A-2"},
    )
    assert without_orders(text, ["A-3"]) == (text, set())


@pytest.mark.parametrize("delimiter", ["\t", ";"])
def test_tabs_and_semicolons_and_a_last_line_without_an_end(delimiter: str) -> None:
    head, hers = ("order_ref", " City "), ("A-1", "Xenopolis")
    text = "\r\n".join([delimiter.join(head), "A-2" + delimiter, delimiter.join(hers)])
    assert without_orders(text, ["A-1"]) == (
        f"{delimiter.join(head)}\r\nA-2{delimiter}\r\n",
        {"A-1"},
    )


def test_a_text_that_is_no_table_stays() -> None:
    """Also one with a cell larger than any reader takes."""
    for text in ("", "\n", '"never closed', f"{HEADER}A-1,{'x' * 200_000}"):
        assert without_orders(text, ["A-1"]) == (text, set())


def test_a_quote_that_is_never_closed_takes_no_other_orders_with_it() -> None:
    """To a reader all that follows is one cell of that row."""
    text = 'order_ref,receiver_name\nA-1,"Quentin\nA-2,Ann\n'
    assert without_orders(text, ["A-1"]) == (text, set())
    assert (
        without_orders(text.replace('"Q', '"Q"'), ["A-1"])[0]
        == "order_ref,receiver_name\nA-2,Ann\n"
    )


def test_lines_of_a_shop_s_export_go_by_the_name_that_its_orders_have_here() -> None:
    """An order that was split from another has the lines of the whole."""
    header = (
        "Name,Financial Status,Lineitem quantity,Lineitem name,Lineitem sku,Shipping Name,Shipping Country\n"
        "#1001,paid,1,Fern,FERN-1,Jane Doe,US\n"
    )
    other = "#10010,paid,1,Fern,FERN-1,John Doe,US\n"
    parts = {"S-1001-b": "S-1001", "A-1-taobao": "A-1"}
    assert without_orders(
        f"{header}#1001,,2,Moss,MOSS-1,,\n{other}", {"S-1001-b"}, parts
    ) == (
        header.splitlines(keepends=True)[0] + other,
        {"S-1001-b"},
    )
    own = "order_ref,own_sku,receiver_name\nA-1,FERN-1,Jane Doe\n"
    assert without_orders(own, {"A-1-taobao"}, parts) == (
        "order_ref,own_sku,receiver_name\n",
        {"A-1-taobao"},
    )
    assert without_orders(own, {"A-1-taobao"}) == (own, set()), (
        "it is another customer's, of a like name"
    )


def test_a_merchant_s_own_profile_and_amazon_s_quotes_are_read() -> None:
    columns = {"order_ref": "Order", "own_sku": "SKU", "quantity": "Qty"}
    own = Profile(
        shop="mine",
        title="my plugin",
        header=("Order", "SKU"),
        prefix="W-",
        columns=columns,
    )
    text = "Order,SKU,Qty,Name\n7,FERN-1,1,Jane Doe\n"
    assert without_orders(text, {"W-7"}, profiles=[own]) == (
        "Order,SKU,Qty,Name\n",
        {"W-7"},
    )
    header = "order-id\torder-item-id\tsku\tproduct-name\tquantity-to-ship\trecipient-name\tship-country\n"
    rows = [
        '1\t1\tFERN-1\t"Big fern\t1\tJane Doe\tUS\n',
        "2\t2\tFERN-1\tPot\t1\tJohn Doe\tUS\n",
    ]
    assert without_orders(header + "".join(rows), {"AMZ-1"}) == (
        header + rows[1],
        {"AMZ-1"},
    )
