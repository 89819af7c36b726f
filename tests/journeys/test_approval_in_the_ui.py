"""Approval under a deployment: one run ends with its plan, another one answers."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from prefect.client.orchestration import PrefectClient, get_client
from prefect.client.schemas.filters import (
    ArtifactCollectionFilter,
    ArtifactCollectionFilterKey,
)
from prefect.client.schemas.objects import ArtifactCollection, State
from prefect.flow_engine import run_flow_async
from pydantic import TypeAdapter

from connectors.ledger.outbox import StoredMessage
from connectors.ledger.store import Ledger
from flows import approve_batch as approving
from flows.approve_batch import approve_batch
from flows.buy_from_file import buy_from_file
from tasks.engine.resources import utc_now
from tests.history import all_orders
from tests.notified import taken_messages
from tests.running import Merchant, single_line_orders, write_csv


class Deployed:
    """Runs of two deployments, carried out in this process as a worker's process
    does.
    """

    def __init__(self, client: PrefectClient, merchant: Merchant) -> None:
        self.client = client
        self.merchant = merchant

    async def run(self, flow: Any, **given: Any) -> State[Any]:
        """A run of a flow's deployment, with the defaults of its form."""
        flow_id = await self.client.create_flow(flow)
        schema = flow.parameters.model_dump()
        deployment = await self.client.create_deployment(
            flow_id, flow.name, parameter_openapi_schema=schema
        )
        run = await self.client.create_flow_run_from_deployment(
            deployment, parameters=given
        )
        state = await run_flow_async(
            flow, flow_run=run, parameters=run.parameters, return_type="state"
        )
        return TypeAdapter(State[Any]).validate_python(state)

    async def plan(self, file: Path, **given: Any) -> State[Any]:
        await self.run(approve_batch, batch="none-yet", plan_hash="")
        expected = {"requests": {"file": str(file)}, "dry_run": False, "batch": "b"}
        return await self.run(buy_from_file, **expected, **given)

    async def answer(self, link: str, **given: Any) -> State[Any]:
        """The form as the link fills it in, and as a person changes it."""
        return await self.run(approve_batch, **filled_in(link), **given)

    async def newest(self, key: str) -> ArtifactCollection:
        artifact_collection_filter = ArtifactCollectionFilter(
            key=ArtifactCollectionFilterKey(any_=[key])
        )
        [artifact] = await self.client.read_latest_artifacts(
            artifact_filter=artifact_collection_filter
        )
        return artifact


def filled_in(link: str) -> dict[str, Any]:
    """The parameters of a link to a form."""
    parameters = parse_qs(urlsplit(link).query)["parameters"][0]
    validate_json: dict[str, Any] = TypeAdapter(dict[str, Any]).validate_json(
        parameters
    )
    assert validate_json.pop("answer") == "none"
    return validate_json


@pytest.fixture(autouse=True)
def _settings(monkeypatch: pytest.MonkeyPatch, merchant: Merchant) -> None:
    """The merchant's settings hold in this process."""
    for name, value in merchant.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("PREFECT_UI_URL", "http://ui")


def requests(merchant: Merchant, count: int) -> Path:
    return write_csv(
        merchant.folder / "orders.csv",
        single_line_orders(merchant.sandbox, {"taobao": count}),
    )


def ledger(merchant: Merchant) -> Ledger:
    return Ledger(
        f"sqlite:///{merchant.folder / 'data' / 'ledger.db'}",
        clock=utc_now,
        owner="test",
    )


def paid(merchant: Merchant) -> list[str]:
    return sorted(
        order["reference"]
        for order in merchant.sandbox.books()["orders"]
        if order["paid_times"]
    )


def sent(merchant: Merchant) -> list[StoredMessage]:
    with ledger(merchant) as book:
        return [
            message
            for message in taken_messages(book)
            if message.cause.startswith("approval:")
        ]


