"""Approval under a deployment: real pauses on a real server, answered through the API
as the UI answers.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from prefect.client.orchestration import PrefectClient, get_client
from prefect.client.schemas.objects import FlowRun, State
from prefect.client.schemas.responses import SetStateStatus
from prefect.exceptions import PrefectHTTPStatusError
from prefect.flow_engine import run_flow_async
from prefect.states import Scheduled

from connectors.ledger.store import Ledger
from domain.wording import ALL, ALL_BUT, NONE, SOME
from flows.approval import form, pause
from flows.buy_from_file import buy_from_file
from flows.prefect_ui.todo_artifact import what_waits
from tasks.engine.resources import utc_now
from tests.history import all_orders
from tests.notified import taken_messages
from tests.running import Merchant, single_line_orders, write_csv


class Deployed:
    """Runs of a deployment, carried out in this process as a worker's process does."""

    def __init__(self, client: PrefectClient, merchant: Merchant) -> None:
        self.client = client
        self.merchant = merchant

    async def new_run(self, file: Path, **parameters: Any) -> FlowRun:
        flow_id = await self.client.create_flow(buy_from_file)
        schema = buy_from_file.parameters.model_dump()
        deployment = await self.client.create_deployment(
            flow_id, "buy-from-file", parameter_openapi_schema=schema
        )
        given = {"requests": {"file": str(file)}, "dry_run": False, **parameters}
        return await self.client.create_flow_run_from_deployment(
            deployment, parameters=given
        )

    def carry_out(self, run: FlowRun) -> asyncio.Task[Any]:
        parameters = {"dry_run": True, "yes": False, "batch": "", **run.parameters}
        return asyncio.create_task(
            run_flow_async(
                buy_from_file, flow_run=run, parameters=parameters, return_type="state"
            )
        )

    async def paused(self, run: FlowRun) -> State[Any]:
        for _ in range(3000):
            state = (await self.client.read_flow_run(run.id)).state
            assert state is not None
            if state.is_paused() or state.is_final():
                return state
            await asyncio.sleep(0.1)
        raise AssertionError("the run did not pause")

    async def answer(self, run: FlowRun, **values: Any) -> SetStateStatus:
        answer = {
            "approved_by": "Mei Chen",
            "plan": await self.plan_shown(run),
            **values,
        }
        return (await self.client.resume_flow_run(run.id, run_input=answer)).status

    async def plan_shown(self, run: FlowRun) -> str:
        return str((await self.form(run))["plan"]["const"])

    async def form(self, run: FlowRun) -> dict[str, Any]:
        """The fields of the form, by name."""
        fields: dict[str, Any] = (await self.asked(run, "schema"))["properties"]
        return fields

    async def asked(self, run: FlowRun, part: str) -> Any:
        """The form's schema or description."""
        state = await self.paused(run)
        keyset: Mapping[str, str] = state.state_details.run_input_keyset or {}
        for _ in range(600):
            try:
                return json.loads(
                    await self.client.read_flow_run_input(run.id, keyset[part])
                )
            except (
                PrefectHTTPStatusError
            ):  # the form is written right after the pause, part by part
                await asyncio.sleep(0.1)
        raise AssertionError("there is no form")


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch, merchant: Merchant) -> None:
    """Answers are noticed at once, and the merchant's settings hold in this process."""
    monkeypatch.setattr(pause, "POLL_S", 0.2)
    for name, value in merchant.environment.items():
        monkeypatch.setenv(name, value)


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


@pytest.mark.endurance
@pytest.mark.usefixtures("quick")
async def test_some_orders_are_approved_and_the_others_held(merchant: Merchant) -> None:
    """The chosen one is bought, the others say who did not approve them; the ledger
    says who approved what.
    """
    async with get_client() as client:
        deployed = Deployed(client, merchant)
        run = await deployed.new_run(requests(merchant, 3))
        going = deployed.carry_out(run)
        wrong = await deployed.answer(run, decision=ALL, plan="of another day")
        with ledger(merchant) as book:
            text, _ = await what_waits(client, book)
        assert re.search(
            r": waits for your yes\*\* · waits for approval.*<br>Buy 3 orders for [0-9.]+ CNY .*Answer by 20",
            text,
        )
        unknown = await deployed.answer(run, decision=SOME, orders=["B-7"])
        assert (wrong, unknown) == (SetStateStatus.REJECT, SetStateStatus.REJECT)
        right = await deployed.answer(
            run, decision=SOME, orders=["taobao-001"], note="the rest next week"
        )
        assert right is SetStateStatus.ACCEPT
        state = await going
        assert (
            await client.read_flow_run(run.id)
        ).name == f"{(await state.aresult()).batch_id}: 2 held, 1 booked"
    assert paid(merchant) == ["taobao-001"]
    with ledger(merchant) as book:
        orders = all_orders(book)
        assert (
            orders["taobao-000"].reason
            == "not approved by Mei Chen: the rest next week"
        )
        trail = [move["reason"] for move in book.moves_of("taobao-001")]
        approved = f"{orders['taobao-001'].approved}, plan {str(orders['taobao-001'].plan_hash)[:12]}"
    assert trail[1].startswith("approved by Mei Chen at 20")
    assert trail[1].endswith(f" UTC: {approved}")


