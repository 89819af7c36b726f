"""A second booking of one render, or of one order."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sandbox.dialects.dialect import ChangesCall, Dialect, Mark
from sandbox.refusals import upstream_refused

if TYPE_CHECKING:
    from sandbox.operations import Call
    from sandbox.world import World

BOOK = "/open/pp/logistics/orderBookingFreight"
SOURCE = "What a second booking is answered with is on no page; the service numbers renders, and names one in a booking."


def _once(named: str) -> ChangesCall:
    def call(world: World, path: str, call: Call) -> Call:
        if path != BOOK:
            return call
        order_id = call.body.object("tmallOrderInfo").identifier("tmallOrderId")
        wanted = {"render_id": call.body.text("renderId"), "tmall_order_id": order_id}[
            named
        ]
        if any(getattr(one, named) == wanted for one in world.books.shipments.values()):
            raise upstream_refused("BOOKING_EXISTS", f"{wanted} is already booked")
        return call

    return call


BOOKING_ONE_A_RENDER = Dialect(
    name="booking-one-a-render",
    sentence="A second booking under one renderId is refused; under another renderId an order is booked again.",
    source=SOURCE,
    mark=Mark.INFERRED,
    changes_call=_once("render_id"),
)
BOOKING_ONE_AN_ORDER = Dialect(
    name="booking-one-an-order",
    sentence="A second booking of one order is refused, under whatever renderId.",
    source=SOURCE,
    mark=Mark.INFERRED,
    changes_call=_once("tmall_order_id"),
)
BOOKING_REPEATED = Dialect(
    name="booking-repeated",
    sentence="Each booking of an order is booked and invoiced, as the sandbox has it by itself.",
    source=SOURCE,
    mark=Mark.INFERRED,
)
