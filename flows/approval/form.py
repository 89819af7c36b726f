"""Deciding on a plan: beforehand, at the terminal, or in the Prefect UI, where the run
pauses and shows the plan.

An answer counts only for the plan that was shown: the form carries the plan's hash, and
each pause has a key of its own, so an answer to an earlier attempt approves nothing. An
ambiguous answer brings the form back, with the fault and with all that was filled in. A
run that was lost while it asked asks anew, until the deadline of the first question.
"""

from __future__ import annotations

import asyncio
import getpass
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, nullcontext
from contextvars import ContextVar
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Literal
from uuid import uuid4

from prefect.artifacts import acreate_markdown_artifact
from prefect.exceptions import TerminationSignal
from prefect.input import RunInput
from pydantic import Field, ValidationError, create_model

from connectors.ledger.records import BEFOREHAND
from connectors.ledger.store import Ledger
from connectors.settings import SourcingSettings
from connectors.ui_pages import artifact_page, run_page
from domain.messages import Message, MessageKind
from domain.reasons import ReasonCode, because
from domain.wording import (
    ALL,
    ALL_BUT,
    NONE,
    SOME,
    BadChoice,
    chosen,
    pluralize,
    references_in,
)
from flows.approval.pause import (
    CancelledBelow,
    asked_since,
    filled_in,
    forget,
    is_cancelled,
    outermost_run,
    this_run,
)
from flows.approval.request import (
    ApprovalRequest,
    Decision,
    above_limit,
    not_approved_by,
    why_asked,
)
from flows.approval.words import (
    AskedPlan,
    bare,
    deadline_words,
    description_of,
    question_words,
    within_words,
)
from flows.notify.outbox import enqueue, withdraw
from flows.prefect_ui.artifacts import artifact_key, show_table
from flows.prefect_ui.expected_errors import best_effort, rename_run, run_logger
from flows.prefect_ui.markdown import action_words, inert
from flows.prefect_ui.runs import current_run
from tasks.engine.resources import utc_now

NAME = r"^\s*\S.{0,99}$"
LONGEST_NOTE = 500
MOST_CHOICES = 100
"""Beyond so many orders the form has a text field for references in place of a list."""
LONGEST_LIST = 200_000


APPROVAL_TIMEOUT_S = 72_000
"""Nights begin a day apart and wait for each other: a missing answer must not make each
begin later than the one before.
"""


async def ask_in_the_ui(
    question: ApprovalRequest, settings: SourcingSettings, ledger: Ledger
) -> Decision:
    """Pause the flow run until a person answers. Silence for as long as
    `APPROVAL_TIMEOUT_S` is a no.
    """
    plan, before = AskedPlan.of(question), _standing(question, ledger)
    words = question_words(question, plan, settings, utc_now())
    await _show_plan(question.batch_id, plan, words)
    async with asked_since(_asked(question.batch_id)) as first:
        deadline = first + timedelta(seconds=APPROVAL_TIMEOUT_S)
        until = deadline_words(deadline, settings.timezone)
        told = ApprovalNotice(
            ledger=ledger,
            batch_id=question.batch_id,
            plan=plan,
            words=words,
            first=first,
            deadline=deadline,
            until=until,
        )
        decision = None
        if utc_now() < deadline:
            await told.it_waits()
            await best_effort(
                "the run's name", rename_run(f"{question.batch_id}: waits for your yes")
            )
            decision = await _answered(
                _Asking(question, plan, words, until), deadline, told
            )
            orders = pluralize(len(decision.approved) if decision else 0, "order")
            await best_effort(
                "the run's name", rename_run(f"{question.batch_id}: {orders} approved")
            )
        if decision is None:
            silence = because(
                ReasonCode.NOBODY_ANSWERED,
                within=within_words(APPROVAL_TIMEOUT_S),
            )
            moved = {
                ref
                for ref, one in _standing(question, ledger).items()
                if one != before.get(ref)
            }
            decision = Decision(
                approved=[], by="nobody", why_not=silence, elsewhere=moved
            )
        await told.it_is_over(decision)
    return decision


def _asked(batch_id: str) -> str:
    return f"asked-{artifact_key(batch_id)}"


def _standing(
    question: ApprovalRequest, ledger: Ledger
) -> dict[str, tuple[object, ...]]:
    """What an answer in another run changes of each order: two runs may ask about one
    batch.
    """
    orders = ledger.each_order(question.refs)
    return {
        one.order_ref: (one.state, one.plan_hash, one.freight_approved_minor, one.why)
        for one in orders
    }


