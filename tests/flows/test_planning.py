"""What planning hands to Prefect."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import pytest
from prefect.utilities.collections import visit_collection

from domain.decisions import refused
from domain.orders import OrderRequest
from flows.planning import plan_orders
from tasks.resources import Resources
from tests.flows.plans import planned

GATE = SimpleNamespace(is_over=False)
LEDGER = SimpleNamespace(keep_matches=lambda _rows: None)
RESOURCES = cast(Resources, SimpleNamespace(ledger=LEDGER, gate=GATE))
CHUNK = 10


def requests(count: int) -> list[OrderRequest]:
    """Orders of one item each, all different."""
    template = planned("A").request
    return [
        replace(
            template, order_ref=f"A-{number}", lines=(replace(template.lines[0], item=str(600_000_000_000 + number)),)
        )
        for number in range(count)
    ]


def walked_by_prefect(parameters: Sequence[object]) -> int:
    """How many objects Prefect looks at before a task with these parameters begins."""
    seen: list[object] = []
    visit_collection(list(parameters), visit_fn=seen.append)
    return len(seen)


@pytest.mark.parametrize("count", [20, 400])
async def test_a_chunk_costs_the_same_in_a_large_batch(monkeypatch: pytest.MonkeyPatch, count: int) -> None:
    """Prefect walks the parameters of each chunk: with the offers of all chunks a batch would take quadratic time."""
    walked: list[int] = []

    async def search(_resources: Resources, items: Any, found: Any, *, label: str) -> None:
        found |= dict.fromkeys(items, refused("taobao has no such item"))

    async def preview(_resources: Resources, batch: Any, *parameters: Any, label: str) -> None:
        assert all((one.marketplace, one.lines[0].item) in parameters[0] for one in batch)
        walked.append(walked_by_prefect(parameters))

    monkeypatch.setattr("flows.planning.search_items", search)
    monkeypatch.setattr("flows.planning.preview_orders", preview)
    await plan_orders(RESOURCES, requests(count), chunk_size=CHUNK)
    assert walked == [4] * (count // CHUNK)  # the list of the three, and each of them as a whole
