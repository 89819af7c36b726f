"""The report of a batch: each order, and what the run did."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from domain.follow_ups import FollowUp
from domain.holds import Pause
from domain.matching import Match
from domain.money import Money, by_currency
from domain.plan import PlannedOrder
from domain.reasons import NO_ROOM, Explained, ReasonCode
from domain.request_remarks import Remark
from domain.sku_book import missing_entries
from domain.states import NEEDS_A_PERSON, REACHED_BOOKED, OrderState

BATCH_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


def check_batch_id(text: str) -> str:
    """The name of a batch, which is also a file name. Raises `ValueError` for a name
    that can't be.
    """
    if not BATCH_ID.fullmatch(text):
        raise ValueError(
            f"{text!r} can't name a batch: use up to 100 letters, digits, '.', '_' and '-'"
        )
    return text


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportLine(Explained):
    """One order as it stands; what was paid in fen, the freight that was booked in
    minor units of its currency.
    """

    order_ref: str
    marketplace: str
    state: OrderState
    order_id: str | None = None
    paid_fen: int | None = None
    shipment_order_id: str | None = None
    tracking_numbers: Sequence[str] = ()
    freight_minor: int | None = None
    freight_currency: str | None = None

    @property
    def freight(self) -> Money | None:
        if self.freight_minor is None or self.freight_currency is None:
            return None
        return Money(self.freight_minor, self.freight_currency)


@dataclass(frozen=True, slots=True, kw_only=True)
class MatchLine:
    """The item taken for the words of one line. `pin` is the text for the file that
    makes it certain.
    """

    order_ref: str
    marketplace: str
    words: str
    item_id: str
    title: str
    price_fen: int | None
    seller: str
    why: str
    pin: str
    candidates: list[str] = field(default_factory=list)

    @classmethod
    def of(cls, order_ref: str, match: Match) -> MatchLine:
        candidate = match.taken
        return cls(
            order_ref=order_ref,
            marketplace=match.marketplace,
            words=match.words,
            item_id=match.item_id,
            title=candidate.title if candidate else "",
            price_fen=candidate.price.minor if candidate else None,
            seller=(candidate.seller_name or candidate.seller_id) if candidate else "",
            why=match.note,
            pin=match.pin,
            candidates=[candidate.item_id for candidate in match.candidates],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchReport:
    """The report of one batch: `spent_fen` for all its orders so far,
    `spent_this_run_fen` for what this run paid.

    A dry run has the `plans` of new orders, whatever was decided on them, and those
    `to_ship` of orders begun earlier. `warnings` are those of the request file, and
    `lines_without_limit` counts its lines without a price limit. `next_follow_up` is
    for what may end well without a person, only later. `broken_off` says why a run
    ended before its work did: the service was away, or the time was up; `paused` that
    it bought nothing, or no more. `questions` are about first payments, for a person
    with the console; `approval` is the link to the form in which a person approves what
    waits for that.
    `unknown_words` counts the orders of each word of the service without a meaning
    here. `elsewhere_fen` was paid for orders that another batch has.
    """

    batch_id: str = ""
    orders: Sequence[ReportLine] = field(
        default=(), repr=False
    )  # `asyncio.run` prints its task's result as it ends, and drops it
    spent_this_run_fen: int = 0
    bought_this_run: int = 0
    snapshot_id: str | None = None
    snapshot_root: str = ""
    dry_run: bool = False
    matches: Sequence[MatchLine] = ()
    plans: Sequence[PlannedOrder] = ()
    to_ship: Sequence[PlannedOrder] = ()
    warnings: Sequence[Remark] = ()
    lines_without_limit: int = 0
    next_look: FollowUp | None = None
    broken_off: str = ""
    paused: Pause | None = None
    questions: Sequence[str] = ()
    approval: str = ""
    unknown_words: Mapping[str, int] = field(default_factory=dict)
    elsewhere_fen: int = 0

    @property
    def counts(self) -> dict[str, int]:
        """Orders by state, the most frequent first."""
        return dict(Counter(str(line.state) for line in self.orders).most_common())

    @property
    def spent_fen(self) -> int:
        return sum(line.paid_fen or 0 for line in self.orders)

    @property
    def without_room(self) -> list[ReportLine]:
        """The orders that are held since the budget or the day's limit is used up."""
        return [
            line
            for line in self.orders
            if line.state is OrderState.HELD and line.reason_code in NO_ROOM
        ]

    @property
    def missing_entries(self) -> list[dict[str, str]]:
        """Rows for the SKU book, of the own SKUs that it lacks."""
        missing = [
            line
            for line in self.orders
            if line.reason_code is ReasonCode.OWN_SKU_MISSING
        ]
        return missing_entries(
            (line.order_ref, line.reason_facts["own_skus"]) for line in missing
        )

    @property
    def freight(self) -> dict[str, Money]:
        """What was booked for the batch so far, a sum a currency."""
        return by_currency(line.freight for line in self.orders if line.freight)

    @property
    def all_wait(self) -> bool:
        """Whether nothing was bought or planned: each order is held, refused or
        unknown.
        """
        return bool(self.orders) and all(
            line.state in NEEDS_A_PERSON for line in self.orders
        )

    @property
    def all_booked(self) -> bool:
        return all(line.state in REACHED_BOOKED for line in self.orders)

    @property
    def all_fine(self) -> bool:
        """Whether nothing waits for a person: all booked, or all planned in a dry
        run.
        """
        if any(plan.is_postponed for plan in self.plans):
            return False
        return self.all_booked or (
            self.dry_run and set(self.counts) <= {*REACHED_BOOKED, OrderState.PLANNED}
        )

    def to_json(
        self, line_as: Callable[[ReportLine], object] = asdict
    ) -> dict[str, Any]:
        """The report that `sourcing run --json` prints; orders of a dry run also have
        their costs.

        `line_as` may leave a line as it is, to be encoded later: of 100,000 orders they
        are much memory.
        """
        costs = {plan.order_ref: _goods(plan) | _freight(plan) for plan in self.plans}
        costs |= {
            plan.order_ref: (_goods(plan) if plan.is_unpaid else {}) | _freight(plan)
            for plan in self.to_ship
        }
        return {
            "batch_id": self.batch_id,
            "counts": self.counts,
            "spent_fen": self.spent_fen,
            "spent_this_run_fen": self.spent_this_run_fen,
            "freight_booked_minor": {
                sum_.currency: sum_.minor for sum_ in self.freight.values()
            },
            "bought_this_run": self.bought_this_run,
            "dry_run": self.dry_run,
            "snapshot_id": self.snapshot_id,
            "snapshot_root": self.snapshot_root,
            "orders": [
                asdict(line) | costs[line.order_ref]
                if line.order_ref in costs
                else line_as(line)
                for line in self.orders
            ],
            "matches": [asdict(match) for match in self.matches],
            "lines_without_limit": self.lines_without_limit,
            "warnings": [asdict(warning) for warning in self.warnings],
            "broken_off": self.broken_off,
            "paused": asdict(self.paused) | {"at": self.paused.at.isoformat()}
            if self.paused
            else None,
            "next_look": self.next_look.to_json() if self.next_look else None,
            "questions": [*self.questions],
            "approval": self.approval,
            "unknown_words": dict(self.unknown_words),
        }


def _goods(plan: PlannedOrder) -> dict[str, Any]:
    return {
        "quoted_fen": plan.quote.total.minor if plan.quote else None,
        "stock": plan.stock,
    }


def _freight(plan: PlannedOrder) -> dict[str, Any]:
    price = plan.freight_service.price if plan.freight_service else None
    return {
        "freight_minor": price.minor if price else None,
        "freight_currency": price.currency if price else None,
    }
