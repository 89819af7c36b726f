"""The question that a person answers before money is spent, and whether a yes given
beforehand is enough.
"""

from __future__ import annotations

import getpass
from collections.abc import Callable, Collection, Iterable, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, replace
from itertools import chain

from connectors.ledger.records import BEFOREHAND
from connectors.settings import SourcingSettings
from domain.holds import Pause, payable, waits_for_approval
from domain.marketplace import NO_PICTURES, Pictures
from domain.money import Money, total_of
from domain.plan import PlannedOrder, PlanSummary
from domain.reasons import Reason, ReasonCode, because
from domain.request_remarks import Remark
from flows.prefect_ui.runs import is_deployed


@dataclass(frozen=True, kw_only=True)
class ApprovalRequest:
    """The subject of an approval: orders to buy, and what is left to pay of orders that
    were begun earlier.

    `to_buy` may be read from the ledger, once: refs and totals are those of its
    `summaries`. `warnings` are of the request file. While buying is `paused`,
    approved orders wait until it is resumed. `allowed` is what a yes given beforehand
    has approved of the batch already: the approval limit is for all of it. `pictures`
    are those to show. `asked_before` are orders that a yes given beforehand does not
    cover, since a person is asked about them.
    """

    batch_id: str
    to_buy: Iterable[PlannedOrder]
    to_ship: Sequence[PlannedOrder]
    summaries: Sequence[PlanSummary]
    warnings: Sequence[Remark] = ()
    paused: Pause | None = None
    allowed: Sequence[PlanSummary] = ()
    pictures: Pictures = NO_PICTURES
    asked_before: Collection[str] = ()

    @property
    def all(self) -> Iterable[PlannedOrder]:
        return chain(self.to_buy, self.to_ship)

    @property
    def refs(self) -> list[str]:
        """References of the orders that are asked about."""
        return [
            *(plan.order_ref for plan in self.summaries),
            *(plan.order_ref for plan in self.to_ship),
        ]

    @property
    def total(self) -> Money:
        """Cost of buying: goods and domestic postage, also of orders that were begun
        and whose goods a yes pays.
        """
        unpaid = [plan.total for plan in self.to_ship if plan.is_unpaid]
        return total_of([*(plan.total for plan in self.summaries), *unpaid])


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """Which orders may be bought or shipped, by whose word, and why not the others
    (`why_not`).

    `stops` is a no to everything: orders that were begun earlier are left alone as
    well.
    """

    approved: Collection[str]
    by: str
    why_not: Reason | None = None
    goes_on: bool = False

    @property
    def stops(self) -> bool:
        return not self.approved and not self.goes_on

    @property
    def waits(self) -> bool:
        """Whether a person is asked, who answers in another run."""
        return (
            self.why_not is not None
            and self.why_not.code is ReasonCode.WAITS_FOR_APPROVAL
        )


Approver = Callable[[ApprovalRequest], bool]


approver: ContextVar[Approver | None] = ContextVar("approver", default=None)
"""The person at a terminal; None in a run that can ask no person at once."""


def asks_at_once() -> bool:
    """Whether a person at a terminal answers while the run waits."""
    return approver.get() is not None


def decide(
    question: ApprovalRequest, settings: SourcingSettings, *, yes: bool
) -> Decision:
    """Approve by the yes given beforehand, or ask a person.

    Beyond the approval limit a yes beforehand is not enough. A deployment's run waits
    for no answer: what is asked about is held until a person answers in another run.
    """
    above = above_limit(question, settings)
    waits = Decision(
        approved=[],
        by="",
        why_not=waits_for_approval(),
        goes_on=True,
    )
    if yes and not above:
        covered = [ref for ref in question.refs if ref not in question.asked_before]
        return replace(waits, approved=covered, by=BEFOREHAND)
    if (ask := approver.get()) is not None:
        approved = question.refs if ask(question) else []
        name = getpass.getuser()
        return Decision(approved=approved, by=name, why_not=not_approved_by(name))
    if is_deployed():
        return waits
    if not yes:
        reason = because(ReasonCode.NOBODY_TO_ASK)
        return Decision(approved=[], by="nobody", why_not=reason)
    return _unasked(question, settings, above)


def _unasked(
    question: ApprovalRequest, settings: SourcingSettings, above: str
) -> Decision:
    """No person can be asked about a plan above the limit: begun orders are shipped, as
    far as the limit allows.
    """
    reason = because(ReasonCode.ABOVE_APPROVAL_LIMIT, above=above)
    approval_request = replace(question, to_buy=(), summaries=())
    approved = [] if above_limit(approval_request, settings) else approval_request.refs
    return Decision(approved=approved, by=BEFOREHAND, why_not=reason, goes_on=True)


def not_approved_by(name: str, note: str = "") -> Reason:
    """The reason of orders to which a person said no."""
    return because(ReasonCode.NOT_APPROVED, by=name, note=note)


def above_limit(question: ApprovalRequest, settings: SourcingSettings) -> str:
    """Why a plan needs a person's yes, as the end of a sentence; empty where it is
    within the approval limit. A plan that buys nothing needs none.
    """
    limit = settings.approval_limit
    if limit is None or not question.total.minor:
        return ""
    approved = total_of(
        [question.total, *(plan_summary.total for plan_summary in question.allowed)]
    )
    counted = payable(approved, settings.price_tolerance_percent)
    if counted <= limit:
        return ""
    tolerance = ", with the price tolerance," * bool(settings.price_tolerance_percent)
    with_earlier = (
        ", with what its batch was allowed before," if question.allowed else ""
    )
    return (
        f"its goods and postage{tolerance} of {counted}{with_earlier} are above the "
        f"approval limit of {limit} (SOURCING_APPROVAL_LIMIT_CNY)"
    )