@pytest.mark.endurance
@pytest.mark.usefixtures("quick")
async def test_all_but_one_are_approved_once_the_answer_is_clear(
    merchant: Merchant,
) -> None:
    """All, and one named as well: the run asks once more, with what was filled in, and
    buys what is meant then.
    """
    async with get_client() as client:
        deployed = Deployed(client, merchant)
        run = await deployed.new_run(requests(merchant, 3))
        going = deployed.carry_out(run)
        first = (await deployed.paused(run)).state_details.pause_key
        unclear = await deployed.answer(
            run, decision=ALL, orders=["taobao-001"], note="too dear"
        )
        assert unclear is SetStateStatus.ACCEPT
        while (await deployed.paused(run)).state_details.pause_key == first:  # noqa: ASYNC110
            await asyncio.sleep(0.1)
        form = await deployed.form(run)
        assert "**That answer was not taken: " in await deployed.asked(
            run, "description"
        )
        before = {
            name: form[name]["default"] for name in ("orders", "approved_by", "note")
        }
        assert before == {
            "orders": ["taobao-001"],
            "approved_by": "Mei Chen",
            "note": "too dear",
        }
        await deployed.answer(run, decision=ALL_BUT, **before)
        report = await (await going).aresult()
    assert [
        (line.order_ref, line.reason) for line in report.orders if line.state == "held"
    ] == [("taobao-001", "not approved by Mei Chen: too dear")]
    assert paid(merchant) == ["taobao-000", "taobao-002"]


@pytest.mark.usefixtures("quick")
async def test_a_refusal_buys_nothing(merchant: Merchant) -> None:
    """The run ends well, and every order says why it was not bought; those that are not
    wanted wait no longer.
    """
    async with get_client() as client:
        deployed = Deployed(client, merchant)
        run = await deployed.new_run(requests(merchant, 2))
        going = deployed.carry_out(run)
        await deployed.answer(run, decision=NONE, note="too dear", not_wanted=True)
        report = await (await going).aresult()
    assert report.counts == {"cancelled": 2}
    said = "not wanted any more, says Mei Chen: too dear; a later run that asks, and names it, plans it anew"
    assert {line.reason for line in report.orders} == {said}
    assert merchant.sandbox.books()["orders"] == []


@pytest.mark.usefixtures("quick")
async def test_no_answer_in_time_is_a_no(
    merchant: Merchant, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The run is not left paused, and buys nothing."""
    monkeypatch.setattr(form, "APPROVAL_TIMEOUT_S", 1)
    async with get_client() as client:
        deployed = Deployed(client, merchant)
        run = await deployed.new_run(requests(merchant, 1))
        state = await deployed.carry_out(run)
        assert state.is_completed()
    silence = "not bought, no answer within 1 second"
    assert [line.reason for line in (await state.aresult()).orders] == [silence]
    assert merchant.sandbox.books()["orders"] == []
    with ledger(merchant) as book:
        due = taken_messages(book)
    assert silence in [message.subject.partition(": ")[2] for message in due]


@pytest.mark.usefixtures("quick")
async def test_above_the_limit_somebody_is_asked_although_approved_beforehand(
    merchant: Merchant, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And a run that dies while it waits asks again, with a form of its own."""
    monkeypatch.setenv("SOURCING_APPROVAL_LIMIT_CNY", "0.01")
    async with get_client() as client:
        deployed = Deployed(client, merchant)
        run = await deployed.new_run(requests(merchant, 2), yes=True)
        going = deployed.carry_out(run)
        first = (await deployed.paused(run)).state_details.pause_key
        going.cancel()
        await asyncio.wait({going})
        assert merchant.sandbox.books()["orders"] == []
        await client.set_flow_run_state(run.id, Scheduled(), force=True)
        going = deployed.carry_out(await client.read_flow_run(run.id))
        second = (await deployed.paused(run)).state_details.pause_key
        assert first != second
        await deployed.answer(run, decision=ALL)
        report = await (await going).aresult()
    assert report.counts == {"booked": 2}
    assert paid(merchant) == ["taobao-000", "taobao-001"]
