"""Logistics of big sellers' orders: the trace of each parcel, as 1688 answers it."""

from __future__ import annotations

from typing import Any

from sandbox.alibaba_1688.tracking import order_trace
from sandbox.big_major.orders import order_of
from sandbox.operations import Call, Operations
from sandbox.world import World

operations = Operations()


@operations.post("/alibaba/ka/order/logistics")
def logistics(world: World, call: Call) -> dict[str, Any]:
    return order_trace(world, order_of(world, call.body))
