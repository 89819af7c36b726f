"""Which part of a batch a run buys, and when there are several."""

from __future__ import annotations

from uuid import uuid4

import pytest
from prefect.client.schemas.objects import FlowRun
from prefect.states import Completed

from domain.request_remarks import BadInput
from flows.batch.parts import Part, buy_in_parts, count_parts
from flows.finish_open import finish_open

REFS = [f"A-{number}" for number in range(1_000)]


def test_each_order_is_in_one_part() -> None:
    parts = [Part(number, 4).take(REFS) for number in (1, 2, 3, 4)]
    assert sorted(ref for part in parts for ref in part) == sorted(REFS)
    assert min(map(len, parts)) > 200


def test_a_part_is_read_or_refused() -> None:
    assert Part.read("2/4") == Part(2, 4)
    for text in ("", "2", "0/4", "5/4", "a/b", "-1/4", "1/0"):
        with pytest.raises(BadInput, match="give one such as 2/4"):
            Part.read(text)


@pytest.mark.parametrize(
    ("asked", "orders", "parts"),
    [(0, 5_000, 1), (0, 5_001, 4), (1, 9_000, 1), (3, 10, 3)],
)
def test_a_large_batch_has_four_parts_unless_a_person_says_how_many(
    asked: int, orders: int, parts: int
) -> None:
    assert count_parts(asked, orders, is_postgres=True, has_pool=True) == parts


def test_without_postgresql_or_a_pool_one_run_buys_all() -> None:
    for is_postgres, has_pool in ((False, True), (True, False)):
        given = {"is_postgres": is_postgres, "has_pool": has_pool}
        assert count_parts(0, 9_000, **given) == 1
        with pytest.raises(BadInput, match="on PostgreSQL"):
            count_parts(2, 10, **given)


async def test_a_part_is_started_with_the_parameters_of_its_flow(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Prefect refuses a run with a parameter that its flow does not have."""
    started: list[dict[str, str]] = []

    async def start(_: str, *, parameters: dict[str, str], **__: object) -> FlowRun:
        started.append(parameters)
        return FlowRun(flow_id=uuid4(), state=Completed())

    monkeypatch.setattr("flows.batch.parts.arun_deployment", start)
    await buy_in_parts("batch", 2)
    for parameters in started:
        finish_open.validate_parameters(parameters)
    assert [one["part"] for one in started] == ["1/2", "2/2"]
