"""The rows of the snapshot tables, from plans and from the ledger's records."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from connectors.ledger.records import OrderRecord
from domain.freight import FreightQuote
from domain.plan import PlannedOrder
from domain.states import REACHED_BOOKED, OrderState
from tasks.offer_rows import offer_rows

Row = dict[str, Any]

DONE_STATES = REACHED_BOOKED | {OrderState.ORDERED, OrderState.PAID, OrderState.PAYMENT_PENDING}


def plan_tables(plans: Sequence[PlannedOrder]) -> dict[str, list[Row]]:
    """The requests and the marketplaces' offers."""
    offers = {(row["marketplace"], row["item_id"], row["sku_id"]): row for plan in plans for row in _offer_rows(plan)}
    return {
        "requests": [row for plan in plans for row in _request_rows(plan)],
        "offers": list(offers.values()),
        "candidates": [row for plan in plans for row in _candidate_rows(plan)],
        "quotes": [row for plan in plans for row in _quote_rows(plan)],
        "freight_quotes": [
            row
            for plan in plans
            for row in _freight_rows(
                plan.order_ref, plan.freight, plan.freight_service.service_id if plan.freight_service else None
            )
        ],
    }


def order_tables(orders: Sequence[OrderRecord]) -> dict[str, list[Row]]:
    """The orders of the ledger; each row under the batch of its order, whatever run writes it."""
    kinds: dict[str, Callable[[OrderRecord], Iterable[Row]]] = {
        "orders": lambda order: [_order_row(order)],
        "order_lines": _line_rows,
        "payments": _payment_rows,
        "freight_quotes": lambda order: _freight_rows(order.order_ref, order.freight_quote, order.freight_service),
        "shipments": _shipment_rows,
        "shipment_items": _shipment_item_rows,
        "outcomes": lambda order: [_outcome_row(order)],
    }
    return {
        table: [{**row, "batch_id": order.batch_id} for order in orders for row in rows(order)]
        for table, rows in kinds.items()
    }


def _request_rows(plan: PlannedOrder) -> Iterator[Row]:
    receiver = plan.request.receiver
    for line_no, line in enumerate(plan.request.lines, start=1):
        limit = line.max_unit_price
        yield {
            "order_ref": plan.order_ref,
            "line_no": line_no,
            "file_row": line.row,
            "marketplace": plan.request.marketplace,
            "item": line.item,
            "sku": line.sku,
            "quantity": line.quantity,
            "max_unit_price_minor": limit.minor if limit else 0,
            "currency": limit.currency if limit else None,
            "receiver_name": receiver.name,
            "receiver_phone": receiver.phone,
            "receiver_email": receiver.email,
            "country": receiver.country,
            "state": receiver.state,
            "city": receiver.city,
            "zip": receiver.zip,
            "address": receiver.address,
            "freight": plan.request.freight,
            "note": line.note,
        }


def _offer_rows(plan: PlannedOrder) -> Iterator[Row]:
    for offer in plan.offers:
        yield from offer_rows(offer)


def _candidate_rows(plan: PlannedOrder) -> Iterator[Row]:
    matches = {match.words: match for match in plan.matches}
    for line_no, line in enumerate(plan.request.lines, start=1):
        match = matches.get(line.item)
        for place, candidate in enumerate(match.candidates if match else (), start=1):
            assert match
            yield {
                "order_ref": plan.order_ref,
                "line_no": line_no,
                "place": place,
                "marketplace": plan.request.marketplace,
                "words": match.words,
                "item_id": candidate.item_id,
                "title": candidate.title,
                "price_minor": candidate.price.minor,
                "currency": candidate.price.currency,
                "seller_id": candidate.seller_id,
                "seller_name": candidate.seller_name,
                "image_url": candidate.image_url,
                "taken": candidate.item_id == match.item_id,
                "why": match.why,
                "decided_at": match.decided_at,
            }


def _quote_rows(plan: PlannedOrder) -> Iterator[Row]:
    if plan.quote:
        yield {
            "order_ref": plan.order_ref,
            "marketplace": plan.request.marketplace,
            "seller_id": plan.seller_id,
            "goods_minor": plan.quote.goods.minor,
            "postage_minor": plan.quote.postage.minor,
            "total_minor": plan.quote.total.minor,
            "currency": plan.quote.total.currency,
            "problems": [problem.problem for problem in plan.quote.problems],
            "message": "; ".join(problem.message for problem in plan.quote.problems) or None,
        }


