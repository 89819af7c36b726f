"""Create the planned orders of a chunk at their marketplaces."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from prefect import task
from prefect.cache_policies import NO_CACHE

from connectors.ledger.codec import sourcing_order_of
from connectors.ledger.controls import controls
from connectors.ledger.records import EffectRecord, Intent, OrderChange, OrderRecord, SpendLimits
from connectors.xportcn.channels.base import Channel
from connectors.xportcn.channels.refusals import says_it_exists
from connectors.xportcn.errors import Refused
from domain.absence import Control, Reading, Sent, misnamed, why_unproven
from domain.answers import FORMS, question
from domain.effects import Action, Claim
from domain.marketplace import Marketplace
from domain.service_orders import Place, ServiceOrder, ServiceStatus
from domain.states import OrderState
from tasks.by_channel import by_channel, is_another_s
from tasks.effects import Effect, Landed, Seen, Unproven, perform, settle
from tasks.resources import Resources

CLOCK_MARGIN = timedelta(minutes=10)
MOST_CONTROLS = 3


@task(name="create_order", task_run_name="create {label}", cache_policy=NO_CACHE, persist_result=False, retries=0)
async def create_orders(
    resources: Resources, orders: Mapping[str, OrderRecord], limits: SpendLimits, *, label: str
) -> None:
    """Create each order once, under its `order_ref`. Never retried: the ledger says what became of it."""
    intents = [
        Intent(
            order_ref=ref,
            action=Action.CREATE,
            amount=order.payable,
            request_hash=request_hash(order, resources.channels[order.marketplace].places),
            plan_hash=order.plan_hash or "",
            seen_in=order.state,
        )
        for ref, order in orders.items()
    ]
    await perform(resources, create_effect(resources), intents, orders, limits=limits)


async def settle_creates(resources: Resources, orders: Mapping[str, OrderRecord]) -> None:
    """Find out what became of creates that got no answer."""
    await settle(resources, create_effect(resources), orders)


def create_effect(resources: Resources) -> Effect:
    async def send(claim: Claim, order: OrderRecord) -> Landed:
        channel, warehouse = resources.channels[order.marketplace], await resources.warehouse()
        created = await channel.create(claim, sourcing_order_of(order), warehouse, approved=order.payable)
        if len(created.order_ids) != 1:
            return _several(order.order_ref, created.order_ids)
        columns = {
            "order_id": created.order_ids[0],
            "total_minor": created.total.minor,
            "ordered_at": resources.clock(),
        }
        change = OrderChange(order_ref=order.order_ref, state=OrderState.ORDERED, columns=columns)
        return Landed(answer={"order_ids": created.order_ids, "total": str(created.total)}, change=change)

    async def look(orders: Sequence[OrderRecord]) -> Mapping[str, Seen]:
        seen: dict[str, Seen] = {}
        for channel, group in by_channel(resources, orders):
            seen |= await _look(resources, channel, group)
        return seen

    def on_refused(order: OrderRecord, error: Refused) -> OrderChange:
        return OrderChange(order_ref=order.order_ref, state=OrderState.REFUSED, reason=f"not ordered: {error.message}")

    return Effect(
        action=Action.CREATE,
        undone=OrderState.PLANNED,
        send=send,
        look=look,
        absence_proves=True,
        question=asked_about_creating,
        on_refused=on_refused,
        is_doubtful=says_it_exists,
    )


def asked_about_creating(order: OrderRecord) -> str:
    """What a person must find out, and how to tell it."""
    ordered, not_ordered = FORMS[Action.CREATE]
    words = question(Action.CREATE, order.order_ref, None)
    return f"{words} Answer with: sourcing resolve {order.order_ref} {ordered}, or {not_ordered}"


def request_hash(order: OrderRecord, places: frozenset[Place]) -> str:
    """What a create asks for and where it puts our reference; without `OWN_ID` as programs before it wrote it."""
    if Place.OWN_ID not in places:
        return order.fingerprint
    return hashlib.sha256(f"{order.fingerprint} {Place.OWN_ID}".encode()).hexdigest()


def _places(effect: EffectRecord, order: OrderRecord) -> frozenset[Place]:
    both = frozenset(Place)
    return both if effect.request_hash == request_hash(order, both) else frozenset({Place.REFERENCE})


async def _look(resources: Resources, channel: Channel, orders: Sequence[OrderRecord]) -> dict[str, Seen]:
    """One reading for all these orders, far enough back to show others of ours: what those show, it would show too."""
    creates = _creates(resources, orders)
    since = min(each[0].intent_at for each in creates.values()) - CLOCK_MARGIN
    known = _controls(resources, orders[0].marketplace, orders, creates.values())
    reading = await channel.find(
        list(creates),
        since=min([since, *(control.ordered_at for control in known)]),
        controls=[control.order_ref for control in known],
    )
    carrying = {ref: [one for one in reading.found.get(ref, ()) if _is_since(one, since)] for ref in creates}
    listed = {ref: _alive(shown) for ref, shown in carrying.items() if shown}
    at_ids = await channel.read([one.order_id for each in listed.values() for one in each]) if listed else {}
    seen = {ref: _found(ref, each, at_ids, resources.clock()) for ref, each in listed.items()}
    misled = next((each for each in seen.values() if isinstance(each, str)), "")
    reading = replace(reading, flaw=reading.flaw or misled or _misnamed(resources, reading))
    for order in orders:
        last = creates[order.order_ref][-1]
        sent = Sent(order_ref=order.order_ref, places=_places(last, order), at=last.intent_at)
        if order.order_ref not in listed and (why := why_unproven(sent, reading, known)):
            seen[order.order_ref] = Unproven(why)
    return seen


def _misnamed(resources: Resources, reading: Reading) -> str:
    shown = {one.order_id: one for each in (reading.listed, *reading.found.values()) for one in each}
    ours = resources.ledger.orders(name for one in shown.values() for name in one.names)
    return misnamed(shown.values(), {ref: order.order_id for ref, order in ours.items() if order.order_id})


def _creates(resources: Resources, orders: Sequence[OrderRecord]) -> dict[str, list[EffectRecord]]:
    """The attempts to create each order, oldest first."""
    creates: dict[str, list[EffectRecord]] = {order.order_ref: [] for order in orders}
    for effect in resources.ledger.effects_of(list(creates)):
        if effect.action is Action.CREATE:
            creates[effect.order_ref].append(effect)
    return creates


def _controls(
    resources: Resources,
    marketplace: Marketplace,
    orders: Sequence[OrderRecord],
    creates: Iterable[Sequence[EffectRecord]],
) -> list[Control]:
    """The last orders of ours before the first and before the last of these creates was begun."""
    begun = [attempts[-1].intent_at for attempts in creates]
    found: dict[str, Control] = {}
    for until in {min(begun), max(begun)}:
        listed = controls(
            resources.ledger,
            marketplace,
            since=until - timedelta(days=resources.settings.look_back_days),
            until=until + CLOCK_MARGIN,
            most=MOST_CONTROLS,
        )
        found |= {control.order_ref: control for control in listed}
    return [found[ref] for ref in sorted(found.keys() - {order.order_ref for order in orders})]


def _is_since(shown: ServiceOrder, since: datetime) -> bool:
    return shown.created_at is None or shown.created_at >= since - CLOCK_MARGIN


def _alive(shown: Sequence[ServiceOrder]) -> list[ServiceOrder]:
    return [one for one in shown if one.status is not ServiceStatus.CLOSED] or list(shown[:1])


def _found(order_ref: str, alive: Sequence[ServiceOrder], at_ids: Mapping[str, ServiceOrder], now: datetime) -> Seen:
    """What was found under our reference, as far as its id leads to it: a list may name a wrong one."""
    for one in alive:
        there = at_ids.get(one.order_id)
        if there is None or is_another_s(order_ref, there):
            return f"the service lists {order_ref} as order {one.order_id}, and shows another or nothing there"
    if len(alive) > 1:
        return _several(order_ref, tuple(one.order_id for one in alive))
    columns = {
        "order_id": alive[0].order_id,
        "total_minor": alive[0].total.minor,
        "ordered_at": alive[0].created_at or now,
    }
    change = OrderChange(order_ref=order_ref, state=OrderState.ORDERED, columns=columns)
    return Landed(answer={"found": alive[0].order_id}, change=change)


def _several(order_ref: str, order_ids: Sequence[str]) -> Landed:
    listed = ", ".join(order_ids)
    reason = f"the service holds {len(order_ids)} orders for {order_ref}: {listed}; none is paid. Check them"
    change = OrderChange(order_ref=order_ref, state=OrderState.HELD, reason=reason)
    return Landed(answer={"order_ids": list(order_ids)}, change=change)
