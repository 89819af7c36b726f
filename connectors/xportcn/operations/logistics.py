"""Warehouse logistics: international freight (nav 77-80); answers come in envelope B."""

from __future__ import annotations

from functools import partial

from connectors.xportcn.operations.operation import ASSUMED, CONFIRMED, SIBLING, Envelope, Operation

_entry = partial(Operation, "Warehouse logistics", envelope=Envelope.B)
ESTIMATE = _entry(
    77, "Please refer to the estimated overseas freight", "POST", "/open/pp/logistics/orderEstimateFreight", ASSUMED
)
RENDER = _entry(78, "Order overseas freight preview", "POST", "/open/pp/logistics/orderRenderFreight", SIBLING)
BOOK = _entry(
    79,
    "Create international logistics orders",
    "POST",
    "/open/pp/logistics/orderBookingFreight",
    CONFIRMED,
    effect=True,
)
UPDATE = _entry(
    80, "Update domestic logistics information", "POST", "/open/pp/logistics/updateLogisticInfo", CONFIRMED, effect=True
)
