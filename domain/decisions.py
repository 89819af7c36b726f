"""The decisions about one order: which SKU, may it be ordered, may it be paid; each
with its reason.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from domain.marketplace import Marketplace
from domain.money import Money, total_of
from domain.offers import LineProblem, Offer, Problem, Quote, QuoteLine, Sku, price_at
from domain.orders import OrderLine, OrderRequest, Receiver, RequestLine
from domain.reasons import Reason, ReasonCode, because
from domain.service_orders import ServiceOrder, ServiceStatus
from domain.states import OrderState
from domain.witnessed import (
    FAR,
    Amount,
    Contradicted,
    Kind,
    Paid,
    Source,
    Statement,
    agreed,
    agreed_total,
    contradiction,
    money_of,
)

NO_POSTCODES = frozenset(
    {
        "AE",
        "AG",
        "AO",
        "BS",
        "BZ",
        "CI",
        "GH",
        "HK",
        "IE",
        "JM",
        "KE",
        "MO",
        "PA",
        "QA",
        "TT",
        "UG",
    }
)
NEEDS_STATE = frozenset({"AU", "BR", "CA", "IN", "MX", "MY", "US"})

LEAST_OF_LIMIT = 20
"""A price below this part of its limit may be yuan that were read as fen. The sentence
of the reason names it too.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What a decision makes of an order: `planned` is fine, `refused` can't be bought,
    `held` waits for a person.

    `is_postponed`: nothing could be decided yet; the order stays to be planned, and is
    not bought. `contradicted` are two readings of an amount for which it is held.
    """

    state: OrderState
    why: Reason | None = None
    is_postponed: bool = False
    contradicted: Contradicted | None = None


FINE = Verdict(state=OrderState.PLANNED)


def refused(why: Reason) -> Verdict:
    return Verdict(state=OrderState.REFUSED, why=why)


def held(why: Reason | None) -> Verdict:
    return Verdict(state=OrderState.HELD, why=why)


def unusable(what: str, failure: str) -> Verdict:
    """Held for an answer that says nothing understood; the next run asks again."""
    return held(because(ReasonCode.ANSWER_UNUSABLE, what=what, failure=failure))


def contradicted(verdict: Contradicted, marketplace: Marketplace) -> Verdict:
    return Verdict(
        state=OrderState.HELD,
        why=contradiction(verdict, marketplace),
        contradicted=verdict,
    )


def unread(what: str, failure: str) -> Reason:
    """Why nothing is decided: `what` the service did not answer."""
    return because(ReasonCode.UNREAD, what=what, failure=failure)


def refused_by_service(failure: str) -> Reason:
    """Why an order is not bought that the service refused."""
    return because(ReasonCode.REFUSED, failure=failure)


def refused_after_ordering(done: str, failure: str) -> Reason:
    """Why an order is not paid, booked or cancelled (`done`): the service refused."""
    return because(ReasonCode.REFUSED_AFTER_ORDERING, done=done, failure=failure)


def closed_unpaid(close_reason: str) -> Reason:
    """Why an order ended that was never paid."""
    return because(ReasonCode.CLOSED_UNPAID, why=close_reason)


def closed_after_payment(close_reason: str) -> Reason:
    """Why the money of an order that the marketplace closed is to be asked back."""
    return because(ReasonCode.CLOSED_AFTER_PAYMENT, why=close_reason)


def postponed(reason: Reason) -> Verdict:
    return Verdict(state=OrderState.PLANNED, why=reason, is_postponed=True)


def match_sku(offer: Offer, wish: str) -> Sku | Verdict:
    """The SKU that a line asks for. An empty wish is fine when there is only one."""
    active = [sku for sku in offer.skus if sku.active]
    if not offer.active or not active:
        return _not_on_sale(offer)
    if wish:
        skus = [sku for sku in offer.skus if wish in (sku.sku_id, sku.spec_id)]
        if skus and (skus[0].active or offer.unknown_state):
            return skus[0] if skus[0].active else _not_on_sale(offer)
        unknown = because(
            ReasonCode.SKU_UNKNOWN,
            item=offer.item_id,
            wish=wish,
            choices=_choices(active),
        )
        return refused(unknown)
    several = because(
        ReasonCode.SKU_NOT_CHOSEN,
        item=offer.item_id,
        title=offer.title,
        count=len(offer.skus),
        choices=_choices(active),
    )
    return offer.only_sku or held(several)


def no_such_item(marketplace: Marketplace, item: str) -> Reason:
    """Why what names this item can't be bought."""
    return because(ReasonCode.NO_SUCH_ITEM, marketplace=marketplace, item=item)