async def _answered(
    asking: _Asking, deadline: datetime, notice: ApprovalNotice
) -> Decision | None:
    """The answer. Cancelling the run stops its reminders; cancelling a run below a
    night counts as a no.
    """
    try:
        return await asking.answer(deadline)
    except CancelledBelow:
        why_not = because(ReasonCode.ASKING_RUN_CANCELLED)
        return Decision(
            approved=[], by="the person who cancelled its run", why_not=why_not
        )
    except (asyncio.CancelledError, TerminationSignal):
        if await is_cancelled(outermost_run()):
            await notice.nobody_has_to_answer()
        raise


async def _show_plan(batch_id: str, plan: AskedPlan, words: Sequence[str]) -> None:
    about = " ".join([*map(bare, words), plan.beyond(len(plan.dearest))]).rstrip()
    key = artifact_key(f"plan-{batch_id}")
    await best_effort("the plan", show_table(key, plan.rows, about))


@dataclass(frozen=True, slots=True)
class _Asking:
    """A question, which may need several forms until an answer is clear."""

    question: ApprovalRequest
    plan: AskedPlan
    words: Sequence[str]
    until: str

    async def answer(self, deadline: datetime) -> Decision | None:
        """The decision; None for silence."""
        count = pluralize(len(self.plan.refs), "order")
        words = (
            "Batch %s waits for approval of %s: press Resume and fill in the form by %s"
        )
        run_logger().info(words, self.question.batch_id, count, self.until)
        fault, given = "", dict[str, Any]()
        while utc_now() < deadline:
            form = form_for(
                self._choices, self.plan.plan_hash, self._description(fault), given
            )
            nothing = {
                "decision": NONE,
                "approved_by": "time-out",
                "plan": self.plan.plan_hash,
            }
            try:
                filled = await filled_in(
                    form, f"{self.plan.plan_hash}-{uuid4().hex[:8]}", deadline, nothing
                )
                if filled is None:
                    return None
                given = filled.model_dump()
                return decision_of(given, self.plan.refs)
            except BadChoice as error:
                fault = str(error)
            except ValidationError as error:
                fault = "; ".join(problem["msg"] for problem in error.errors())
            run_logger().warning(
                "Batch %s: an answer was not taken: %s", self.question.batch_id, fault
            )
        return None

    @property
    def _choices(self) -> list[str]:
        """The orders to choose from, the dearest first; empty beyond `MOST_CHOICES`."""
        return (
            [one.plan.order_ref for one in self.plan.dearest]
            if len(self.plan.refs) <= MOST_CHOICES
            else []
        )

    def _description(self, fault: str) -> str:
        return description_of(self.question, self.plan, self.words, self.until, fault)


def decision_of(given: Mapping[str, Any], asked: Sequence[str]) -> Decision:
    """What a filled-in form approves of the orders `asked` about. Raises
    `BadChoice`.
    """
    orders = given["orders"]
    named = references_in(orders) if isinstance(orders, str) else orders
    approved = chosen(given["decision"], named, asked)
    name, note = (" ".join(given[field].split()) for field in ("approved_by", "note"))
    return Decision(
        approved=approved,
        by=name,
        why_not=not_approved_by(name, note),
        drops=bool(given.get("not_wanted")),
    )


def form_for(
    choices: Sequence[str],
    shown_hash: str,
    description: str,
    given: Mapping[str, Any] | None = None,
) -> type[RunInput]:
    """The form for this plan alone: its hash is the only value of `plan`; of few orders
    they are the `choices`.

    `given` is the previous answer, to be corrected.
    """
    before = given or {}
    asked = bare(
        description.partition("\n\n")[0]
    )  # the older UI has no room for more above the fields
    fields: dict[str, Any] = {
        "decision": _field(
            Literal[ALL, ALL_BUT, SOME, NONE],
            before.get("decision", ...),
            "Decision",
            asked,
        ),
        "orders": _orders(choices, before),
        "approved_by": _field(
            str,
            before.get("approved_by", ...),
            "Your name",
            "Kept in the ledger with the decision",
            pattern=NAME,
        ),
        "note": _field(
            str,
            before.get("note", ""),
            "Note",
            "Why not, for those who read the report",
            max_length=LONGEST_NOTE,
        ),
        "not_wanted": _field(
            bool,
            before.get("not_wanted", False),
            "The others are not wanted",
            "Lays them aside: they wait for nothing, until a later run that asks names them",
        ),
        "plan": _field(
            Literal[shown_hash],
            shown_hash,
            "Plan",
            "Ties your answer to the plan above; leave it as it is",
        ),
    }
    return create_model("Approval", __base__=RunInput, **fields).with_initial_data(
        description
    )


