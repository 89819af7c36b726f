"""The decisions about one order: which SKU, may it be ordered, may it be paid; each with a reason to read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from domain.money import Money, total_of
from domain.offers import Offer, Sku
from domain.orders import OrderLine, OrderRequest, Receiver, RequestLine
from domain.quotes import LineProblem, Problem, Quote
from domain.reasons import ReasonCode
from domain.service_orders import ServiceOrder, ServiceStatus
from domain.states import OrderState

NO_POSTCODES = frozenset(
    {"AE", "AG", "AO", "BS", "BZ", "CI", "GH", "HK", "IE", "JM", "KE", "MO", "PA", "QA", "TT", "UG"}
)
NEEDS_STATE = frozenset({"AU", "BR", "CA", "IN", "MX", "MY", "US"})

NOT_SHOWN = "the service does not show this order; look it up in the console"

PROBLEM_WORDS = {
    Problem.OUT_OF_STOCK: "not enough stock",
    Problem.BELOW_MIN_QUANTITY: "below the seller's minimum quantity",
    Problem.OFFLINE: "no longer on sale",
    Problem.SKU_UNKNOWN: "this variant does not exist",
    Problem.SELLERS_DIFFER: "items of different sellers: give each seller an order_ref of its own",
    Problem.ADDRESS_INVALID: "the service does not accept the address",
    Problem.PRICE_CHANGED: "the price has changed",
    Problem.OTHER: "the service refuses it",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What a decision makes of an order: `planned` is fine, `refused` can't be bought, `held` waits for a person.

    `is_postponed` says that nothing could be decided yet: it stays to be planned, and is not bought.
    """

    state: OrderState
    reason: str = ""
    code: ReasonCode | None = None
    is_postponed: bool = False


FINE = Verdict(state=OrderState.PLANNED)


def refused(reason: str) -> Verdict:
    return Verdict(state=OrderState.REFUSED, reason=reason)


def held(reason: str, code: ReasonCode | None = None) -> Verdict:
    return Verdict(state=OrderState.HELD, reason=reason, code=code)


def postponed(reason: str) -> Verdict:
    return Verdict(state=OrderState.PLANNED, reason=reason, is_postponed=True)


def match_sku(offer: Offer, wish: str) -> Sku | Verdict:
    """The SKU a line asks for. An empty wish is fine when there is only one to choose."""
    active = [sku for sku in offer.skus if sku.active]
    if not offer.active or not active:
        return refused(f"{offer.item_id} ({offer.title}) is no longer on sale")
    if wish:
        found = [sku for sku in offer.skus if wish in (sku.sku_id, sku.spec_id)]
        return found[0] if found else refused(f"{offer.item_id} has no SKU {wish}; it has {_choices(active)}")
    if len(active) > 1:
        return held(
            f"{offer.item_id} ({offer.title}) has {len(active)} SKUs; put one in column sku: {_choices(active)}"
        )
    return active[0]


def order_line(line_no: int, line: RequestLine, offer: Offer, sku: Sku) -> OrderLine:
    """What is ordered of an offer: a request's line with its SKU at the price that it has now."""
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
    """What the offers themselves rule out: fewer pieces than the seller sells, more than there are."""
    asked: Counter[str] = Counter()
    for line, offer, _ in lines:
        asked[offer.item_id] += line.quantity
    for line, offer, sku in lines:
        name, pieces = f"{offer.title} ({offer.item_id})", asked[offer.item_id]
        if pieces < offer.min_quantity:
            return refused(f"{name}: the seller's minimum is {offer.min_quantity}, asked {pieces}")
        if sku.stock < line.quantity:
            return refused(f"{name}: {sku.stock} in stock, asked {line.quantity}")
    return FINE


def missing_address_parts(receiver: Receiver) -> list[str]:
    """The request columns that a parcel to this country can't do without and that are empty."""
    needed = {
        "receiver_phone": receiver.phone,
        "city": receiver.city,
        "zip": receiver.zip or (receiver.country in NO_POSTCODES and "none"),
        "state": receiver.state or (receiver.country not in NEEDS_STATE and "none"),
    }
    return [column for column, value in needed.items() if not value]


def judge_request(request: OrderRequest) -> Verdict:
    """What can be said before asking the service anything."""
    missing = missing_address_parts(request.receiver)
    return held(f"the receiver's address is incomplete: fill in {', '.join(missing)}") if missing else FINE


