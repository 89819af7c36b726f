"""Refunds and returns: kinds, states, what may be asked for, and the order's state
after them.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from itertools import chain

from domain.marketplace import Marketplace
from domain.money import Money, total_of
from domain.offers import QuoteLine
from domain.reasons import Reason, ReasonCode, because, outranking
from domain.states import OrderState
from domain.witnessed import LEAST_PART

JPEG = b"\xff\xd8\xff"
VOUCHER_LIMIT = 1_048_576
MOST_VOUCHERS = 5
ALL_LINES = "all"
LONGEST_DESCRIPTION = 150
NOTHING = Money(0)
NEARLY_ALL = 90
"""Percent of what was paid for a line. Less than that compensates, or is for some of
its pieces: the others travel.
"""


class RefundKind(StrEnum):
    """Money back alone, or goods back for money."""

    REFUND = "refund"
    RETURN = "return"


class RefundState(StrEnum):
    """Where a refund stands, in one vocabulary for all marketplaces."""

    ASKING = "asking"  # written down; it may have reached the service
    ASKED = "asked"  # the seller has to answer
    AGREED = "agreed"  # the money is on its way
    TO_RETURN = "to_return"  # agreed: the goods must be sent back
    RETURNED = "returned"  # the return parcel is named: the seller has to receive it
    REFUNDED = "refunded"
    REFUSED = "refused"  # the seller said no; in the console it may be asked anew
    CLOSED = "closed"  # over without money
    DECLINED = "declined"  # the service did not take it on, or it never got there


R = RefundState

UNDER_WAY = frozenset({R.ASKING, R.ASKED, R.AGREED, R.TO_RETURN, R.RETURNED})
FOLLOWED = UNDER_WAY | {R.REFUSED}
WAITS_FOR_A_PERSON = frozenset({R.ASKING, R.TO_RETURN, R.REFUSED, R.DECLINED})

MAY_ASK = frozenset(
    {
        OrderState.PAID,
        OrderState.BOOKED,
        OrderState.SHIPPED,
        OrderState.IN_WAREHOUSE,
        OrderState.IN_TRANSIT,
        OrderState.DELIVERED,
        OrderState.HELD,
        OrderState.CANCELLED,
        OrderState.REFUNDING,
    }
)

RETURN_DAYS = 7
"""How many days sellers take goods back that have reached the warehouse in China: what
Chinese law gives buyers; the service says nothing of it.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundOption:
    """One reason that the service takes now, and the amounts that go with it.

    `goods` is the marketplace's own word for where the goods are. `least` and `most`
    bound the goods' part, `least_postage` and `most_postage` the postage on top.
    """

    reason_id: int
    name: str
    goods: str
    least: Money
    most: Money
    least_postage: Money = NOTHING
    most_postage: Money = NOTHING
    needs_voucher: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ReturnedParcel:
    """The parcel that brings goods back: a code of the marketplace's `carriers`, its
    number; `vouchers` are links.
    """

    carrier: str
    number: str
    note: str = ""
    vouchers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceRefund:
    """A refund as the service shows it. `refunded` is what has come back so far."""

    refund_id: str
    state: RefundState
    asked: Money
    refunded: Money
    refusal: str = ""
    company: str = ""
    tracking_number: str = ""
    deadline: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Refund:
    """A refund as the ledger keeps it; one row of `refunds`. Times are UTC.

    `part` names what of the order it is for (`all`, or lines such as `1` or `1+3`),
    `number` counts the refunds of that part. `most` could be asked for its goods (0:
    not known), the seller agreed to `approved`, `refunded` came back. `state_before` is
    the order's state once this ends without taking it off the road; the service showed
    `earlier_refund_ids` before.
    """

    key: str
    order_ref: str
    marketplace: Marketplace
    order_id: str
    part: str
    number: int
    lines: tuple[int, ...]
    entry_ids: tuple[str, ...] = ()
    kind: RefundKind
    state: RefundState
    reason_id: int = 0
    reason: str = ""
    goods: str = ""
    goods_amount: Money
    most: Money = NOTHING
    postage: Money = NOTHING
    approved: Money = NOTHING
    refunded: Money = NOTHING
    description: str = ""
    vouchers: tuple[str, ...] = ()
    earlier_refund_ids: tuple[str, ...] = ()
    state_before: OrderState
    refund_id: str = ""
    refusal: str = ""
    company: str = ""
    tracking_number: str = ""
    deadline: datetime | None = None
    asked_at: datetime | None = None
    settled_at: datetime | None = None

    @property
    def asked(self) -> Money:
        return self.goods_amount + self.postage

    @property
    def lines_named(self) -> tuple[int, ...]:
        """The lines to name where it is asked for again; empty for all of the
        order's.
        """
        return () if self.part == ALL_LINES else self.lines

    @property
    def effect_part(self) -> str:
        """The part of an effect key that sets this refund apart from the order's other
        refunds.
        """
        return f"{self.part}.{self.number}"


