"""What is kept of a request once its order is planned."""

from __future__ import annotations

from dataclasses import replace

from domain.money import Money
from domain.orders import NOBODY, RequestLine, lines_without_limit, without_texts
from tests.flows.plans import planned


def test_a_planned_request_keeps_its_name_and_its_lines_without_a_limit() -> None:
    limited = RequestLine(row=2, item="1", sku="2", quantity=1, max_unit_price=Money(990))
    free = replace(limited, row=3, max_unit_price=None)
    whole = replace(planned("A-1").request, lines=(limited, free))

    (kept,) = without_texts([whole])

    assert (kept.order_ref, kept.marketplace, kept.receiver, kept.lines) == ("A-1", whole.marketplace, NOBODY, (free,))
    assert lines_without_limit([kept]) == lines_without_limit([whole]) == 1