async def test_some_orders_are_approved_and_the_others_held(merchant: Merchant) -> None:
    """The run ends with its plan, an artifact and a message; both link to the form. The
    chosen order is bought, the others say who did not approve them.
    """
    async with get_client() as client:
        deployed = Deployed(client, merchant)
        planned = await deployed.plan(requests(merchant, 3))
        assert (planned.type, planned.name) == ("COMPLETED", "WaitsForApproval")
        assert merchant.sandbox.books()["orders"] == []
        report = await planned.aresult()
        artifact = await deployed.newest("approval-b")
        assert f"**[Approve or refuse]({report.approval})**" in str(artifact.data)
        (message,) = sent(merchant)
        assert re.match(r"b waits for your yes: buy 3 orders for ", message.subject)
        assert message.link == report.approval
        for wrong in ({"answer": "only"}, {"answer": "only", "orders": "B-7"}):
            refused = await deployed.answer(report.approval, **wrong)
            assert refused.is_failed()
            assert "Nothing was approved or refused" in str(refused.message)
        answered = {
            "answer": "only",
            "orders": "taobao-001",
            "approved_by": "Mei Chen",
            "note": "the rest next week",
        }
        for _ in range(2):  # a second click changes nothing
            done = await deployed.answer(report.approval, **answered)
            assert done.is_completed()
            assert (await done.aresult()).counts == {"held": 2, "booked": 1}
    assert paid(merchant) == ["taobao-001"]
    with ledger(merchant) as book:
        orders = all_orders(book)
        reason = "not approved by Mei Chen: the rest next week"
        assert orders["taobao-000"].reason == reason
        trail = [move["reason"] for move in book.moves_of("taobao-001")]
        order = orders["taobao-001"]
        approved = f"{order.approved}, plan {str(order.plan_hash)[:12]}"
    assert trail[1] == "waits for your yes"
    assert trail[2].startswith("approved by Mei Chen at 20")
    assert trail[2].endswith(f" UTC: {approved}")


async def test_the_link_as_it_is_buys_nothing(merchant: Merchant) -> None:
    """It fills in *none*, which is a no to all of it."""
    async with get_client() as client:
        deployed = Deployed(client, merchant)
        planned = await deployed.plan(requests(merchant, 2))
        link = (await planned.aresult()).approval
        refused = await deployed.answer(link, approved_by="Mei Chen")
        assert refused.name == "Held"
        answer = await deployed.answer(link, answer="all")
        report = await answer.aresult()
    assert {line.reason for line in report.orders} == {"not approved by Mei Chen"}
    assert merchant.sandbox.books()["orders"] == []


async def test_an_old_plan_is_refused_with_the_link_to_the_new_one(
    merchant: Merchant,
) -> None:
    """A run that is approved beforehand leaves the question; a person's own run, with
    another file, makes another.
    """
    rows = single_line_orders(merchant.sandbox, {"taobao": 2})
    file = write_csv(merchant.folder / "orders.csv", rows[:1])
    async with get_client() as client:
        deployed = Deployed(client, merchant)
        old = (await (await deployed.plan(file)).aresult()).approval
        night = await deployed.plan(file, yes=True)
        assert night.name == "WaitsForApproval"
        assert (await night.aresult()).approval == old
        write_csv(file, rows)
        new = (await (await deployed.plan(file)).aresult()).approval
        refused = await deployed.answer(old, answer="all")
        assert refused.is_failed()
        assert f"It is now: {new}" in str(refused.message)
        assert merchant.sandbox.books()["orders"] == []
        assert len(sent(merchant)) == 2
        done = await deployed.answer(new, answer="all")
    assert (await done.aresult()).counts == {"booked": 2}


async def test_above_the_limit_a_person_is_asked_although_approved_beforehand(
    merchant: Merchant, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An answer a day later has each order previewed again."""
    monkeypatch.setenv("SOURCING_APPROVAL_LIMIT_CNY", "0.01")
    async with get_client() as client:
        deployed = Deployed(client, merchant)
        planned = await deployed.plan(requests(merchant, 2), yes=True)
        assert planned.name == "WaitsForApproval"
        artifact = await deployed.newest("approval-b")
        assert "Why this is asked: its goods and postage of " in str(artifact.data)
        monkeypatch.setattr(approving, "PLAN_VALID_FOR", timedelta(0))
        link = (await planned.aresult()).approval
        done = await deployed.answer(link, answer="all")
        assert (await done.aresult()).counts == {"booked": 2}
    assert paid(merchant) == ["taobao-000", "taobao-001"]