def judge_quote(request: OrderRequest, lines: tuple[OrderLine, ...], quote: Quote) -> Verdict:
    """Fine, refused (gone, no stock, below minimum) or held (over a line's price limit)."""
    if quote.problems:
        return refused("; ".join(_in_words(problem, lines) for problem in quote.problems))
    if quote.order_count > 1:
        return held(
            f"the service would split this into {quote.order_count} orders, since its items lie in different depots: "
            "give the items of each depot an order_ref of their own"
        )
    if quote.hold:
        return held(quote.hold)
    limits = {line_no: line.max_unit_price for line_no, line in enumerate(request.lines, start=1)}
    titles = {line.line_no: line.title for line in lines}
    over = [
        f"{titles.get(priced.line_no, 'line')} costs {priced.unit_price} each, limit {limit}"
        for priced in quote.lines
        if (limit := limits.get(priced.line_no)) is not None and priced.unit_price > limit
    ]
    if over:
        return held("; ".join(over) + ": raise max_unit_price or drop the line")
    unpriced = [line.title for line in lines if line.line_no not in {priced.line_no for priced in quote.lines}]
    if unpriced:
        return held(f"the service told no price for {', '.join(unpriced)}: look it up there")
    odd = _does_not_add_up(quote)
    return held(f"the preview does not add up: {odd}; look it up there") if odd else FINE


def _does_not_add_up(quote: Quote) -> str:
    """What can't be meant. The service may add a fee to goods and postage; discounts are in the goods (contract 2)."""
    if quote.goods.minor <= 0 or quote.total.minor <= 0:
        return f"goods for {quote.goods}, {quote.total} in all, and nothing is free"
    if quote.postage.minor < 0 or quote.total < quote.goods + quote.postage:
        return f"goods for {quote.goods} and {quote.postage} of postage are {quote.total} in all"
    if any(line.amount.minor <= 0 or line.unit_price.minor < 0 for line in quote.lines):
        return "a line costs nothing"
    lines = total_of([line.amount for line in quote.lines])
    if lines < quote.goods:
        return f"its lines cost {lines}, the goods {quote.goods}"
    return ""


def judge_booking(shown: ServiceOrder) -> str:
    """Why an order that we paid must not be booked now; empty when it may be."""
    if shown.status is ServiceStatus.CLOSED:
        return f"paid, not booked: the marketplace closed the order ({shown.close_reason or 'no reason given'})"
    if not shown.status.is_paid:
        return f"paid, not booked: the service shows the order as {shown.status}; look it up there"
    return ""


PAID_FOR_NOTHING = "the service shows it as paid, and not for how much; run again"


class Payment(StrEnum):
    """What to do about paying an order that exists."""

    PAY = "pay"
    IS_PAID = "is_paid"
    UNDER_WAY = "under_way"
    WAIT = "wait"
    STOP = "stop"


PRICE_ROSE = "the price rose after ordering"


def judge_payment(
    shown: ServiceOrder | None, approved: Money, payable: Money | None = None, *, is_ours: bool = True
) -> tuple[Payment, str]:
    """Whether to pay an order as the service shows it now, and why not.

    `payable` is the most that may be paid where a tolerance on top of `approved` was granted. `is_ours` says that it
    carries our reference, or needs none: what shows none may still be somebody else's.
    """
    if shown is None:
        return Payment.STOP, NOT_SHOWN
    if shown.status.is_paid:
        return (Payment.IS_PAID, "") if shown.taken else (Payment.WAIT, PAID_FOR_NOTHING)
    if shown.status is ServiceStatus.PAYMENT_PENDING:
        return Payment.UNDER_WAY, "the service has taken the payment and not yet confirmed it"
    if reason := _against_paying(shown, approved, approved if payable is None else payable):
        return Payment.STOP, reason
    if not is_ours:
        return Payment.WAIT, f"the service does not show our reference on order {shown.order_id} yet, so it is not paid"
    return Payment.PAY, ""


def _against_paying(shown: ServiceOrder, approved: Money, payable: Money) -> str:
    if shown.status is ServiceStatus.CLOSED:
        why = f" ({shown.close_reason})" if shown.close_reason else ""
        return f"the order was closed unpaid{why}; order again under a new order_ref"
    if shown.status is ServiceStatus.OTHER:
        return "the service shows the order in a state that this program does not know; look it up there"
    if shown.total.minor <= 0:
        return f"the service shows it for {shown.total}, and nothing is free; look it up there"
    if shown.total > payable:
        tolerated = f", at most {payable} with the price tolerance" if payable > approved else ""
        return (
            f"{PRICE_ROSE}: {shown.total}, approved {approved}{tolerated}. Not paid; the order closes "
            "by itself. To buy at the new price, order again under a new order_ref"
        )
    return ""


def _in_words(problem: LineProblem, lines: tuple[OrderLine, ...]) -> str:
    line = next((line for line in lines if line.line_no == problem.line_no), None)
    subject = f"{line.title} ({line.item_id}) × {line.quantity}: " if line else ""
    service_words = f" ({problem.message})" if problem.message else ""
    return f"{subject}{PROBLEM_WORDS[problem.problem]}{service_words}"


def _choices(skus: list[Sku], most: int = 6) -> str:
    shown = ", ".join(f"{sku.sku_id} ({sku.name})" if sku.name else sku.sku_id for sku in skus[:most])
    return shown if len(skus) <= most else f"{shown}, and {len(skus) - most} more"
