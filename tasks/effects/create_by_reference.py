"""Creating an order under our reference, by which it is found again."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from connectors.ledger.evidence import account_of, newest_until, oldest_since
from connectors.ledger.group_commit import nothing_sent
from connectors.ledger.order_ids import misnamed
from connectors.ledger.order_update import NOTHING, OrderUpdate
from connectors.ledger.records import EffectRecord, OrderChange, OrderRecord
from connectors.marketplaces.protocol import Channel
from connectors.marketplaces.refusals import means_not_ordered, means_too_many_orders
from connectors.xportcn.errors import Refused
from domain.absence import (
    CLOCKS_APART,
    SEARCH_BACK_DAYS,
    Control,
    Sent,
    judge_absence,
    left_out,
    two_ids,
)
from domain.decisions import refused_by_service
from domain.effects import Action, Claim, ResolutionKind
from domain.marketplace import Marketplace
from domain.reasons import Reason, ReasonCode, because
from domain.service_orders import ReferenceField, ServiceOrder, ServiceStatus
from domain.states import OrderState
from domain.witnessed import Contradicted, Source, Statement, agreed_total, money_of
from tasks.effects.judge import clear_from
from tasks.effects.kind import Attempt, EffectKind, Proof, Sighting
from tasks.effects.reading_orders import by_channel, is_another_s


def ordered(
    order: OrderRecord,
    order_id: str,
    total: Statement,
    at: datetime,
    answer: dict[str, Any],
    warehouse: str = "",
) -> Proof:
    """Exactly one order was made for this one: held where its total contradicts what
    was approved.
    """
    fact = OrderUpdate.ordered(order_id=order_id, total=money_of(total), at=at)
    fact |= OrderUpdate.sent_to(warehouse) if warehouse else NOTHING
    change = OrderChange(order_ref=order.order_ref, state=OrderState.ORDERED)
    verdict = agreed_total(Statement(source=Source.LEDGER, value=order.approved), total)
    if isinstance(verdict, Contradicted):
        change = replace(order.contradicted(verdict), expected=None)
    return Proof(answer=answer, change=replace(change, writes=fact))


def found(
    order: OrderRecord,
    shown: ServiceOrder,
    total: Statement,
    now: datetime,
    answer: dict[str, Any],
) -> Proof:
    """As `ordered`, of an order that a reading shows; held where it lacks goods, and
    not paid as the whole.
    """
    if reason := in_part(order, shown):
        return several(order.order_ref, [shown.order_id], reason)
    return ordered(order, shown.order_id, total, shown.created_at or now, answer)


def in_part(order: OrderRecord, service_order: ServiceOrder) -> Reason | None:
    """Why an order is not paid as the whole that shows fewer goods than its lines; None
    for all others.
    """
    if not (lacks := left_out(service_order, order.lines)):
        return None
    lines = [f"{line.title} ({line.item_id}) × {line.quantity}" for line in lacks]
    ref = order.order_ref
    order_id = service_order.order_id
    cost = str(service_order.total.major)
    return because(
        ReasonCode.ORDERED_IN_PART,
        order_id=order_id,
        order_ref=ref,
        lines=lines,
        total=cost,
    )


def several(order_ref: str, order_ids: Sequence[str], why: Reason) -> Proof:
    """More or less than one order was made, or one that has no id: only a person can
    say what is to be paid.
    """
    change = OrderChange(order_ref=order_ref, state=OrderState.HELD, why=why)
    return Proof(answer={"order_ids": list(order_ids)}, change=change)


CLOCK_MARGIN = timedelta(minutes=10)


class CreateByReference(EffectKind):
    """Creating orders under their `order_ref`."""

    action = Action.CREATE
    state_while_unknown = OrderState.UNKNOWN
    happened = ResolutionKind.ORDERED
    did_not_happen = ResolutionKind.NOT_ORDERED
    asks = "Does the marketplace's console show an order with reference {order_ref}?"
    before = OrderState.PLANNED

    async def send(self, claim: Claim, order: OrderRecord) -> Proof:
        resources = self.resources
        channel = resources.offerings[order.marketplace].channel
        warehouse = await resources.warehouse()
        created = await channel.create(
            claim, order.sourcing_order, warehouse, approved=order.payable
        )
        if len(created.order_ids) != 1:
            return _several(order.order_ref, created.order_ids)
        answer = {"order_ids": created.order_ids, "total": str(created.total)}
        total = Statement(source=Source.CREATED, value=created.total)
        return ordered(
            order,
            created.order_ids[0],
            total,
            resources.clock(),
            answer,
            str(warehouse),
        )

    async def read_back(self, attempts: Sequence[Attempt]) -> Mapping[str, Sighting]:
        orders = [attempt.order for attempt in attempts]
        proofs: dict[str, Sighting] = {}
        for channel, group in by_channel(self.resources, orders):
            proofs |= await self._read_back(channel, group)
        return {
            attempt.effect.key: proofs[ref]
            for attempt in attempts
            if (ref := attempt.order.order_ref) in proofs
        }

    def when_refused(self, attempt: Attempt, refusal: Refused) -> OrderChange | None:
        if means_too_many_orders(refusal):
            later = nothing_sent(
                f"the marketplace takes no more orders now: {refusal.message}"
            )
            return OrderChange(
                order_ref=attempt.order.order_ref, state=OrderState.PLANNED, why=later
            )
        reason = refused_by_service(refusal.message)
        return OrderChange(
            order_ref=attempt.order.order_ref, state=OrderState.REFUSED, why=reason
        )

    def proves_nothing_happened(self, refusal: Refused) -> bool:
        return means_not_ordered(refusal)

    def if_misnamed(self, attempt: Attempt) -> Reason:
        return misnamed(f"its own reference {attempt.order.order_ref}")

    async def _read_back(
        self, channel: Channel, orders: Sequence[OrderRecord]
    ) -> dict[str, Sighting]:
        """One reading for all these orders, far enough back to show others of ours,
        which it would show as well.
        """
        creates = await asyncio.to_thread(self._creates, orders)
        since = min(create[0].intent_at for create in creates.values()) - CLOCK_MARGIN
        marketplace = orders[0].marketplace
        controls = await asyncio.to_thread(
            self._controls, marketplace, orders, creates.values()
        )
        asked_at = self.resources.clock()
        reading = await channel.find(
            list(creates),
            since=min([since, *(control.ordered_at for control in controls)]),
            controls=[control.order_ref for control in controls],
        )
        carrying = {
            ref: [
                service_order
                for service_order in reading.found.get(ref, ())
                if _is_since(service_order, since)
            ]
            for ref in creates
        }
        listed = {
            ref: _alive(service_order)
            for ref, service_order in carrying.items()
            if service_order
        }
        at_ids = (
            await channel.read(
                [
                    shown_order.order_id
                    for service_order in listed.values()
                    for shown_order in service_order
                ]
            )
            if listed
            else {}
        )
        by_ref = {order.order_ref: order for order in orders}
        proofs = {
            ref: _found(by_ref[ref], service_order, at_ids, self.resources.clock())
            for ref, service_order in listed.items()
        }
        misled = next(
            (proof for proof in proofs.values() if isinstance(proof, Contradicted)),
            None,
        )
        account = await asyncio.to_thread(
            account_of, self.resources.ledger, marketplace, reading.rows, controls
        )
        for order in orders:
            if order.order_ref not in listed:
                sent = self._sent(order, creates[order.order_ref][-1])
                proofs[order.order_ref] = misled or judge_absence(
                    sent, reading, account, asked_at
                )
        return proofs

    def _sent(self, order: OrderRecord, last: EffectRecord) -> Sent:
        until = clear_from(self.resources, last)
        return Sent(
            order_ref=order.order_ref,
            places=_places(last, order),
            at=last.intent_at,
            until=until,
        )

    def _creates(self, orders: Sequence[OrderRecord]) -> dict[str, list[EffectRecord]]:
        """The attempts to create each order, oldest first."""
        creates: dict[str, list[EffectRecord]] = {
            order.order_ref: [] for order in orders
        }
        for effect in self.resources.ledger.effects_of(list(creates)):
            if effect.action is Action.CREATE:
                creates[effect.order_ref].append(effect)
        return creates

    def _controls(
        self,
        marketplace: Marketplace,
        orders: Sequence[OrderRecord],
        creates: Iterable[Sequence[EffectRecord]],
    ) -> list[Control]:
        """The last orders of ours before the first and the last of these creates, and
        the first after all of them.
        """
        ledger = self.resources.ledger
        last = [attempts[-1] for attempts in creates]
        moments = [effect.intent_at for effect in last]
        cleared = max(clear_from(self.resources, effect) for effect in last)
        look_back = timedelta(days=SEARCH_BACK_DAYS)
        listed = oldest_since(ledger, marketplace, cleared)
        for at in {min(moments), max(moments)}:
            until = at - CLOCKS_APART
            listed += newest_until(ledger, marketplace, until, since=at - look_back)
        controls = {control.order_ref: control for control in listed}
        return [
            controls[ref]
            for ref in sorted(controls.keys() - {order.order_ref for order in orders})
        ]


def request_hash(
    order: OrderRecord, reference_fields: frozenset[ReferenceField]
) -> str:
    """A hash of a create's order and of where it puts our reference."""
    if ReferenceField.OWN_ID not in reference_fields:
        return order.fingerprint
    return hashlib.sha256(
        f"{order.fingerprint} {ReferenceField.OWN_ID}".encode()
    ).hexdigest()


