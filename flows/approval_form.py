"""The question in the Prefect UI: the run pauses, shows the plan, and goes on with what a person answers.

An answer counts only for the plan that was shown: the form carries the plan's hash, and each pause has a key of its
own, so an answer to an earlier attempt approves nothing. A run that was lost while it asked asks anew, until the
deadline of the first time: when that was is kept with the run of the deployment, until there is an answer.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from http.client import NOT_FOUND
from typing import Any, Literal
from uuid import UUID, uuid4

from httpx import HTTPError, HTTPStatusError
from prefect.artifacts import acreate_table_artifact
from prefect.client.orchestration import get_client
from prefect.context import FlowRunContext
from prefect.flow_runs import apause_flow_run
from prefect.input import RunInput
from prefect.input.run_input import keyset_from_base_key
from pydantic import Field, ValidationError, create_model

from connectors.ledger.plans import plan_hash
from domain.plan import PlannedOrder
from flows.approval_request import ApprovalRequest
from flows.shown.artifacts import artifact_key
from flows.shown.expected_failures import run_logger
from flows.shown.plan_table import rows_of, summary, warnings_told
from flows.shown.progress import shown
from tasks.resources import utc_now

ALL, SOME, NONE = "approve all orders", "approve only the orders chosen below", "refuse: buy nothing"
NAME = r"^\s*\S.{0,99}$"
LONGEST_NOTE = 500
SHOWN_ORDERS = 100
POLL_S = 3
SPARE_S = 3600  # the pause outlives our own patience, so that we can still resume the run ourselves


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What was answered. `name` is whom the answer says it is from; Prefect's own server knows no users."""

    choice: str
    orders: Sequence[str] = ()
    name: str = ""
    note: str = ""

    def approved(self, shown_refs: Sequence[str]) -> list[str]:
        """The approved ones of the orders that were shown."""
        if self.choice == ALL:
            return [*shown_refs]
        chosen = set(self.orders) if self.choice == SOME else set()
        return [ref for ref in shown_refs if ref in chosen]

    @property
    def why_not(self) -> str:
        """What follows `not approved` in the reason of an order that was not."""
        return f" by {self.name}" + (f": {self.note}" if self.note else "")


async def ask_in_the_ui(question: ApprovalRequest, timeout_s: int) -> Answer:
    """Pause the flow run until somebody answers. Silence for `timeout_s`, or an answer that does not fit, is a no."""
    shown_hash, rows = hash_of(question.all), rows_of(question)
    place, words = artifact_key(f"plan-{question.batch_id}"), summary(question.to_buy, question.to_ship)
    await shown("the plan", acreate_table_artifact(key=place, table=rows, description=words))
    form = form_for(question.refs, shown_hash, description_of(question))
    run_logger().info(
        "Batch %s waits for approval of %s orders: press Resume and fill in the form", question.batch_id, len(rows)
    )
    run_id, asked = _outermost_run(), f"asked-{artifact_key(question.batch_id)}"
    left_s = timeout_s - (utc_now() - await _first_asked(run_id, asked)).total_seconds()
    nobody = Answer(choice=NONE, name="anybody", note=f"no answer within {_hours(timeout_s)}")
    key = f"{shown_hash}-{uuid4().hex[:8]}"
    answer = await _answer(form, key, shown_hash, left_s) or nobody if left_s > 0 else nobody
    with suppress(HTTPError):
        async with get_client() as client:
            await client.delete_flow_run_input(run_id, asked)
    return answer


def _outermost_run() -> UUID:
    """The run of the deployment; a night asks in a run below it, which may be another in the next attempt."""
    if run_id := os.environ.get("PREFECT__FLOW_RUN_ID"):
        return UUID(run_id)
    context = FlowRunContext.get()
    assert context is not None
    assert context.flow_run is not None
    return context.flow_run.id


async def _first_asked(run_id: UUID, key: str) -> datetime:
    """When this was first asked, by this process or by one that is gone, and not yet answered."""
    async with get_client() as client:
        try:
            return datetime.fromisoformat(await client.read_flow_run_input(run_id, key))
        except HTTPStatusError as error:
            if error.response.status_code != NOT_FOUND:
                raise
        now = utc_now()
        await client.create_flow_run_input(run_id, key, now.isoformat())
        return now


