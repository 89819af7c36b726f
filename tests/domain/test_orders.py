"""What is kept of requests once their orders are planned."""

from __future__ import annotations

from dataclasses import replace

from domain.money import Money
from domain.orders import RequestLine, lines_without_limit, marketplaces_of
from tests.flows.plans import planned


def test_of_planned_requests_their_names_marketplaces_and_the_count_of_lines_without_a_limit_are_kept() -> (
    None
):
    limited = RequestLine(
        row=2, item="1", sku="2", quantity=1, max_unit_price=Money(990)
    )
    free = replace(limited, row=3, max_unit_price=None)
    request = replace(planned("A-1").request, lines=(limited, free))

    assert marketplaces_of([request]) == {"A-1": request.marketplace}
    assert lines_without_limit([request]) == 1