def _freight_rows(order_ref: str, quote: FreightQuote | None, chosen: str | None) -> Iterator[Row]:
    for service in quote.services if quote else ():
        yield {
            "order_ref": order_ref,
            "service_id": service.service_id,
            "render_id": (quote.render_id if quote else "") or None,
            "company": service.company,
            "category": service.category,
            "price_minor": service.price.minor,
            "currency": service.price.currency,
            "min_days": service.min_days,
            "max_days": service.max_days,
            "chosen": service.service_id == chosen,
        }


def _order_row(order: OrderRecord) -> Row:
    return {
        "order_ref": order.order_ref,
        "marketplace": order.marketplace,
        "state": order.state,
        "reason": order.reason or None,
        "reason_code": order.reason_code,
        "order_id": order.order_id,
        "seller_id": order.seller_id or None,
        "quoted_minor": order.quote.total.minor if order.quote else 0,
        "approved_minor": order.approved.minor,
        "paid_minor": order.paid.minor,
        "currency": order.currency,
        "freight_minor": order.freight_minor or 0,
        "freight_currency": order.freight_currency if order.freight_minor is not None else None,
        "freight_service": order.freight_service,
        "shipment_order_id": order.shipment_order_id,
        "tracking_numbers": order.tracking_numbers,
        "created_at": order.ordered_at,
        "paid_at": order.paid_at,
        "booked_at": order.booked_at,
        "updated_at": order.updated_at,
    }


def _line_rows(order: OrderRecord) -> Iterator[Row]:
    quoted = {line.line_no: line for line in order.quote.lines} if order.quote else {}
    for line in order.lines:
        priced = quoted.get(line.line_no)
        unit = priced.unit_price if priced else line.unit_price
        yield {
            "order_ref": order.order_ref,
            "line_no": line.line_no,
            "marketplace": order.marketplace,
            "order_id": order.order_id,
            "item_id": line.item_id,
            "sku_id": line.sku_id,
            "spec_id": line.spec_id,
            "distribution_item_id": line.distribution_item_id,
            "distribution_sku_id": line.distribution_sku_id,
            "title": line.title,
            "image_url": line.image_url,
            "quantity": line.quantity,
            "unit_price_minor": unit.minor,
            "amount_minor": priced.amount.minor if priced else (unit * line.quantity).minor,
            "currency": unit.currency,
        }


def _payment_rows(order: OrderRecord) -> Iterator[Row]:
    if order.paid_minor is not None:
        yield {
            "order_ref": order.order_ref,
            "marketplace": order.marketplace,
            "order_id": order.order_id,
            "amount_minor": order.paid_minor,
            "currency": order.currency,
            "paid_at": order.paid_at,
        }


def _shipment_rows(order: OrderRecord) -> Iterator[Row]:
    if shipment := order.shipment:
        yield {
            "order_ref": order.order_ref,
            "shipment_order_id": shipment.shipment_order_id,
            "marketplace": order.marketplace,
            "order_id": order.order_id,
            "render_id": shipment.render_id or None,
            "service_id": order.freight_service,
            "company": shipment.company or None,
            "tracking_numbers": list(shipment.tracking_numbers),
            "tracking_urls": list(shipment.tracking_urls),
            "fee_minor": shipment.fee.minor if shipment.fee else 0,
            "currency": shipment.fee.currency if shipment.fee else None,
            "booked_at": order.booked_at,
        }


def _shipment_item_rows(order: OrderRecord) -> Iterator[Row]:
    for item in order.shipment.items if order.shipment else ():
        yield {
            "order_ref": order.order_ref,
            "shipment_order_id": order.shipment_order_id,
            "tracking_number": item.tracking_number,
            "item_id": item.item_id,
            "sku_id": item.sku_id,
            "quantity": item.quantity,
            "title": item.title or None,
        }


def _outcome_row(order: OrderRecord) -> Row:
    done = order.state in DONE_STATES
    return {
        "order_ref": order.order_ref,
        "marketplace": order.marketplace,
        "state": order.state,
        "outcome": "done" if done else order.state,
        "reason": order.reason or None,
        "reason_code": order.reason_code,
        "spent_minor": order.paid.minor,
        "currency": order.currency,
        "finished_at": order.updated_at,
    }
