"""What is to be done with each order of a file, by what the ledger and the service know
of it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from connectors.ledger.engine import chunked
from connectors.ledger.evidence import account_of, newest_until
from connectors.ledger.records import OrderRecord
from connectors.ledger.spending import COUNTS_AS_SPENT
from connectors.ledger.store import Ledger
from connectors.marketplaces.protocol import Channel
from connectors.xportcn.errors import Misconfigured, XportcnError
from domain.absence import (
    LISTS_BEHIND,
    SEARCH_BACK_DAYS,
    Control,
    Reading,
    judge_account,
    written_otherwise,
)
from domain.decisions import Verdict, held
from domain.holds import first_goes_alone
from domain.marketplace import Marketplace
from domain.orders import OrderRequest
from domain.reasons import Reason, ReasonCode, because
from domain.request_cells import respelled
from domain.request_remarks import FIRST_PAYMENT, Remark
from domain.service_orders import ServiceOrder, ServiceStatus
from domain.states import REACHED_BOOKED, OrderState
from domain.witnessed import marketplace_held, words_of
from domain.wording import shorten
from tasks.engine.gathering import not_read
from tasks.engine.resources import Resources

CLOCK_AHEAD = timedelta(days=366)
"""A clock of the service, or of a moved sandbox, may be ahead: an order dated tomorrow
is known all the same.
"""


async def find_unrecorded(
    resources: Resources, marketplace_of: Mapping[str, Marketplace]
) -> Mapping[str, Verdict]:
    """Why not to order what the service may have and this ledger has not ordered, by
    `order_ref`.

    A lost ledger, a second one, or one that was restored from a backup must not buy
    again; nor may an order be bought again that arrived after it was given up. Where
    creating is idempotent the service itself prevents that.
    """
    reasons: dict[str, Verdict] = {}
    for marketplace, offering in resources.offerings.items():
        refs = [ref for ref, where in marketplace_of.items() if where is marketplace]
        if not refs or marketplace.create_is_idempotent:
            continue
        try:
            reasons |= await _check(resources, marketplace, offering.channel, refs)
        except Misconfigured:
            raise
        except XportcnError as error:
            reasons |= dict.fromkeys(
                refs, not_read("could not be looked for at the service", error)
            )
    return reasons


async def _check(
    resources: Resources,
    marketplace: Marketplace,
    channel: Channel,
    refs: Sequence[str],
) -> dict[str, Verdict]:
    ledger = resources.ledger
    now = resources.clock()
    newest = _newest(resources, marketplace)
    since = min(
        [
            now - timedelta(days=SEARCH_BACK_DAYS),
            *(one.ordered_at for one in newest[:1]),
        ]
    )
    reading = await channel.find(refs, since=since)
    account = account_of(ledger, marketplace, reading.rows, newest)
    doubt = judge_account(reading, account)
    doubts = {ref: written_otherwise(ref, reading, account) or doubt for ref in refs}
    return {
        ref: held(
            because(
                ReasonCode.MAY_BE_THERE, doubt=words_of(why), marketplace=marketplace
            )
        )
        for ref, why in doubts.items()
        if why and (ref not in reading.found or reading.lacks)
    } | {ref: held(why) for ref, why in _known_by_name(reading).items()}


def _newest(resources: Resources, marketplace: Marketplace) -> list[Control]:
    """The newest orders there that the ledger knows, those first that every list shows
    by now.
    """
    now = resources.clock()
    times = now - LISTS_BEHIND, now + CLOCK_AHEAD
    found = [
        one
        for until in times
        for one in newest_until(resources.ledger, marketplace, until)
    ]
    return list({control.order_id: control for control in found}.values())


def _known_by_name(reading: Reading) -> dict[str, Reason]:
    return {
        ref: because(
            ReasonCode.ALREADY_THERE,
            orders=_listed(alive),
            command=_taking_over(ref, alive),
        )
        for ref, orders in reading.found.items()
        if (
            alive := [
                order for order in orders if order.status is not ServiceStatus.CLOSED
            ]
        )
    }


def _taking_over(order_ref: str, service_orders: Sequence[ServiceOrder]) -> str:
    order_id, most = (
        (service_orders[0].order_id, service_orders[0].total.major)
        if len(service_orders) == 1
        else ("ORDER_ID", "AMOUNT_CNY")
    )
    return f"sourcing resolve {order_ref} ordered {order_id} --up-to {most}"


def _listed(orders: Sequence[ServiceOrder]) -> str:
    return ", ".join(
        f"{order.order_id} ({order.status}, {order.total})" for order in orders
    )


OVER = REACHED_BOOKED | {
    OrderState.CANCELLED,
    OrderState.REFUNDING,
    OrderState.REFUNDED,
}

MOST_LISTED = 5


@dataclass(kw_only=True)
class SortedOrders:
    """Orders to plan, orders already begun, orders with nothing left to do, and
    references used for something else.

    `approved` has the hashes of plans that were approved for an earlier run and not
    made anew since. `forgotten` are orders of the file whose receiver was erased.
    """

    to_plan: list[OrderRequest] = field(default_factory=list)
    under_way: list[str] = field(default_factory=list)
    over: list[str] = field(default_factory=list)
    taken: dict[str, Reason] = field(default_factory=dict)
    approved: dict[str, str] = field(default_factory=dict)
    forgotten: list[str] = field(default_factory=list)


def sort_requests(
    ledger: Ledger, requests: Sequence[OrderRequest], of_batch: str = ""
) -> SortedOrders:
    """Sort by what the ledger proves; an order without any live effect may be planned
    anew, but not `of_batch` with other contents than another one brought.
    """
    work = SortedOrders()
    for some in chunked(requests):
        _sort(ledger, some, work, of_batch)
    return work


def _respelled(ledger: Ledger, new: Collection[str]) -> dict[str, OrderRecord]:
    """Begun orders whose names a spreadsheet makes of these new ones, or the other way
    round.
    """
    alike = {ref: respelled(ref) for ref in new}
    known = ledger.orders([*ledger.parts.begun(set[str]().union(*alike.values()))])
    return {
        ref: known[other]
        for ref, others in alike.items()
        for other in others & known.keys()
    }


def has_other_contents(order: OrderRecord, request: OrderRequest | None) -> bool:
    """Whether a file asks for something else, or nothing, of an order that neither was
    dropped nor refused.
    """
    if order.state in (OrderState.CANCELLED, OrderState.REFUSED):
        return False
    return (
        request is None
        or order.fingerprint != request.fingerprint
        or order.request.limits != request.limits
    )


def contested(order_ref: str, file: str, *, is_over: bool) -> Reason:
    """Why no night buys an order: a later file shows it as over in its shop, or asks
    for other contents.
    """
    return because(
        ReasonCode.CONTESTED,
        order_ref=order_ref,
        file=file,
        gone=is_over,
        other=not is_over,
    )


def _sort(
    ledger: Ledger, requests: Sequence[OrderRequest], work: SortedOrders, of_batch: str
) -> None:
    refs = [request.order_ref for request in requests]
    known = ledger.orders(refs)
    begun = {
        effect.order_ref
        for effect in ledger.effects_of(refs)
        if effect.status in COUNTS_AS_SPENT
    }
    forgotten = ledger.forgotten.known(refs)
    work.forgotten += forgotten
    new = {
        ref
        for ref in refs
        if ref not in begun and (ref not in known or known[ref].order_id is None)
    }
    elsewhere = _respelled(ledger, new)
    over = ledger.parts.over(new - known.keys()) if of_batch else {}
    for request in requests:
        order = known.get(request.order_ref)
        if request.order_ref in forgotten:
            _sort_forgotten(work, request, order, forgotten[request.order_ref])
        elif other := elsewhere.get(request.order_ref):
            work.taken[request.order_ref] = _other_contents(other)
        elif file := over.get(request.order_ref):
            work.taken[request.order_ref] = contested(
                request.order_ref, file, is_over=True
            )
        elif order is None:
            work.to_plan.append(request)
        elif request.order_ref in new:
            is_of_another = of_batch not in ("", order.batch_id)
            is_contested = order.why and order.why.code is ReasonCode.CONTESTED
            if (
                is_of_another
                and not is_contested
                and has_other_contents(order, request)
            ):
                work.taken[request.order_ref] = _other_contents(order)
            else:
                work.to_plan.append(request)
        elif order.fingerprint != request.fingerprint:
            work.taken[request.order_ref] = _other_contents(order)
        elif order.state in OVER:
            work.over.append(request.order_ref)
        else:
            work.under_way.append(request.order_ref)


def _other_contents(order: OrderRecord) -> Reason:
    return because(
        ReasonCode.OTHER_CONTENTS,
        order_ref=order.order_ref,
        batch=order.batch_id,
        state=order.state,
    )


def _sort_forgotten(
    work: SortedOrders, request: OrderRequest, order: OrderRecord | None, at: datetime
) -> None:
    """Such an order is over, whatever its state: its receiver is not known any more."""
    if order is not None and order.fingerprint == request.fingerprint:
        work.over.append(request.order_ref)
    else:
        ref = request.order_ref
        on = f"{at:%Y-%m-%d} UTC"
        work.taken[ref] = because(ReasonCode.RECEIVER_FORGOTTEN, order_ref=ref, on=on)


def words_of_forgotten(order_refs: Sequence[str]) -> list[str]:
    """The warning about a file with receivers that were erased; empty where it has
    none.
    """
    if not order_refs:
        return []
    return [
        f"it still has the data of receivers who were forgotten ({shorten(order_refs, MOST_LISTED)}): nothing is "
        "bought for them; take their lines out of it"
    ]


def at_held_marketplaces(
    ledger: Ledger, marketplace_of: Mapping[str, Marketplace]
) -> dict[str, Verdict]:
    """The verdicts on orders at marketplaces that are held or wait for an answer, where
    claims would be refused.
    """
    held_ones = ledger.holds.standing()
    first = ledger.first_orders.open_at()
    behind = {
        ref: held(first_goes_alone(order_ref, where))
        for ref, where in (marketplace_of.items() if first else ())
        if (order_ref := first.get(where)) not in (None, ref)
    }
    return behind | {
        ref: held(
            marketplace_held(where, shorten([why for why, _ in held_ones[where]]))
        )
        for ref, where in (marketplace_of.items() if held_ones else ())
        if where in held_ones
    }


def first_payments_ahead(
    ledger: Ledger, marketplace_of: Mapping[str, Marketplace], to_buy: Collection[str]
) -> Sequence[Remark]:
    """Where only one of several orders to buy will be bought, since the question about
    its payment is open.
    """
    counts = Counter(where for ref, where in marketplace_of.items() if ref in to_buy)
    several = {one: count for one, count in counts.items() if count > 1}
    return [
        Remark(
            FIRST_PAYMENT,
            "",
            f"of these {several[one]:,} orders of {one} one is bought; the others wait until you have seen its payment "
            f"in the console: sourcing confirm {one}",
        )
        for one, begun in (ledger.first_orders.open_at().items() if several else ())
        if one in several and begun is None
    ]