class CancelWay(StrEnum):
    CANCEL = "cancel"  # not paid: it is closed
    REFUND = "refund"  # paid, and not shipped: the money is asked back
    IS_DONE = "is_done"


NOT_CANCELLED = because(ReasonCode.NOT_CANCELLED)


def judge_cancel(
    state: OrderState,
    *,
    ordered: bool,
    paid: bool,
    asked_back: bool = False,
    why: Reason | None = None,
) -> CancelWay | Reason:
    """How an order may be cancelled, or why it may not. `why` is the order's own
    reason.

    `asked_back` says that its money is asked back whole.
    """
    if state in (OrderState.CANCELLED, OrderState.REFUNDED) or (
        state is OrderState.REFUNDING and asked_back
    ):
        return CancelWay.IS_DONE
    if state is OrderState.UNKNOWN:
        return why or NOT_CANCELLED
    if not ordered:
        return nothing_to_cancel()
    if not paid:
        return CancelWay.CANCEL
    if state in (
        OrderState.PAID,
        OrderState.BOOKED,
        OrderState.HELD,
        OrderState.REFUNDING,
    ):
        return CancelWay.REFUND
    return past_cancelling(state)


def nothing_to_cancel(*, approved: bool = False) -> Reason:
    """Why an order is not cancelled of which nothing was ordered."""
    return because(ReasonCode.NOTHING_TO_CANCEL, approved=approved)


def past_cancelling(state: str) -> Reason:
    """Why the money of a paid order in this state can't be asked back by cancelling."""
    return because(ReasonCode.PAST_CANCELLING, state=state)


class RefundFault(ValueError):
    """A request for a refund that can't be made; the message says what can. Nothing was
    sent.
    """


class NothingToAsk(RefundFault):
    """Nothing of these goods can be asked back now."""


def reason_ids(options: Sequence[RefundOption]) -> list[str]:
    """What names each reason: its id, and the state of the goods where one id is listed
    for several.
    """
    listed = Counter(option.reason_id for option in options)
    return [
        f"{option.reason_id}/{option.goods}"
        if listed[option.reason_id] > 1
        else str(option.reason_id)
        for option in options
    ]


def choose_reason(options: Sequence[RefundOption], wish: str) -> RefundOption:
    """The reason meant by an id or by words of its name. Raises `RefundFault` with the
    list.
    """
    if not options:
        raise NothingToAsk("the service takes no such refund for this order now")
    ids = reason_ids(options)
    exact = [
        option
        for named, option in zip(ids, options, strict=True)
        if wish in (named, option.name)
    ]
    chosen = exact or [option for option in options if wish and wish in option.name]
    if len(chosen) == 1:
        return chosen[0]
    listed = ", ".join(
        f"{named} {option.name}" for named, option in zip(ids, options, strict=True)
    )
    if not wish:
        raise RefundFault(f"say why, with a reason of this list: {listed}")
    problem = "more than one reason matches" if chosen else "no reason matches"
    raise RefundFault(f"{problem} {wish!r}: {listed}")


def settle_amount(option: RefundOption, wish: Money | None) -> tuple[Money, Money]:
    """Goods and postage for a wished total, the most that is possible for none. Raises
    `RefundFault`.
    """
    least = option.least + option.least_postage
    most = option.most + option.most_postage
    if most.minor < 1 or least > most:
        raise NothingToAsk("nothing is left to be refunded")
    if wish is None:
        return option.most, option.most_postage
    if not least <= wish <= most:
        bounds = f"exactly {most}" if least == most else f"{least} to {most}"
        raise RefundFault(
            f"{wish} can't be asked for with reason {option.name}: {bounds}"
        )
    goods = min(wish - option.least_postage, option.most)
    return goods, wish - goods


def require_vouchers(option: RefundOption, count: int) -> None:
    """Raise `RefundFault` unless this many pictures go with the reason."""
    if count > MOST_VOUCHERS:
        raise RefundFault(
            f"{count} vouchers: the service takes at most {MOST_VOUCHERS}"
        )
    if option.needs_voucher and not count:
        raise RefundFault(
            f"reason {option.name} needs a picture (JPG, below 1 MB, 1 to 5)"
        )


