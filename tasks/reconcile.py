"""Read both sides of a reconciliation: the order lists of the marketplaces, single
orders, and the ledger.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime

from connectors.ledger.engine import chunked
from connectors.ledger.overview import every_open_effect, orders_to_compare
from connectors.ledger.records import EffectRecord, OrderRecord
from connectors.ledger.store import Ledger
from connectors.marketplaces.protocol import ListsRefunds
from connectors.snapshots.tables.reconciliation import RECONCILIATION, RUN
from connectors.snapshots.tables.table import Row
from connectors.xportcn.errors import XportcnError
from domain.absence import Reading
from domain.after_sale import RefundState
from domain.effects import Action, EffectStatus
from domain.findings import UNSETTLED, Finding, FindingKind, ForeignOrder, OrderId
from domain.marketplace import Marketplace
from domain.money import total_of
from domain.reasons import ReasonCode
from domain.service_orders import ServiceOrder, ServiceStatus
from domain.wording import shorten
from tasks.after_sale import confirm_cancellations
from tasks.comparison import LedgerSide, Shown, finding_of, shown_of
from tasks.effects.judge import clear_from
from tasks.effects.kinds import kind_of
from tasks.engine.resources import Resources, current_resources
from tasks.engine.retrying import service_task
from tasks.engine.tries import raise_if_it_passes
from tasks.pay import confirm_payments

MOST_LOOKED_UP = 500


@service_task("list orders of {marketplace}")
async def list_orders(
    marketplace: Marketplace, *, since: datetime
) -> Reading | XportcnError:
    """All orders of the account at a marketplace created after `since`, or why they
    could not be listed.
    """
    resources = current_resources()
    channel = resources.offerings[marketplace].channel
    try:
        return await channel.list_orders(since=since)
    except XportcnError as error:
        raise_if_it_passes(resources, error)
        return error


def refs_with_open_effects(
    resources: Resources, marketplaces: Collection[Marketplace]
) -> list[str]:
    """The orders of these marketplaces of which an effect is open."""
    refs = dict.fromkeys(
        effect.order_ref for effect in every_open_effect(resources.ledger)
    )
    orders = resources.ledger.each_order(refs)
    return [order.order_ref for order in orders if order.marketplace in marketplaces]


def unsettled(resources: Resources) -> dict[str, OrderRecord]:
    """The orders that a reconciliation may bring on: with an open effect, or not yet in
    the state that was accepted.
    """
    ledger = resources.ledger
    return (
        ledger.orders_in(UNSETTLED)
        | ledger.orders_with_reason(ReasonCode.CANCEL_ACCEPTED)
        | ledger.orders(refs_with_open_effects(resources, tuple(Marketplace)))
    )


async def confirm_what_lists_show(resources: Resources, shown: Shown) -> None:
    """Record payments and cancellations that the service had accepted and now shows."""
    news = [
        ref
        for ref, order in unsettled(resources).items()
        if (theirs := shown_of(order, shown))
        and (
            theirs.status.is_paid
            or theirs.payment
            or theirs.status is ServiceStatus.CLOSED
        )
    ]
    for refs in chunked(news):
        await confirm_payments(resources, refs)
        await confirm_cancellations(resources, refs)


def read_ledger(resources: Resources, shown: Shown, *, since: datetime) -> LedgerSide:
    """The orders that lists since then show or should show, and those that are not
    settled, with what is open.
    """
    ledger = resources.ledger
    opened: defaultdict[str, list[EffectRecord]] = defaultdict(list)
    for effect in every_open_effect(ledger):
        opened[effect.order_ref].append(effect)
    listed = [theirs for orders in shown.values() for theirs in orders.values()]
    names = {name for theirs in listed for name in theirs.names}
    orders = [
        order
        for order in orders_to_compare(
            ledger,
            since=since,
            order_refs={*opened, *names},
            order_ids=[theirs.order_id for theirs in listed],
        )
        if order.marketplace in shown
    ]
    unpaid = [
        order.order_ref
        for order in orders
        if order.order_id and order.paid_minor is None
    ]
    now = resources.clock()
    return LedgerSide(
        orders=orders,
        shows_by={
            effect.order_ref: clear_from(resources, effect)
            for refs in chunked(unpaid)
            for effect in ledger.effects_of(refs)
            if effect.action is Action.PAY and effect.status is EffectStatus.DONE
        },
        in_hand={
            effect.order_ref
            for effects in opened.values()
            for effect in effects
            if effect.lease_until > now and effect.owner != ledger.owner
        },
        questions=[
            _question(resources, order, effect)
            for order in orders
            for effect in opened[order.order_ref]
            if not kind_of(effect).repeatable
        ],
        foreign=ledger.foreign_orders.standing(),
    )


def _question(
    resources: Resources, order: OrderRecord, effect: EffectRecord
) -> Finding:
    """What a person has to find out about an effect, unless a later reading may settle
    it.
    """
    kind = kind_of(effect)
    asked = kind.asked(order, effect)
    remedy = f"{asked['question']} Answer with: {asked['answers']}"
    clear_at = clear_from(resources, effect)
    if kind.absence_proves and resources.clock() < clear_at:
        remedy = f"run sourcing reconcile again after {clear_at:%Y-%m-%d %H:%M} UTC: then reading settles it"
    return finding_of(
        FindingKind.OPEN_QUESTION,
        order,
        expected=f"an answer to {effect.action}",
        seen=effect.reason or "nothing is known of it",
        remedy=remedy,
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
    findings: list[Finding] = []
    for order in ledger.orders_with_ids({row.order_id for row in listed}).values():
        refunds = ledger.refunds.of_orders([order.order_ref])
        nameless = [refund for refund in refunds if not refund.refund_id]
        known = {refund.refund_id for refund in refunds}
        unknown = [
            row
            for row in listed
            if row.order_id == order.order_id and row.refund_id not in known
        ]
        amount = total_of([row.amount for row in unknown])
        answered = total_of([refund.refunded for refund in nameless])
        is_asking = any(refund.state is RefundState.ASKING for refund in nameless)
        if not is_asking and amount > answered:
            words = [
                f"refund {row.refund_id} of {row.amount}, in state {row.word}"
                for row in unknown
            ]
            findings.append(
                finding_of(
                    FindingKind.ORPHAN,
                    order,
                    expected="no refund but those that were asked for here",
                    seen=shorten(words),
                    remedy="see in the console by whom it was asked for. Once its money came back: "
                    f"sourcing resolve {order.order_ref} came-back AMOUNT_CNY",
                    seen_amount=amount,
                )
            )
    return findings


async def look_up(
    resources: Resources,
    wanted: Iterable[OrderId],
    shown: dict[Marketplace, dict[str, ServiceOrder]],
) -> tuple[set[OrderId], list[str]]:
    """Read orders by their ids into what is `shown`; those that are not there leave it.
    Return those that were not read, and why.

    No more than `MOST_LOOKED_UP` of a marketplace are read: some can only be asked for
    one order at a time.
    """
    ids: defaultdict[Marketplace, dict[str, None]] = defaultdict(dict)
    for marketplace, order_id in wanted:
        ids[marketplace][order_id] = None
    unread: set[OrderId] = set()
    troubles: list[str] = []
    for marketplace, listed in ids.items():
        asked = [*listed][:MOST_LOOKED_UP]
        more = [*listed][MOST_LOOKED_UP:]
        if more:
            troubles.append(
                f"{marketplace}: {len(more)} more orders were not looked up one by one"
            )
        try:
            orders = await resources.offerings[marketplace].channel.read(asked)
        except XportcnError as error:
            troubles.append(
                f"{marketplace}: {len(asked)} orders could not be looked up one by one "
                f"({error.message})"
            )
            more += asked
        else:
            for order_id in asked:
                shown[marketplace].pop(order_id, None)
            shown[marketplace] |= orders
        unread |= {(marketplace, order_id) for order_id in more}
    return unread, troubles


def mark_foreign(
    ledger: Ledger, shown: Shown, foreign: Iterable[OrderId], by: str
) -> list[str]:
    """Record a person's statement about shown orders of which the ledger has neither id
    nor reference. Return the others, in words.
    """
    not_marked: list[str] = []
    for marketplace, order_id in foreign:
        theirs = shown.get(marketplace, {}).get(order_id)
        ours = ledger.orders_with_ids([order_id])
        if theirs:
            ours |= ledger.orders(theirs.names)
        if theirs and all(
            order.marketplace is not marketplace for order in ours.values()
        ):
            statement = ForeignOrder(
                marketplace=marketplace,
                order_id=order_id,
                amount=theirs.costs,
                by=by,
                at=ledger.clock(),
            )
            ledger.foreign_orders.record([statement])
        elif (marketplace, order_id) not in ledger.foreign_orders.standing():
            not_marked.append(
                f"{marketplace}:{order_id} was not found as an orphan without an order "
                "of ours: nothing was noted about it"
            )
    return not_marked


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
