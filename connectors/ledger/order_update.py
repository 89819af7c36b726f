"""What became known of an order or was decided about it, as the columns of `orders`
that it fills.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from connectors.ledger.schema import to_json
from domain.money import Money
from domain.offers import ChosenFreight
from domain.service_orders import Shipment
from domain.witnessed import Booked, Paid


@dataclass(frozen=True, slots=True)
class OrderUpdate:
    """What to write to an order: amounts in minor units, times in UTC. Columns that are
    not named stay as they are.

    Paid and booked can't be written without the verdict, which needs both witnesses.
    """

    columns: Mapping[str, Any]

    def __or__(self, further: OrderUpdate) -> OrderUpdate:
        return OrderUpdate({**self.columns, **further.columns})

    @classmethod
    def approved(cls, *, amount: Money) -> OrderUpdate:
        """A person approved that an order costs this much and no more, without a
        plan.
        """
        return cls({"approved_minor": amount.minor, "payable_minor": amount.minor})

    @classmethod
    def plan_approved(cls, plan_hash: str) -> OrderUpdate:
        """A person approved to go on with what was bought on this plan."""
        return cls({"plan_hash": plan_hash})

    @classmethod
    def approval_withdrawn(cls) -> OrderUpdate:
        """A person declined to go on: an unattended run leaves the order alone until a
        person approves it.
        """
        return cls({"plan_hash": None})

    @classmethod
    def ordered(cls, *, order_id: str, total: Money, at: datetime) -> OrderUpdate:
        """The service created the order, and demands `total`."""
        return cls({"order_id": order_id, "total_minor": total.minor, "ordered_at": at})

    @classmethod
    def sent_to(cls, warehouse: str) -> OrderUpdate:
        """The address in China that the order was made with."""
        return cls({"warehouse": warehouse})

    @classmethod
    def parcel_reported(cls, *, at: datetime) -> OrderUpdate:
        """A parcel from a seller was reported to the warehouse."""
        return cls({"parcel_reported_at": at})

    @classmethod
    def not_ordered(cls) -> OrderUpdate:
        """The id that was taken for this order's belongs to another order."""
        return cls({"order_id": None, "total_minor": None})

    @classmethod
    def paid(
        cls,
        _verdict: Paid,
        *,
        amount: Money,
        at: datetime | None,
        total: Money | None = None,
    ) -> OrderUpdate:
        """The service took `amount`; `at` is None where the answer has no time. Without
        `total` the order's stays.
        """
        paid = {"paid_minor": amount.minor, "paid_at": at}
        return cls(paid if total is None else {**paid, "total_minor": total.minor})

    @classmethod
    def refunded(cls, *, amount_minor: int) -> OrderUpdate:
        """What was refunded of what was paid, over all refunds of the order."""
        return cls({"refunded_minor": amount_minor})

    @classmethod
    def freight_approved(cls, *, price: Money) -> OrderUpdate:
        """Shipping may cost this much and no more."""
        return cls(
            {"freight_approved_minor": price.minor, "freight_currency": price.currency}
        )

    @classmethod
    def freight_asked(cls, *, price: Money, voids_approval: bool) -> OrderUpdate:
        """What shipping would cost now, which was not approved; the next run asks for
        approval.

        An approval in another currency is dropped (`voids_approval`).
        """
        freight_columns = {
            "freight_minor": price.minor,
            "freight_currency": price.currency,
        }
        return cls(
            {**freight_columns, "freight_approved_minor": None}
            if voids_approval
            else freight_columns
        )

    @classmethod
    def booked(
        cls,
        _verdict: Booked,
        *,
        shipment: Shipment,
        at: datetime,
        freight: ChosenFreight | None = None,
    ) -> OrderUpdate:
        """The warehouse has the shipment. `freight` is what was chosen; None where the
        service just shows a booking.
        """
        chosen = {} if freight is None else _chosen(freight)
        ids = {"shipment_order_id": shipment.shipment_order_id, "booked_at": at}
        return cls({"shipment": to_json(shipment), **ids, **chosen})

    @classmethod
    def charged(cls, *, price: Money, service_id: str = "") -> OrderUpdate:
        """Shipping was booked at this price, and with this service where that is
        known.
        """
        service = {"freight_service": service_id} if service_id else {}
        return cls(
            {
                **service,
                "freight_minor": price.minor,
                "freight_currency": price.currency,
            }
        )

    @classmethod
    def renumbered(cls, shipment: Shipment) -> OrderUpdate:
        """The booked shipment has other tracking numbers now."""
        return cls({"shipment": to_json(shipment)})

    @classmethod
    def not_booked(cls) -> OrderUpdate:
        """The shipment that a person reported does not exist."""
        return cls({"shipment": None, "shipment_order_id": None, "booked_at": None})


def _chosen(freight: ChosenFreight) -> dict[str, Any]:
    charged = OrderUpdate.charged(
        price=freight.service.price, service_id=freight.service.service_id
    )
    return {"freight_quote": to_json(freight.quote), **charged.columns}


NOTHING = OrderUpdate({})