def _places(effect: EffectRecord, order: OrderRecord) -> frozenset[ReferenceField]:
    reference_fields = frozenset(ReferenceField)
    return (
        reference_fields
        if effect.request_hash == request_hash(order, reference_fields)
        else frozenset({ReferenceField.REFERENCE})
    )


def _is_since(service_order: ServiceOrder, since: datetime) -> bool:
    return (
        service_order.created_at is None
        or service_order.created_at >= since - CLOCK_MARGIN
    )


def _alive(service_orders: Sequence[ServiceOrder]) -> list[ServiceOrder]:
    return [
        service_order
        for service_order in service_orders
        if service_order.status is not ServiceStatus.CLOSED
    ] or list(service_orders[:1])


def _found(
    order: OrderRecord,
    service_orders: Sequence[ServiceOrder],
    at_ids: Mapping[str, ServiceOrder],
    moment: datetime,
) -> Sighting:
    """What was found under our reference, as far as its id leads to it: a list may name
    a wrong one.
    """
    order_ref = order.order_ref
    for service_order in service_orders:
        shown_order = at_ids.get(service_order.order_id)
        if shown_order is None or is_another_s(order_ref, shown_order):
            return two_ids(order_ref, Source.DETAIL, "", service_order.order_id)
    if len(service_orders) > 1:
        return _several(
            order_ref, [service_order.order_id for service_order in service_orders]
        )
    only = at_ids[service_orders[0].order_id]
    return found(
        order,
        only,
        Statement(source=Source.DETAIL, value=only.total),
        moment,
        {"found": only.order_id},
    )


def _several(order_ref: str, order_ids: Sequence[str]) -> Proof:
    reason = because(
        ReasonCode.SEVERAL_ORDERS,
        count=len(order_ids),
        order_ref=order_ref,
        order_ids=order_ids or " ",
    )
    return several(order_ref, order_ids, reason)