async def _answer(form: type[RunInput], key: str, shown_hash: str, left_s: float) -> Answer | None:
    """Pause under a key that no other attempt has. Whatever is wrong with an answer makes it a no; None for silence."""
    try:
        async with asyncio.timeout(left_s):
            given = await _given(form, key, left_s)
    except TimeoutError:
        await _go_on(shown_hash)
        return None
    except ValidationError as error:
        problems = "; ".join(problem["msg"] for problem in error.errors())
        return Answer(choice=NONE, name="anybody", note=f"the answer does not fit the plan that was shown ({problems})")
    values: dict[str, Any] = given.model_dump()
    return Answer(
        choice=values["decision"],
        orders=values["orders"],
        name=" ".join(values["approved_by"].split()),
        note=" ".join(values["note"].split()),
    )


async def _given(form: type[RunInput], key: str, left_s: float) -> RunInput:
    """What was put into the form. A server that is away for a while takes no answers and keeps the question."""
    try:
        return await apause_flow_run(wait_for_input=form, timeout=int(left_s) + SPARE_S, poll_interval=POLL_S, key=key)
    except HTTPError as error:
        if not await _is_paused(key):
            raise
        run_logger().warning("The Prefect server was away (%s); still waiting for approval", type(error).__name__)
        while await _is_paused(key):  # noqa: ASYNC110 - only the server knows
            await asyncio.sleep(POLL_S)
        return await form.aload(keyset_from_base_key(f"paused-{key}"))


async def _is_paused(key: str) -> bool:
    """Whether the run still waits for this answer; waits for the server if need be."""
    context = FlowRunContext.get()
    assert context is not None
    assert context.flow_run is not None
    async with get_client() as client:
        while True:
            try:
                state = (await client.read_flow_run(context.flow_run.id)).state
                return state is not None and state.is_paused() and state.state_details.pause_key == key
            except HTTPError:
                await asyncio.sleep(POLL_S)


async def _go_on(shown_hash: str) -> None:
    """Answer our own question with a no, so that the run is no longer paused and can end as any other."""
    context = FlowRunContext.get()
    assert context is not None
    assert context.flow_run is not None
    no = {"decision": NONE, "approved_by": "time-out", "plan": shown_hash}
    async with get_client() as client:
        await client.resume_flow_run(context.flow_run.id, run_input=no)


def form_for(order_refs: Sequence[str], shown_hash: str, description: str) -> type[RunInput]:
    """The form for this plan alone: its orders to choose from, its hash as the only value of `plan`."""
    refs = tuple(order_refs)
    fields: dict[str, Any] = {
        "decision": (Literal[ALL, SOME, NONE], Field(title="Decision")),
        "orders": (
            list[Literal[refs]],  # type: ignore[valid-type]
            Field(
                default=[],
                title="Orders to approve",
                description=f"Only for “{SOME}”: the others are held",
                json_schema_extra={"uniqueItems": True},
            ),
        ),
        "approved_by": (
            str,
            Field(title="Your name", description="Kept in the ledger with the decision", pattern=NAME),
        ),
        "note": (
            str,
            Field(
                default="",
                title="Note",
                description="Why not, for those who read the report",
                max_length=LONGEST_NOTE,
            ),
        ),
        "plan": (
            Literal[shown_hash],
            Field(
                default=shown_hash, title="Plan", description="Ties your answer to the plan above; leave it as it is"
            ),
        ),
    }
    form = create_model("Approval", __base__=RunInput, **fields)
    form._description = description
    return form


def hash_of(plans: Iterable[PlannedOrder]) -> str:
    """Of all that was shown: what is bought for whom and for how much, and the freight."""
    content = [(plan_hash(plan), str(plan.freight_service.price) if plan.freight_service else "") for plan in plans]
    return hashlib.sha256(repr(content).encode()).hexdigest()[:16]


def description_of(question: ApprovalRequest) -> str:
    """The plan as Markdown, narrow enough for the form's window."""
    rows = rows_of(question)
    lines = ["| order | what | goods and postage | freight |", "|---|---|--:|--:|"]
    names = ("order", "what", "goods and postage", "freight")
    lines += [f"| {' | '.join(_cell(row[name]) for name in names)} |" for row in rows[:SHOWN_ORDERS]]
    more = len(rows) - SHOWN_ORDERS
    key = artifact_key(f"plan-{question.batch_id}")
    rest = f"\n\nAnd {more:,} orders more: see artifact {key} of this run." if more > 0 else ""
    said = warnings_told(question.warnings)
    words = summary(question.to_buy, question.to_ship)
    head = f"## Batch {question.batch_id}\n\n{words}\n\n" + (f"{said}\n\n" if said else "")
    return head + "\n".join(lines) + rest


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def _hours(seconds: int) -> str:
    return f"{seconds / 3600:.3g} hours" if seconds >= 3600 else f"{seconds} seconds"