def _not_on_sale(offer: Offer) -> Verdict:
    if not offer.unknown_state:
        return refused(
            because(ReasonCode.NOT_ON_SALE, item=offer.item_id, title=offer.title)
        )
    return held(
        because(
            ReasonCode.OFFER_STATE_UNKNOWN,
            item=offer.item_id,
            title=offer.title,
            state=offer.unknown_state,
            marketplace=offer.marketplace,
        )
    )


def order_line(line_no: int, line: RequestLine, offer: Offer, sku: Sku) -> OrderLine:
    """A request's line with its SKU at the offer's present price."""
    return OrderLine(
        line_no=line_no,
        item_id=offer.item_id,
        sku_id=sku.sku_id,
        title=offer.title,
        image_url=sku.image_url or offer.image_url,
        quantity=line.quantity,
        unit_price=sku.price,
        spec_id=sku.spec_id,
        distribution_item_id=offer.distribution_item_id,
        distribution_sku_id=sku.distribution_sku_id,
    )


def judge_availability(lines: Sequence[tuple[RequestLine, Offer, Sku]]) -> Verdict:
    """What the offers themselves rule out: fewer pieces than the seller sells, more
    than there are.
    """
    asked_pieces: Counter[str] = Counter()
    for line, offer, _ in lines:
        asked_pieces[offer.item_id] += line.quantity
    for line, offer, sku in lines:
        title = offer.title
        item = offer.item_id
        pieces = asked_pieces[offer.item_id]
        if pieces < offer.min_quantity:
            min_quantity = offer.min_quantity
            return refused(
                because(
                    ReasonCode.BELOW_MINIMUM,
                    title=title,
                    item=item,
                    least=min_quantity,
                    asked=pieces,
                )
            )
        if sku.stock < line.quantity:
            stock = sku.stock
            pieces = line.quantity
            return refused(
                because(
                    ReasonCode.OUT_OF_STOCK,
                    title=title,
                    item=item,
                    stock=stock,
                    asked=pieces,
                )
            )
    return FINE


def missing_address_parts(receiver: Receiver) -> list[str]:
    """The request columns that a parcel to this country can't do without and that are
    empty.
    """
    needed = {
        "receiver_phone": receiver.phone,
        "city": receiver.city,
        "zip": receiver.zip or (receiver.country in NO_POSTCODES and "none"),
        "state": receiver.state or (receiver.country not in NEEDS_STATE and "none"),
    }
    return [column for column, value in needed.items() if not value]


def judge_request(request: OrderRequest) -> Verdict:
    """What is decided before the service is asked anything."""
    missing = missing_address_parts(request.receiver)
    return (
        held(because(ReasonCode.ADDRESS_INCOMPLETE, columns=missing))
        if missing
        else FINE
    )


def judge_quote(
    request: OrderRequest,
    lines: tuple[OrderLine, ...],
    quote: Quote,
    offers: Iterable[Offer] = (),
) -> Verdict:
    """Fine, refused (gone, no stock, below minimum) or held (over a line's price limit,
    far from what `offers` say).
    """
    if quote.problems:
        return _with_problems(request, lines, quote)
    if quote.hold or quote.order_count > 1:
        on_hold = quote.hold and because(ReasonCode.QUOTE_ON_HOLD, why=quote.hold)
        return held(
            on_hold or because(ReasonCode.SEVERAL_DEPOTS, count=quote.order_count)
        )
    goods = agreed(
        offered(lines, offers),
        Statement(source=Source.PREVIEW, value=quote.goods + quote.discount),
    )
    if isinstance(goods, Contradicted) and quote.goods.minor > 0:
        return contradicted(goods, request.marketplace)
    over = _against_limits(request, lines, quote, lambda amount, most: amount > most)
    if over:
        return held(price_above_limit(over))
    unpriced = [
        line.title
        for line in lines
        if line.line_no not in {priced.line_no for priced in quote.lines}
    ]
    odd = _does_not_add_up(quote)
    if unpriced:
        odd = _without_price(quote, unpriced, offered(lines, offers))
    if odd:
        return held(because(ReasonCode.PREVIEW_UNCLEAR, odd=odd))
    return FINE


