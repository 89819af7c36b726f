"""The question that a person answers before money is spent, and whether a yes given
beforehand is enough.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import chain

from connectors.book_file import TableUnusable, read_rates
from connectors.ledger.records import Approval
from connectors.settings import SourcingSettings
from domain.holds import Pause, payable
from domain.landed import Rates
from domain.marketplace import NO_PICTURES, Pictures
from domain.money import Money, total_of
from domain.plan import PlannedOrder, PlanSummary
from domain.reasons import Reason, ReasonCode, because
from domain.report import ReportLine
from domain.request_remarks import Remark


@dataclass(frozen=True, kw_only=True)
class ApprovalRequest:
    """The subject of an approval: orders to buy, and what is left to pay of orders that
    were begun earlier.

    `to_buy` may be read from the ledger at each access: refs and totals are those of
    its `summaries`. `warnings` are of the request file, `why` is the reason for asking.
    While buying is `paused`, approved orders wait until it is resumed. `allowed` is
    what a yes given beforehand has approved of the batch already: the approval limit is
    for all of it. `beside` reads the orders of the batch that are not asked about and
    wait for a person; `pictures` are those to show. One that `is_repeated` got no
    answer before, for some of its orders: no yes given beforehand counts.
    """

    batch_id: str
    to_buy: Iterable[PlannedOrder]
    to_ship: Sequence[PlannedOrder]
    summaries: Sequence[PlanSummary]
    warnings: Sequence[Remark] = ()
    why: str = ""
    paused: Pause | None = None
    allowed: Sequence[PlanSummary] = ()
    beside: Callable[[], Sequence[ReportLine]] = tuple
    pictures: Pictures = NO_PICTURES
    is_repeated: bool = False

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

    @property
    def freight(self) -> list[Money]:
        """Cost of shipping, order by order."""
        shipped = [
            plan.freight_service.price for plan in self.to_ship if plan.freight_service
        ]
        return [*(plan.freight for plan in self.summaries if plan.freight), *shipped]


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """Which orders may be bought or shipped, by whose word, and why not the others
    (`why_not`).

    `stops` is a no to everything: orders that were begun earlier are left alone as
    well. `drops`: the others are not wanted any more. `elsewhere` are orders that
    another run has moved while no answer came here: they stay as they are.
    """

    approved: Collection[str]
    by: str
    why_not: Reason | None = None
    goes_on: bool = False
    drops: bool = False
    elsewhere: Collection[str] = ()

    @property
    def stops(self) -> bool:
        return not self.approved and not self.goes_on

    @property
    def is_silence(self) -> bool:
        """Whether no answer came."""
        return (
            self.why_not is not None and self.why_not.code is ReasonCode.NOBODY_ANSWERED
        )

    @property
    def not_bought(self) -> Reason | None:
        """Why an order that was not approved is held."""
        return self.why_not and self.why_not.but(goods=True)

    @property
    def not_shipped(self) -> Reason | None:
        """Why a begun order is held whose freight was not approved."""
        return self.why_not and self.why_not.but(freight=True)

    def approval_of(self, plan: PlanSummary, at: datetime) -> Approval:
        """The ledger's record of a yes, with words for the audit trail."""
        why = because(
            ReasonCode.APPROVED,
            by=self.by,
            at=in_utc(at),
            total=plan.total,
            plan=plan.plan_hash[:12],
        )
        return Approval(
            order_ref=plan.order_ref,
            plan_hash=plan.plan_hash,
            total=plan.total,
            freight=plan.freight,
            why=why,
        )


def in_utc(at: datetime) -> str:
    """A moment as written in the reasons of approvals."""
    return f"{at:%Y-%m-%d %H:%M:%S} UTC"


def not_approved_by(name: str, note: str = "") -> Reason:
    """The reason of orders to which a person said no."""
    return because(ReasonCode.NOT_APPROVED, by=name, note=note)


def rates_of(settings: SourcingSettings) -> Rates:
    """The merchant's rates. An unusable file gives none, with the reason where a rate
    is needed: the run goes on.
    """
    try:
        return read_rates(settings.rates_file)
    except TableUnusable as error:
        return Rates(fault=str(error).partition("\n")[0].rstrip(":"))


def above_limit(question: ApprovalRequest, settings: SourcingSettings) -> str:
    """Why a plan needs a person's yes, as the end of a sentence; empty where it is
    within the approval limit. A plan that buys nothing needs none.
    """
    limit = settings.approval_limit
    if limit is None or not question.total.minor:
        return ""
    approved = total_of([question.total, *(one.total for one in question.allowed)])
    counted = payable(approved, settings.price_tolerance_percent)
    if counted <= limit:
        return ""
    bound = f"the approval limit of {limit} (SOURCING_APPROVAL_LIMIT_CNY)"
    with_earlier = (
        ", with what its batch was allowed before," if question.allowed else ""
    )
    return f"its {_what(settings)} of {counted}{with_earlier} are above {bound}"


def why_asked(above: str, settings: SourcingSettings, *, yes: bool) -> str:
    """One or two sentences for the person who is asked. `above` is the answer of
    `above_limit`.
    """
    if yes:
        return f"the run was approved beforehand, but {above}."
    why = "the run was not approved beforehand."
    if (limit := settings.approval_limit) is None:
        return why
    within = f"its {_what(settings)} are within the approval limit of {limit} (SOURCING_APPROVAL_LIMIT_CNY)"
    return f"{why} As to the plan, {above or within}."


def _what(settings: SourcingSettings) -> str:
    what = "goods and postage"
    return (
        f"{what}, with the price tolerance,"
        if settings.price_tolerance_percent
        else what
    )
