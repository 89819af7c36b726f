"""Read both sides of a reconciliation: the order lists of the marketplaces, single
orders, and the ledger.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from connectors.concurrently import concurrently
from connectors.ledger.engine import chunked
from connectors.ledger.overview import every_open_effect, orders_of, orders_to_compare
from connectors.ledger.records import EffectRecord, OrderRecord
from connectors.marketplaces.protocol import ListedRefund, ListsRefunds
from connectors.snapshots.tables.reconciliation import RECONCILIATION, RUN
from connectors.snapshots.tables.table import Row
from connectors.xportcn.errors import XportcnError
from domain.after_sale import RefundState
from domain.differences import Finding, FindingKind, LedgerOrder, OpenEffect
from domain.effects import Action, EffectStatus
from domain.marketplace import Marketplace
from domain.money import total_of
from domain.reasons import ReasonCode
from domain.reconciliation import UNSETTLED, Shown
from domain.service_orders import ServiceOrder, ServiceStatus
from domain.states import OrderState
from domain.witnessed import Lack
from domain.wording import shorten
from tasks.after_sale import confirm_cancellations
from tasks.effects.judge import clear_from
from tasks.effects.kinds import kind_of
from tasks.engine.resources import Resources, current_resources
from tasks.engine.retrying import service_task
from tasks.engine.tries import raise_if_it_passes
from tasks.pay import confirm_payments

MOST_LOOKED_UP = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedOrders:
    """The orders of a marketplace, and why there may be others; or why they could not
    be listed.
    """

    marketplace: Marketplace
    orders: Sequence[ServiceOrder] = ()
    lacks: Lack | None = None
    error: XportcnError | None = None


@service_task("list orders of {marketplace}")
async def list_orders(marketplace: Marketplace, *, since: datetime) -> ListedOrders:
    """All orders of the account at a marketplace created after `since`."""
    resources = current_resources()
    try:
        reading = await resources.offerings[marketplace].channel.list_orders(
            since=since
        )
    except XportcnError as error:
        raise_if_it_passes(resources, error)
        return ListedOrders(marketplace=marketplace, error=error)
    lacks = reading.lacks or (None if reading.ended else Lack.EMPTY_PAGE)
    return ListedOrders(marketplace=marketplace, orders=reading.listed, lacks=lacks)


def refs_with_open_effects(resources: Resources) -> dict[Marketplace, list[str]]:
    """The orders of which an earlier run left an effect open."""
    open_refs = dict.fromkeys(
        effect.order_ref for effect in every_open_effect(resources.ledger)
    )
    refs: dict[Marketplace, list[str]] = {}
    for order in orders_of(resources.ledger, open_refs):
        refs.setdefault(order.marketplace, []).append(order.order_ref)
    return refs


def unsettled(resources: Resources) -> dict[str, OrderRecord]:
    """The orders that a reconciliation may bring on: with an open effect, or not yet in
    the state that was accepted.
    """
    ledger = resources.ledger
    accepted = {
        ref: order
        for ref, order in ledger.orders_with_reason(ReasonCode.CANCEL_ACCEPTED).items()
        if order.state is OrderState.CANCELLED
    }
    opened = {
        ref for refs in refs_with_open_effects(resources).values() for ref in refs
    }
    return ledger.orders_in(UNSETTLED) | accepted | ledger.orders(opened)


async def confirm_what_lists_show(
    resources: Resources, listings: Iterable[ListedOrders]
) -> None:
    """Record payments and cancellations that the service had accepted and now shows."""
    orders_by_name = {
        (listing.marketplace, order.order_id): order
        for listing in listings
        for order in listing.orders
    }
    waiting = unsettled(resources).values()
    listed = [
        (order, service_order)
        for order in waiting
        if (
            service_order := orders_by_name.get(
                (order.marketplace, order.order_id or "")
            )
        )
    ]
    pending = [
        o.order_ref
        for o, service_order in listed
        if o.state is OrderState.PAYMENT_PENDING
        and (service_order.status.is_paid or service_order.payment)
    ]
    cancelled = [
        order.order_ref
        for order, service_order in listed
        if order.state is OrderState.CANCELLED
        and order.reason_code is ReasonCode.CANCEL_ACCEPTED
        and (
            service_order.status.is_paid or service_order.status is ServiceStatus.CLOSED
        )
    ]
    for refs in chunked(pending):
        await confirm_payments(resources, refs)
    for refs in chunked(cancelled):
        await confirm_cancellations(resources, refs)


def facts_about(
    resources: Resources, shown: Shown, *, since: datetime
) -> list[LedgerOrder]:
    """The orders that lists since then show or should show, and those that are not
    settled, with what is open.
    """
    listed = [order for orders in shown.values() for order in orders]
    names = [name for service_order in listed for name in service_order.names]
    ids = [service_order.order_id for service_order in listed]

    def read(opened: Iterable[str]) -> list[LedgerOrder]:
        return orders_to_compare(
            resources.ledger, since=since, order_refs=[*opened, *names], order_ids=ids
        )

    return _with_open_effects(resources, read)


def facts_again(resources: Resources, order_refs: Iterable[str]) -> list[LedgerOrder]:
    """These orders as they are now, with what is open about them."""
    return _with_open_effects(
        resources, lambda _: orders_of(resources.ledger, order_refs)
    )


def _with_open_effects(
    resources: Resources, read: Callable[[Iterable[str]], list[LedgerOrder]]
) -> list[LedgerOrder]:
    ledger = resources.ledger
    opened: dict[str, list[EffectRecord]] = {}
    for effect in every_open_effect(ledger):
        opened.setdefault(effect.order_ref, []).append(effect)
    orders = read(opened)
    unpaid = [
        order.order_ref for order in orders if order.order_id and order.paid is None
    ]
    accepted = {
        effect.order_ref: effect
        for refs in chunked(unpaid)
        for effect in ledger.effects_of(refs)
        if effect.action is Action.PAY and effect.status is EffectStatus.DONE
    }
    moment = resources.clock()
    return [
        replace(
            order,
            open_effects=tuple(
                _open_effect(resources, order, effect)
                for effect in opened.get(order.order_ref, ())
            ),
            in_hand=any(
                effect.lease_until > moment and effect.owner != ledger.owner
                for effect in opened.get(order.order_ref, ())
            ),
            payment_clear_at=clear_from(resources, accepted[order.order_ref])
            if order.order_ref in accepted
            else None,
        )
        for order in orders
    ]


def _open_effect(
    resources: Resources, order: LedgerOrder, effect: EffectRecord
) -> OpenEffect:
    kind = kind_of(effect)
    commands = ", or ".join(kind.commands(order.order_ref, effect.key))
    return OpenEffect(
        action=effect.action,
        reason=effect.reason,
        clear_at=clear_from(resources, effect) if kind.absence_proves else None,
        asked=f"{kind.question(order.order_ref, order.order_id, effect.part)} Answer with: {commands}"
        if kind.is_worth_asking
        else "",
    )


async def unknown_refunds(
    resources: Resources, marketplace: Marketplace, since: datetime
) -> list[Finding]:
    """Refunds of this ledger's orders that it knows nothing of, for more than a person
    answered that came back.

    Raises `XportcnError` where they can't be listed.
    """
    after_sale = resources.offerings[marketplace].after_sale
    if not isinstance(after_sale, ListsRefunds):
        return []
    listed = await after_sale.list_refunds(since=since)
    ledger = resources.ledger
    our_refs = {
        order.order_id: ref
        for ref, order in ledger.orders_with_ids(
            {listed_order.order_id for listed_order in listed}
        ).items()
    }
    ids = ledger.refunds.with_ids([listed_order.refund_id for listed_order in listed])
    nameless_orders = [
        order
        for order in ledger.refunds.of_orders(our_refs.values())
        if not order.refund_id
    ]
    asking = {
        listed_order.order_ref
        for listed_order in nameless_orders
        if listed_order.state is RefundState.ASKING
    }
    unknown = defaultdict[str, list[ListedRefund]](list)
    for listed_order in listed:
        if (
            listed_order.order_id in our_refs
            and listed_order.refund_id not in ids
            and our_refs[listed_order.order_id] not in asking
        ):
            unknown[listed_order.order_id].append(listed_order)
    return [
        Finding(
            kind=FindingKind.ORPHAN,
            expected="no refund but those that were asked for here",
            seen=shorten(
                [
                    f"refund {listed_order.refund_id} of {listed_order.amount}, in state {listed_order.word}"
                    for listed_order in marketplace_ids
                ]
            ),
            remedy="see in the console by whom it was asked for. Once its money came back: "
            f"sourcing resolve {our_refs[order_id]} came-back AMOUNT_CNY",
            marketplace=marketplace,
            order_ref=our_refs[order_id],
            order_id=order_id,
            seen_amount=total_of(
                [listed_order.amount for listed_order in marketplace_ids]
            ),
        )
        for order_id, marketplace_ids in unknown.items()
        if total_of([listed_order.amount for listed_order in marketplace_ids])
        > total_of(
            [
                listed_order.refunded
                for listed_order in nameless_orders
                if listed_order.order_ref == our_refs[order_id]
            ]
        )
    ]


async def look_up(
    resources: Resources, wanted: Iterable[tuple[Marketplace, str]]
) -> tuple[dict[tuple[Marketplace, str], ServiceOrder | None], list[str]]:
    """Orders by their ids, None for one that is not there; and what could not be read.

    No more than `MOST_LOOKED_UP` of a marketplace are read: some can only be asked for
    one order at a time.
    """
    ids: dict[Marketplace, list[str]] = {}
    for marketplace, order_id in dict.fromkeys(wanted):
        ids.setdefault(marketplace, []).append(order_id)
    answers = await concurrently(
        ids.items(),
        lambda listed_order: _read(resources, *listed_order),
        at_once=len(Marketplace),
    )
    orders_by_id = {
        (marketplace, order_id): service_orders.get(order_id)
        for marketplace, (service_orders, read, _) in zip(ids, answers, strict=True)
        for order_id in read
    }
    return orders_by_id, [trouble for _, _, troubles in answers for trouble in troubles]


async def _read(
    resources: Resources, marketplace: Marketplace, order_ids: list[str]
) -> tuple[Mapping[str, ServiceOrder], list[str], list[str]]:
    read = order_ids[:MOST_LOOKED_UP]
    left = order_ids[MOST_LOOKED_UP:]
    troubles = (
        [f"{marketplace}: {len(left)} more orders were not looked up one by one"]
        if left
        else []
    )
    try:
        return await resources.offerings[marketplace].channel.read(read), read, troubles
    except XportcnError as error:
        failed = (
            f"{marketplace}: {len(read)} orders could not be looked up one by one "
            f"({error.message})"
        )
        return {}, [], [*troubles, failed]


def reconciliation_rows(
    findings: Sequence[Finding], *, since: datetime, summary: str
) -> list[Row]:
    """The run's row is written also when nothing was found: it sets a clean run apart
    from none.
    """
    run = {
        **dict.fromkeys(("order_ref", "order_id", "remedy"), ""),
        **dict.fromkeys(("marketplace", "expected_amount", "seen_amount")),
        **{"kind": RUN, "expected": "everything agrees", "seen": summary},
    }
    return [
        RECONCILIATION.row(run, since=since, findings=len(findings)),
        *(RECONCILIATION.row(finding, since=since, findings=0) for finding in findings),
    ]
