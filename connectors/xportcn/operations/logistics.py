"""Warehouse logistics: international freight (nav 77-80); answers come in envelope B."""

from __future__ import annotations

from connectors.xportcn.operations.operation import ASSUMED, CONFIRMED, SIBLING, Envelope, Operation

_GROUP = "Warehouse logistics"
ESTIMATE = Operation(
    77,
    _GROUP,
    "Please refer to the estimated overseas freight",
    "POST",
    "/open/pp/logistics/orderEstimateFreight",
    ASSUMED,
    envelope=Envelope.B,
)
RENDER = Operation(
    78,
    _GROUP,
    "Order overseas freight preview",
    "POST",
    "/open/pp/logistics/orderRenderFreight",
    SIBLING,
    envelope=Envelope.B,
)
BOOK = Operation(
    79,
    _GROUP,
    "Create international logistics orders",
    "POST",
    "/open/pp/logistics/orderBookingFreight",
    CONFIRMED,
    effect=True,
    envelope=Envelope.B,
)
UPDATE = Operation(
    80,
    _GROUP,
    "Update domestic logistics information",
    "POST",
    "/open/pp/logistics/updateLogisticInfo",
    CONFIRMED,
    effect=True,
    envelope=Envelope.B,
)