def require_jpg(name: str, content: bytes) -> None:
    """Raise `RefundFault` for a file that the service would refuse as a voucher
    (contract 1.7).
    """
    if not content.startswith(JPEG):
        raise RefundFault(f"{name} is no JPG: save it as JPG and try again")
    if len(content) >= VOUCHER_LIMIT:
        raise RefundFault(
            f"{name} has {len(content):,} bytes: it must be below 1 MB ({VOUCHER_LIMIT:,})"
        )


def settled_description(text: str, reason: str) -> str:
    """The description for the seller: 2 to 150 characters, the reason itself when none
    is given.
    """
    words = text.strip() or reason
    if not 2 <= len(words) <= LONGEST_DESCRIPTION:
        raise RefundFault(
            f"the description has {len(words)} characters: 2 to {LONGEST_DESCRIPTION} are allowed"
        )
    return words


def part_name(lines: Collection[int], all_lines: Collection[int]) -> str:
    """`all`, or the line numbers; part of the keys of a refund's effects."""
    return (
        ALL_LINES
        if set(lines) == set(all_lines)
        else "+".join(str(line_no) for line_no in sorted(lines))
    )


def order_state_after(
    refunds: Sequence[Refund],
    *,
    paid: Money,
    above: Money,
    lines: Collection[QuoteLine],
    is_booked: bool,
) -> tuple[OrderState, Reason | None]:
    """The state of an order with these refunds (at least one), oldest first, and the
    reason.

    Refunding while any is under way; refunded when all money came back or all goods
    went back, also where some of their price came back without them; else where it was.
    """
    if open_ones := [refund for refund in refunds if refund.state in UNDER_WAY]:
        return OrderState.REFUNDING, outranking(map(standing, open_ones))
    paid_back = [refund for refund in refunds if refund.state is R.REFUNDED]
    back = total_of([refund.refunded for refund in paid_back])
    gone = _nearly_all_back(_goods_back(paid_back, above, lines, paid), lines, paid)
    returned = gone & {
        *chain(
            *(refund.lines for refund in paid_back if refund.kind is RefundKind.RETURN)
        )
    }
    if back.minor and (back >= paid or returned >= {line.line_no for line in lines}):
        return OrderState.REFUNDED, came_back(back, paid)
    return after_refunding(refunds[-1].state_before, is_booked=is_booked), standing(
        refunds[-1]
    )


def came_back(back: Money, asked: Money) -> Reason:
    """What came back of what was asked for, or of all that was paid."""
    return because(ReasonCode.REFUND_CAME_BACK, back=back, asked=asked)


def _paid_for(
    some: Collection[int], lines: Collection[QuoteLine], paid: Money
) -> Money:
    """What was paid for the goods of some lines: their part of it, without postage."""
    worth = {line.line_no: line.amount.minor for line in lines}
    of_all = sum(worth.values())
    part = sum(worth[line_no] for line_no in some)
    return Money(
        part * min(paid.minor or of_all, of_all) // max(of_all, 1), paid.currency
    )


def _is_all(back: Money, of: Money) -> bool:
    return back * 100 >= of * NEARLY_ALL


def _goods_back(
    refunds: Iterable[Refund],
    above: Money,
    lines: Collection[QuoteLine] = (),
    paid: Money = NOTHING,
) -> dict[tuple[int, ...], Money]:
    """What these refunds, oldest first, bring back for the goods of lines, as they were
    asked for together.

    What was taken `above` what might be paid comes back first. Goods that went back did
    for what was asked, though the seller kept some. Nearly the most that could be asked
    for some of `lines` is their whole part of what was `paid`.
    """
    back = defaultdict[tuple[int, ...], Money](lambda: NOTHING)
    for refund in refunds:
        goods = refund.refunded if refund.state is R.REFUNDED else refund.asked
        if refund.kind is RefundKind.REFUND:
            goods = max(goods - refund.postage, NOTHING)
        elif goods * LEAST_PART >= refund.asked:
            goods = max(goods, refund.asked)
        is_whole = bool(lines) and refund.most.minor > 0 and _is_all(goods, refund.most)
        if refund.kind is RefundKind.REFUND:
            over = min(above, goods)
            above = above - over
            goods = goods - over
        back[refund.lines] += (
            _paid_for(refund.lines, lines, paid) if is_whole else goods
        )
    return back