def _without_price(quote: Quote, unpriced: Sequence[str], offer: Statement) -> str:
    if quote.lines or quote.goods.minor:
        return f"it shows no price for {', '.join(unpriced)}"
    offered = money_of(offer)
    return (
        f"it shows {quote.total} in all and no other price; the offer costs {offered}"
    )


def _with_problems(
    request: OrderRequest, lines: tuple[OrderLine, ...], quote: Quote
) -> Verdict:
    several = [
        problem.message
        for problem in quote.problems
        if problem.problem is Problem.SEVERAL_PRODUCTS
    ]
    if several:
        return held(
            because(
                ReasonCode.ONE_PRODUCT_AN_ORDER,
                marketplace=request.marketplace,
                failure=several,
            )
        )
    problems = [_in_words(problem, lines) for problem in quote.problems]
    if all(
        problem.problem is Problem.OTHER for problem in quote.problems
    ):  # a fault of the service may be told as a no
        return unusable("could not be previewed", "; ".join(problems))
    return refused(because(ReasonCode.QUOTE_REFUSED, problems=problems))


def above_limits(request: OrderRequest, quote: Quote) -> list[int]:
    """The numbers of the lines that cost more than their limit."""
    return [
        problem.line_no
        for problem, _ in _odd_beside_limits(
            request, quote, lambda amount, most: amount > most
        )
    ]


def far_below_limits(
    request: OrderRequest, lines: tuple[OrderLine, ...], quote: Quote, *, setting: str
) -> Verdict:
    """Held for a unit price so far below its limit that yuan may have been read as fen;
    `setting` corrects that.
    """
    low = _against_limits(
        request, lines, quote, lambda amount, most: amount * LEAST_OF_LIMIT < most
    )
    at = request.marketplace
    return (
        held(
            because(
                ReasonCode.PRICE_FAR_BELOW_LIMIT,
                lines=low,
                marketplace=at,
                setting=setting,
            )
        )
        if low
        else FINE
    )


def _against_limits(
    request: OrderRequest,
    lines: tuple[OrderLine, ...],
    quote: Quote,
    is_odd: Callable[[Money, Money], bool],
) -> list[str]:
    """What each line costs whose amount is odd beside as many pieces at their limit."""
    titles = {line.line_no: line.title for line in lines}
    return [
        above_limit(
            titles.get(problem.line_no, "line"),
            problem.unit_price,
            limit,
            problem.amount if problem.unit_price == limit else None,
        )
        for problem, limit in _odd_beside_limits(request, quote, is_odd)
    ]


def _odd_beside_limits(
    request: OrderRequest, quote: Quote, is_odd: Callable[[Money, Money], bool]
) -> list[tuple[QuoteLine, Money]]:
    request_lines = dict(enumerate(request.lines, start=1))
    return [
        (problem, limit)
        for problem in quote.lines
        if (line := request_lines.get(problem.line_no))
        and (limit := line.max_unit_price)
        and is_odd(problem.amount, limit * line.quantity)
    ]


def price_above_limit(lines: Sequence[str]) -> Reason:
    """Why an order is not bought with lines above their limits."""
    return because(ReasonCode.PRICE_ABOVE_LIMIT, lines=lines)


def above_limit(
    title: str, price: Money, limit: Money, amount: Money | None = None
) -> str:
    """What one piece costs beside its limit; `amount`, that of all pieces, where the
    rounded price hides it.
    """
    in_all = f" ({amount} in all)" if amount else ""
    return f"{title} costs {price} each{in_all}, limit {limit}"


