"""Which pasted lines name an order."""

from __future__ import annotations

import pytest

from deployments.forgetting import is_named

LINES = 'order_ref,receiver_name\nA-1,Quentin\n#1001,Ann\n"B-2",Bo\nC-3\tCe\n'


@pytest.mark.parametrize("order_ref", ["A-1", "1001", "B-2", "C-3"])
def test_an_order_is_named_in_any_cell(order_ref: str) -> None:
    assert is_named(order_ref, LINES)


@pytest.mark.parametrize("order_ref", ["A", "1", "100", "B-", "2", "-3"])
def test_a_part_of_a_reference_is_none(order_ref: str) -> None:
    assert not is_named(order_ref, LINES)