def _nearly_all_back(
    back: Mapping[tuple[int, ...], Money], lines: Collection[QuoteLine], paid: Money
) -> set[int]:
    """The lines nearly all of whose price came `back`: for them alone, or for them and
    others of which it had not.
    """
    gone = set[int]()
    for together in sorted(back, key=len):
        rest = {*together} - gone
        sums = [
            goods
            for part, goods in back.items()
            if rest & {*part} and {*together} >= {*part}
        ]
        if _is_all(total_of(sums), _paid_for(rest, lines, paid)):
            gone |= rest
    return gone


def is_asked_back(
    refunds: Iterable[Refund],
    lines: Collection[QuoteLine],
    *,
    paid: Money,
    above: Money,
) -> bool:
    """Whether nearly all that was paid for the goods is asked back or came back, of all
    lines; a refused sum is not.
    """
    counted = UNDER_WAY | {R.REFUNDED}
    back = _goods_back([refund for refund in refunds if refund.state in counted], above)
    every = {line.line_no for line in lines}
    is_of_all = {*chain(*back)} >= every
    return is_of_all and _is_all(
        total_of([*back.values()]), _paid_for(every, lines, paid)
    )


def unsent_lines(
    refunds: Sequence[Refund],
    lines: Collection[QuoteLine],
    *,
    paid: Money,
    above: Money,
) -> set[int]:
    """The lines nearly all of whose money came back, for the goods or without them,
    before the order was delivered.

    Money for all of them is for goods that travel on, and a smaller sum compensates, or
    is for some of the pieces. What was taken `above` what might be paid comes back
    first: `refunds` are the oldest first.
    """
    before_delivery = [
        refund
        for refund in refunds
        if refund.state is R.REFUNDED
        and refund.state_before is not OrderState.DELIVERED
    ]
    back = _goods_back(before_delivery, above, lines, paid)
    of_some_lines = {part: back[part] for part in back if len(part) < len(lines)}
    return _nearly_all_back(of_some_lines, lines, paid)


def after_refunding(before: OrderState, *, is_booked: bool) -> OrderState:
    """Where an order goes that leaves refunding: its earlier state; one that was closed
    waits for a person.

    It may have been booked since, where an earlier refund is asked for anew in the
    console.
    """
    if before is OrderState.PAID and is_booked:
        return OrderState.BOOKED
    return (
        OrderState.HELD
        if before in (OrderState.CANCELLED, OrderState.REFUNDING)
        else before
    )


def those_waiting(refunds: Sequence[Refund]) -> list[Refund]:
    """Those of refunds, oldest first, that wait for a person.

    One that was not taken waits no longer once a later one has its lines and as much
    money.
    """
    return [
        refund
        for place, refund in enumerate(refunds, start=1)
        if refund.state in WAITS_FOR_A_PERSON
        and not (
            refund.state is R.DECLINED
            and any(_is_instead(later, refund) for later in refunds[place:])
        )
    ]


def _is_instead(later: Refund, declined: Refund) -> bool:
    return (
        later.order_ref == declined.order_ref
        and later.state in UNDER_WAY | {R.REFUNDED}
        and {*later.lines} >= {*declined.lines}
        and max(later.asked, later.refunded) >= declined.asked
    )


_STEPS = {
    R.ASKED: "waits for the seller's answer",
    R.AGREED: "is agreed; the money is on its way",
    R.RETURNED: "waits until the seller has received its parcel",
}
_STANDING = {
    R.ASKING: ReasonCode.REFUND_ASKING,
    R.ASKED: ReasonCode.REFUND_UNDER_WAY,
    R.AGREED: ReasonCode.REFUND_UNDER_WAY,
    R.TO_RETURN: ReasonCode.REFUND_TO_RETURN,
    R.RETURNED: ReasonCode.REFUND_UNDER_WAY,
    R.REFUSED: ReasonCode.REFUND_REFUSED,
    R.CLOSED: ReasonCode.REFUND_CLOSED,
    R.DECLINED: ReasonCode.REFUND_REFUSED,
}


def standing(refund: Refund) -> Reason:
    """The state of one refund, and what to do about it."""
    if refund.state is R.REFUNDED:
        return came_back(refund.refunded, refund.asked)
    by = "the seller" if refund.state is R.REFUSED else "the service"
    if refund.state is R.TO_RETURN:
        by = f"{refund.deadline:%Y-%m-%d %H:%M} UTC" if refund.deadline else ""
    return because(
        _STANDING[refund.state],
        what=f"{refund.kind} of {refund.asked} ({refund.reason})",
        order_ref=refund.order_ref,
        kind=refund.kind,
        lines=refund.lines_named,
        amount_cny=refund.asked.major,
        by=by,
        step=_STEPS.get(refund.state),
        why=refund.refusal or "no reason given",
    )