def offered(lines: Sequence[OrderLine], offers: Iterable[Offer]) -> Statement:
    """What the goods cost by their offers, for as many pieces; by the order line where
    its offer is not at hand.
    """
    known_lines = {
        (offer.item_id, sku.sku_id): (offer, sku)
        for offer in offers
        for sku in offer.skus
    }
    pieces = Counter[str]()
    for line in lines:
        pieces[line.item_id] += line.quantity
    prices = [
        price_at(*known_lines[key], pieces[line.item_id])
        if (key := (line.item_id, line.sku_id)) in known_lines
        else line.unit_price
        for line in lines
    ]
    goods = total_of(
        [price * line.quantity for price, line in zip(prices, lines, strict=True)]
    )
    return Statement(source=Source.OFFER, value=goods)


def _does_not_add_up(quote: Quote) -> str:
    """Amounts that can't be meant. The service may add a fee, or take a discount off
    that it does not tell.
    """
    if quote.goods.minor <= 0 or quote.total.minor <= 0:
        return f"goods for {quote.goods}, {quote.total} in all, and nothing is free"
    if quote.postage.minor < 0 or quote.total * FAR < quote.goods + quote.postage:
        return f"goods for {quote.goods} and {quote.postage} of postage are {quote.total} in all"
    if any(line.amount.minor <= 0 or line.unit_price.minor < 0 for line in quote.lines):
        return "a line costs nothing"
    lines = total_of([line.amount for line in quote.lines])
    if lines < quote.goods:
        return f"its lines cost {lines}, the goods {quote.goods}"
    return ""


NOT_SHOWN = because(ReasonCode.NOT_SHOWN)
PAYMENT_UNCONFIRMED = because(ReasonCode.PAYMENT_UNCONFIRMED)
PAID_FOR_NOTHING = because(ReasonCode.PAID_FOR_NOTHING)


class Payment(StrEnum):
    WAIT = "wait"
    STOP = "stop"


@dataclass(frozen=True, slots=True, kw_only=True)
class Left:
    """An order that is not paid, or not booked, now: left for a follow-up, or stopped
    for a person.
    """

    how: Payment
    why: Reason


def judge_paid(service_order: ServiceOrder, owed: Money, *, by_us: bool) -> Paid | None:
    """Whether an order is paid: by its status, or by its facts where a payment of ours
    (`by_us`) was begun.

    Facts count more than a status that says nothing of them, as an unknown one does.
    For a payment that the service calls under way, or refused by finance, they may be
    from when it was submitted.
    """
    submitted = service_order.status in (
        ServiceStatus.PAYMENT_PENDING,
        ServiceStatus.PAYMENT_REFUSED,
    )
    by_fact = by_us and service_order.payment is not None and not submitted
    if not (service_order.status.is_paid or by_fact):
        return None
    statement = Statement(
        source=Source.DETAIL, value=service_order.payment or service_order.status
    )
    return Paid(order=statement, ours=Statement(source=Source.LEDGER, value=owed))


def unknown_state(service_order: ServiceOrder) -> Reason | None:
    """Why an order in a state without a meaning here waits; None for all others."""
    if service_order.status is not ServiceStatus.OTHER:
        return None
    return because(
        ReasonCode.UNKNOWN_STATE, state=service_order.state_word or "none told"
    )


def judge_payment(
    service_order: ServiceOrder | None,
    approved: Money,
    payable: Money | None = None,
    *,
    is_ours: bool = True,
    by_us: bool = False,
) -> Amount | Paid | Contradicted | Left:
    """Whether to pay an order as the service shows it now, and for what amount, or why
    not.

    `payable` is the most that may be paid where a tolerance on top of `approved` was
    granted. `is_ours`: the order carries our reference, or needs none; an order without
    a reference may be foreign. `by_us`: a payment of this ledger was begun for it.
    """
    if service_order is None:
        return Left(how=Payment.STOP, why=NOT_SHOWN)
    if paid := judge_paid(service_order, approved, by_us=by_us):
        return (
            paid
            if by_us or service_order.taken
            else Left(how=Payment.WAIT, why=PAID_FOR_NOTHING)
        )
    if left := _under_way(service_order, by_us=by_us):
        return left
    if verdict := _against_paying(
        service_order, approved, approved if payable is None else payable
    ):
        return verdict
    if not is_ours:
        return Left(
            how=Payment.WAIT,
            why=because(ReasonCode.NO_REFERENCE_YET, order_id=service_order.order_id),
        )
    return agreed_total(_approved(approved), _total(service_order))