def _orders(choices: Sequence[str], before: Mapping[str, Any]) -> tuple[Any, Any]:
    """The field that names orders: a list to choose from, or a text where there are no
    choices.
    """
    about = f"Only for “{ALL_BUT}” and “{SOME}”"
    if not choices:
        one_a_line = (
            f"{about}: their references, one a line or with commas between them"
        )
        return _field(
            str, before.get("orders", ""), "Orders", one_a_line, max_length=LONGEST_LIST
        )
    each: Any = list[Literal[tuple(choices)]]  # type: ignore[misc]
    dearest = f"{about}: the dearest come first"
    return _field(
        each,
        before.get("orders", []),
        "Orders",
        dearest,
        json_schema_extra={"uniqueItems": True},
    )


def _field(
    kind: Any, value: Any, title: str, description: str, **rules: Any
) -> tuple[Any, Any]:
    return kind, Field(value, title=title, description=description, **rules)


LONGEST_AHEAD = timedelta(hours=4)
"""The reminder comes when a quarter of the time is left, and no earlier before the
deadline than this.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalNotice:
    """The messages of one question, first asked at `first`; `until` words its
    `deadline`, `words` are the question.
    """

    ledger: Ledger
    batch_id: str
    plan: AskedPlan
    words: Sequence[str]
    first: datetime
    deadline: datetime
    until: str

    async def it_waits(self) -> None:
        """Enqueue the notification and the reminder, which is sent unless the question
        is answered by then.
        """
        await self._lead_to_the_run()
        how = f"Answer by {self.until}, yes or no: open the run, then Resume at its top right."
        waits = Message(
            cause=self._waits,
            kind=MessageKind.APPROVAL_WAITS,
            subject=f"{self.batch_id} waits for your yes: {self._action}",
            body="\n".join(
                [
                    *map(bare, self.words),
                    f"{how} Without an answer nothing of this is bought.",
                ]
            ),
            link=self._link,
            until=self.deadline,
        )
        ends = Message(
            cause=self._ends,
            kind=MessageKind.APPROVAL_ENDS,
            subject=f"{self.batch_id} still waits for your yes, until {self.until}",
            body=f"No answer has come yet. {how} After that nothing of it is bought.",
            link=self._link,
            due_at=self.deadline - min((self.deadline - self.first) / 4, LONGEST_AHEAD),
            until=self.deadline,
        )
        await enqueue(self.ledger, waits, ends)

    async def it_is_over(self, decision: Decision) -> None:
        """Withdraw unsent messages; notify of silence."""
        await withdraw(self.ledger, self._waits, self._ends)
        if decision.is_silence and not {*self.plan.refs} <= {*decision.elsewhere}:
            message = Message(
                cause=f"not-approved:{self._question}",
                kind=MessageKind.NOT_APPROVED,
                subject=f"{self.batch_id}: {decision.not_bought}",
                body=f"Until {self.until} no approval came for this: {self._action}. What is held stays so until "
                "a run of the same file asks again.",
            )
            await enqueue(self.ledger, message)
        await self._lead_to_the_run(
            str(decision.why_not)
            if decision.is_silence
            else f"{decision.by} has answered"
        )

    async def nobody_has_to_answer(self) -> None:
        """The run that asks was stopped on its page: once it goes on, it asks anew."""
        await withdraw(self.ledger, self._waits, self._ends)
        await forget(_asked(self.batch_id))
        await self._lead_to_the_run("its run was cancelled")

    @property
    def _action(self) -> str:
        action = bare(action_words(self.plan.cost)).removesuffix(".")
        return f"{action[:1].lower()}{action[1:]}"

    @property
    def _question(self) -> str:
        return f"{self.batch_id}:{self.first:%Y-%m-%dT%H:%M:%S}"

    @property
    def _waits(self) -> str:
        return f"approval:{self._question}:{self.plan.plan_hash}"

    @property
    def _ends(self) -> str:
        return f"approval-ends:{self._question}"

    @property
    def _is_below(self) -> bool:
        """Whether the run that asks is below a night's: after a crash another run may
        ask.
        """
        return this_run() != outermost_run()

    @property
    def _key(self) -> str:
        return f"approval-{artifact_key(self.batch_id)}"

    @property
    def _link(self) -> str:
        return artifact_page(self._key) if self._is_below else run_page(this_run())

    async def _lead_to_the_run(self, over: str = "") -> None:
        """Keep sent links valid where another run may ask by then: an artifact that
        names the newest run.
        """
        if not self._is_below:
            return
        state = (
            f"No longer waits: {inert(over)}."
            if over
            else f"**Answer by {self.until}.**"
        )
        opened = f"[Open the run]({run_page(this_run())})" + (
            "" if over else ", then *Resume* at its top right."
        )
        text = "\n\n".join(
            [f"## Batch {self.batch_id}", *self.words, f"{state} {opened}"]
        )
        # the page of a key shows descriptions alone, as Markdown
        description = f"{state} {opened}"
        await best_effort(
            "where to answer",
            acreate_markdown_artifact(
                key=self._key, markdown=text, description=description
            ),
        )


UNANSWERED = "no answer came when some of it was asked about before"
Approver = Callable[[ApprovalRequest], bool]


def no_approver(_question: ApprovalRequest) -> bool:
    """The approver of a run that can ask no person: the answer is no."""
    return False


approver: ContextVar[Approver] = ContextVar("approver", default=no_approver)
asks_in_the_ui: ContextVar[bool] = ContextVar("asks_in_the_ui", default=False)
at_work: ContextVar[asyncio.Semaphore | None] = ContextVar("at_work", default=None)


@asynccontextmanager
async def turn() -> AsyncIterator[None]:
    """Wait for this batch's turn among the batches of one flow run, which work one
    after the other.
    """
    slot = at_work.get()
    async with slot or nullcontext():
        yield


@asynccontextmanager
async def aside() -> AsyncIterator[None]:
    """Let the other batches work while this one waits for a person."""
    slot = at_work.get()
    if slot is None:
        yield
        return
    slot.release()
    try:
        yield
    finally:
        await slot.acquire()


async def decide(
    question: ApprovalRequest, settings: SourcingSettings, ledger: Ledger, *, yes: bool
) -> Decision:
    """Approve by the yes given beforehand, or ask a person; without an answer nothing
    is approved.

    Beyond the approval limit a yes beforehand is not enough.
    """
    above = above_limit(question, settings) or (
        UNANSWERED if question.is_repeated else ""
    )
    if yes and not above:
        return Decision(approved=question.refs, by=BEFOREHAND)
    question = replace(question, why=why_asked(above, settings, yes=yes))
    if (person := approver.get()) is not no_approver:
        said, name = person(question), getpass.getuser()
        return Decision(
            approved=question.refs if said else [],
            by=name,
            why_not=not_approved_by(name),
        )
    if is_deployed():
        async with aside():
            return await ask_in_the_ui(question, settings, ledger)
    return _unasked(question, settings, above) if yes else _not_asked()


def asks(question: ApprovalRequest, settings: SourcingSettings) -> bool:
    """Whether a run asks a person about this although it was approved beforehand."""
    can_ask = approver.get() is not no_approver or is_deployed()
    return can_ask and bool(above_limit(question, settings))


def _not_asked() -> Decision:
    return Decision(approved=[], by="nobody", why_not=because(ReasonCode.NOBODY_TO_ASK))


def _unasked(
    question: ApprovalRequest, settings: SourcingSettings, above: str
) -> Decision:
    """No person can be asked about a plan above the limit: begun orders are shipped, as
    far as the limit allows.
    """
    why = because(ReasonCode.ABOVE_APPROVAL_LIMIT, above=above)
    begun = replace(question, to_buy=(), summaries=())
    approved = [] if above_limit(begun, settings) else begun.refs
    return Decision(approved=approved, by=BEFOREHAND, why_not=why, goes_on=True)


def has_deployment() -> bool:
    """Whether this is the run of a deployment, which people follow in the UI and can
    answer there.
    """
    run = current_run()
    return run is not None and run.deployment_id is not None


def is_deployed() -> bool:
    """Whether a worker runs this, so that a worker can run a follow-up later; true also
    for the batches of an inbox.
    """
    return asks_in_the_ui.get() or has_deployment()
