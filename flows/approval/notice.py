"""Notifications that a plan waits for approval, that its time runs out, and that no answer came.

Each is sent once a question: a run that is lost and asks anew notifies again only where the plan has changed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from prefect.artifacts import acreate_markdown_artifact

from connectors.ledger.store import Ledger
from connectors.ui_pages import artifact_page, run_page
from domain.messages import Message, MessageKind
from flows.approval.pause import outermost_run, this_run
from flows.approval.request import Decision
from flows.approval.words import AskedPlan, bare
from flows.notify.outbox import enqueue, withdraw
from flows.prefect_ui.artifacts import artifact_key
from flows.prefect_ui.inert import inert
from flows.prefect_ui.plan_table import action_words
from flows.prefect_ui.progress import best_effort

LONGEST_AHEAD = timedelta(hours=4)


def ahead_of(timeout: timedelta) -> timedelta:
    """How long before the deadline the reminder is sent: a quarter of the time, and four hours at most."""
    return min(timeout / 4, LONGEST_AHEAD)


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalNotice:
    """The messages of one question, first asked at `first`; `until` words its `deadline`, `words` are the question."""

    ledger: Ledger
    batch_id: str
    plan: AskedPlan
    words: Sequence[str]
    first: datetime
    deadline: datetime
    until: str

    async def it_waits(self) -> None:
        """Enqueue the notification and the reminder, which is sent unless the question is answered by then."""
        await self._lead_to_the_run()
        how = f"Answer by {self.until}, yes or no: open the run, then Resume at its top right."
        waits = Message(
            cause=self._waits,
            kind=MessageKind.APPROVAL_WAITS,
            subject=f"{self.batch_id} waits for your yes: {self._action}",
            body="\n".join([*map(bare, self.words), f"{how} Without an answer nothing of this is bought."]),
            link=self._link,
            until=self.deadline,
        )
        ends = Message(
            cause=self._ends,
            kind=MessageKind.APPROVAL_ENDS,
            subject=f"{self.batch_id} still waits for your yes, until {self.until}",
            body=f"No answer has come yet. {how} After that nothing of it is bought.",
            link=self._link,
            due_at=self.deadline - ahead_of(self.deadline - self.first),
            until=self.deadline,
        )
        await enqueue(self.ledger, waits, ends)

    async def it_is_over(self, decision: Decision) -> None:
        """Withdraw unsent messages; notify of silence."""
        await withdraw(self.ledger, self._waits, self._ends)
        if decision.is_silence:
            message = Message(
                cause=f"not-approved:{self._question}",
                kind=MessageKind.NOT_APPROVED,
                subject=f"{self.batch_id}: {decision.not_bought}",
                body=f"Until {self.until} no approval came for this: {self._action}. What is held stays so until the "
                "next run of the same file, which makes a new plan and asks again.",
            )
            await enqueue(self.ledger, message)
        await self._lead_to_the_run(str(decision.why_not) if decision.is_silence else f"{decision.by} has answered")

    async def nobody_has_to_answer(self) -> None:
        """The run that asks was cancelled."""
        await withdraw(self.ledger, self._waits, self._ends)
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
        """Whether the run that asks is below a night's: after a crash another run may ask."""
        return this_run() != outermost_run()

    @property
    def _key(self) -> str:
        return f"approval-{artifact_key(self.batch_id)}"

    @property
    def _link(self) -> str:
        return artifact_page(self._key) if self._is_below else run_page(this_run())

    async def _lead_to_the_run(self, over: str = "") -> None:
        """Keep sent links valid where another run may ask by then: an artifact that names the newest run."""
        if not self._is_below:
            return
        state = f"No longer waits: {inert(over)}." if over else f"**Answer by {self.until}.**"
        opened = f"[Open the run]({run_page(this_run())})" + ("" if over else ", then *Resume* at its top right.")
        text = "\n\n".join([f"## Batch {self.batch_id}", *self.words, f"{state} {opened}"])
        # the page of a key shows descriptions alone, as Markdown
        description = f"{state} {opened}"
        await best_effort(
            "where to answer", acreate_markdown_artifact(key=self._key, markdown=text, description=description)
        )