def _under_way(service_order: ServiceOrder, *, by_us: bool) -> Left | None:
    if service_order.status is ServiceStatus.PAYMENT_PENDING:
        return Left(how=Payment.WAIT, why=PAYMENT_UNCONFIRMED)
    if by_us and (unknown := unknown_state(service_order)):
        return Left(how=Payment.WAIT, why=unknown)
    return None


def _against_paying(
    service_order: ServiceOrder, approved: Money, payable: Money
) -> Contradicted | Left | None:
    reason = None
    if service_order.status is ServiceStatus.CLOSED:
        reason = closed_unpaid(service_order.close_reason)
    elif service_order.status is ServiceStatus.PAYMENT_REFUSED:
        reason = refused_by_finance(service_order)
    elif unknown := unknown_state(service_order):
        reason = unknown
    elif service_order.payment:
        statement, fact = (
            Statement(source=Source.DETAIL, value=value)
            for value in (service_order.status, service_order.payment)
        )
        return Contradicted(kind=Kind.PAID, first=statement, second=fact)
    elif service_order.total.minor <= 0:
        reason = because(ReasonCode.SHOWN_FOR_NOTHING, total=service_order.total)
    elif isinstance(
        total := agreed_total(_approved(approved), _total(service_order)), Contradicted
    ):
        return total
    elif service_order.total > payable:
        amount = payable if payable > approved else None
        reason = because(
            ReasonCode.PRICE_ROSE,
            total=service_order.total,
            approved=approved,
            payable=amount,
        )
    return Left(how=Payment.STOP, why=reason) if reason else None


def refused_by_finance(service_order: ServiceOrder) -> Reason:
    """Why an order waits whose payment was taken in, and refused by the service's
    finance.
    """
    return because(
        ReasonCode.FINANCE_REFUSED,
        order_id=service_order.order_id,
        amount=service_order.total,
    )


def _approved(amount: Money) -> Statement:
    return Statement(source=Source.LEDGER, value=amount)


def _total(service_order: ServiceOrder) -> Statement:
    return Statement(source=Source.DETAIL, value=service_order.total)


def judge_booking(service_order: ServiceOrder) -> Left | None:
    """Why an order that we paid must not be booked now; None when it may be.

    An order in an unknown state waits until the state is known, or until a parcel is on
    its way.
    """
    if service_order.status.is_paid or (
        service_order.status is ServiceStatus.OTHER and service_order.parcels
    ):
        return None
    if unknown := unknown_state(service_order):
        return Left(how=Payment.WAIT, why=unknown)
    if service_order.status is ServiceStatus.CLOSED:
        reason = closed_after_payment(service_order.close_reason)
    else:
        reason = paid_shown_otherwise(service_order.status)
    return Left(how=Payment.STOP, why=reason)


def paid_shown_otherwise(status: str) -> Reason:
    """Why an order that we paid is not booked: the service shows no such payment."""
    return because(ReasonCode.PAID_SHOWN_OTHERWISE, status=status)


def _in_words(problem: LineProblem, lines: tuple[OrderLine, ...]) -> str:
    line = next((line for line in lines if line.line_no == problem.line_no), None)
    subject = f"{line.title} ({line.item_id}) × {line.quantity}: " if line else ""
    service_words = f" ({problem.message})" if problem.message else ""
    return f"{subject}{problem.problem.words}{service_words}"


def _choices(skus: list[Sku], most: int = 6) -> str:
    differences = ", ".join(
        f"{sku.sku_id} ({sku.name})" if sku.name else sku.sku_id for sku in skus[:most]
    )
    return (
        differences
        if len(skus) <= most
        else f"{differences}, and {len(skus) - most} more"
    )
