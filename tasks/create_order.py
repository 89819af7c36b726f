"""Create the planned orders of a chunk at their marketplaces."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from prefect import task
from prefect.cache_policies import NO_CACHE

from connectors.ledger.codec import sourcing_order_of
from connectors.ledger.records import Intent, OrderChange, OrderRecord, SpendLimits
from connectors.xportcn.channels.base import Channel
from connectors.xportcn.errors import Misconfigured, Refused, XportcnError
from domain.effects import Action, Claim
from domain.orders import OrderRequest
from domain.service_orders import ServiceOrder, ServiceStatus
from domain.states import OrderState
from tasks.by_channel import by_channel
from tasks.effects import Effect, Landed, perform, settle
from tasks.resources import Resources

CLOCK_MARGIN = timedelta(minutes=10)
ALREADY_THERE = "the service already has order"


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
            request_hash=order.fingerprint,
            plan_hash=order.plan_hash or "",
            seen_in=order.state,
        )
        for ref, order in orders.items()
    ]
    await perform(resources, create_effect(resources), intents, orders, limits=limits)


async def find_strangers(resources: Resources, requests: Sequence[OrderRequest]) -> dict[str, str]:
    """Why not to order what this ledger has not ordered and the service has: by `order_ref`.

    A lost ledger, a second one, or one that was restored from a backup must not buy again; nor may an order be bought
    again that arrived after it was given up. Where creating is idempotent the service itself prevents that.
    """
    reasons: dict[str, str] = {}
    for marketplace, channel in resources.channels.items():
        refs = [request.order_ref for request in requests if request.marketplace is marketplace]
        if refs and not marketplace.create_is_idempotent:
            reasons |= await _strangers(resources, channel, refs)
    return reasons


async def _strangers(resources: Resources, channel: Channel, refs: Sequence[str]) -> dict[str, str]:
    since = resources.clock() - timedelta(days=resources.settings.look_back_days)
    try:
        found = await channel.find(refs, since=since)
    except Misconfigured:
        raise
    except XportcnError as error:
        return dict.fromkeys(refs, f"could not be looked for at the service ({error.message}). Run again")
    return {
        ref: f"{ALREADY_THERE} {_listed(alive)} under this order_ref, and this ledger has not ordered it. If it is "
        f"this order, take it over: {_taking_over(ref, alive)}. If another ledger ordered it, use that one: under a "
        "new order_ref it would be bought a second time"
        for ref, orders in found.items()
        if (alive := [order for order in orders if order.status is not ServiceStatus.CLOSED])
    }


def _taking_over(order_ref: str, alive: Sequence[ServiceOrder]) -> str:
    order_id, most = (alive[0].order_id, alive[0].total.major) if len(alive) == 1 else ("ORDER_ID", "AMOUNT_CNY")
    return f"sourcing resolve {order_ref} --ordered {order_id} --up-to {most}"


def _listed(orders: Sequence[ServiceOrder]) -> str:
    return ", ".join(f"{order.order_id} ({order.status}, {order.total})" for order in orders)


async def settle_creates(resources: Resources, orders: Mapping[str, OrderRecord]) -> None:
    """Find out what became of creates that got no answer."""
    await settle(resources, create_effect(resources), orders)


def create_effect(resources: Resources) -> Effect:
    async def send(claim: Claim, order: OrderRecord) -> Landed:
        channel, warehouse = resources.channels[order.marketplace], await resources.warehouse()
        created = await channel.create(claim, sourcing_order_of(order), warehouse, approved=order.payable)
        if len(created.order_ids) != 1:
            return _several(order, created.order_ids)
        columns = {
            "order_id": created.order_ids[0],
            "total_minor": created.total.minor,
            "ordered_at": resources.clock(),
        }
        change = OrderChange(order_ref=order.order_ref, state=OrderState.ORDERED, columns=columns)
        return Landed(answer={"order_ids": created.order_ids, "total": str(created.total)}, change=change)

    async def look(orders: Sequence[OrderRecord]) -> Mapping[str, Landed]:
        found: dict[str, Landed] = {}
        for channel, group in by_channel(resources, orders):
            refs = [order.order_ref for order in group]
            since = min(_intended_at(resources, refs)) - CLOCK_MARGIN
            shown = await channel.find(refs, since=since)
            found |= {
                o.order_ref: _found(o, shown[o.order_ref], resources.clock()) for o in group if shown.get(o.order_ref)
            }
        return found

    def on_refused(order: OrderRecord, error: Refused) -> OrderChange:
        return OrderChange(order_ref=order.order_ref, state=OrderState.REFUSED, reason=f"not ordered: {error.message}")

    return Effect(
        action=Action.CREATE,
        undone=OrderState.PLANNED,
        send=send,
        look=look,
        absence_proves=True,
        question=lambda order: f"Is there an order with reference {order.order_ref} in the console?",
        on_refused=on_refused,
    )


def _intended_at(resources: Resources, order_refs: Sequence[str]) -> list[datetime]:
    effects = resources.ledger.effects_of(order_refs)
    return [effect.intent_at for effect in effects if effect.action is Action.CREATE]


def _found(order: OrderRecord, shown: Sequence[ServiceOrder], now: datetime) -> Landed:
    alive = [one for one in shown if one.status is not ServiceStatus.CLOSED] or list(shown[:1])
    if len(alive) > 1:
        return _several(order, tuple(one.order_id for one in alive))
    columns = {
        "order_id": alive[0].order_id,
        "total_minor": alive[0].total.minor,
        "ordered_at": alive[0].created_at or now,
    }
    change = OrderChange(order_ref=order.order_ref, state=OrderState.ORDERED, columns=columns)
    return Landed(answer={"found": alive[0].order_id}, change=change)


def _several(order: OrderRecord, order_ids: Sequence[str]) -> Landed:
    listed = ", ".join(order_ids)
    reason = f"the service holds {len(order_ids)} orders for {order.order_ref}: {listed}; none is paid. Check them"
    change = OrderChange(order_ref=order.order_ref, state=OrderState.HELD, reason=reason)
    return Landed(answer={"order_ids": list(order_ids)}, change=change)
