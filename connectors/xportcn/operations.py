"""The catalogue: every operation of the service, as `docs/contract` tells it.

Light on purpose (no pydantic, no HTTP), so that listing it costs nothing. What an operation takes and answers is bound
to it in `connectors.xportcn.api`, one module per group.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal


class Provenance(StrEnum):
    """How well the path is known."""

    CONFIRMED = "confirmed"  # on a page of the service itself
    SIBLING = "sibling"  # on a page of the same platform under another brand
    UPSTREAM = "upstream"  # in the contract of the marketplace behind it
    ASSUMED = "assumed"  # nobody has seen it answered


class Envelope(StrEnum):
    """How an answer is wrapped (contract 1.5): A in `code/msg/data`, B in `errorCode/errorMsg/success/data`."""

    A = "A"
    B = "B"


@dataclass(frozen=True, slots=True)
class Operation:
    """One entry of the service's navigation. `nav`, `group` and `title` as in `docs/contract/endpoints.csv`.

    `effect` is true for what spends, promises or cannot be taken back: it is sent once, under a claim.
    """

    nav: int | None
    group: str
    title: str
    method: Literal["GET", "POST"]
    path: str
    provenance: Provenance
    effect: bool = False
    envelope: Envelope = Envelope.A

    @property
    def name(self) -> str:
        """How errors and logs call it; titles alone repeat between groups."""
        return f"{self.group} / {self.title}"


CONFIRMED, SIBLING, UPSTREAM, ASSUMED = Provenance

_GROUP = "Taobao / Product"
TAOBAO_SEARCH = Operation(5, _GROUP, "Taobao product search API", "POST", "/open/product/search", ASSUMED)
TAOBAO_ID_MAPPING = Operation(
    7, _GROUP, "Batch query products according to Taobao product id", "POST", "/open/product/batch/check", SIBLING
)
TAOBAO_PRODUCT = Operation(8, _GROUP, "Query product by Taobao product ID", "GET", "/open/product/get", SIBLING)

_GROUP = "Taobao / Order"
TAOBAO_ORDER_PAGE = Operation(10, _GROUP, "purchase order page list", "POST", "/open/purchase/page", CONFIRMED)
TAOBAO_PAY = Operation(12, _GROUP, "purchase order pay", "POST", "/open/purchase/pay", ASSUMED, effect=True)
TAOBAO_RENDER = Operation(13, _GROUP, "purchase order render", "POST", "/open/purchase/render", ASSUMED)
TAOBAO_CREATE = Operation(
    14, _GROUP, "purchase order create V2", "POST", "/open/purchase/create/v2", ASSUMED, effect=True
)
TAOBAO_ORDER_DETAIL = Operation(
    23, _GROUP, "Get order details based on the order ID", "GET", "/open/order/detail/get", ASSUMED
)
TAOBAO_LOGISTICS = Operation(24, _GROUP, "Get logistics details", "GET", "/open/order/logistics/detail/get", SIBLING)

_GROUP = "1688 / Product"
ALIBABA_PRODUCT = Operation(45, _GROUP, "Product details query", "POST", "/alibaba/product/detail/get", SIBLING)
ALIBABA_SEARCH = Operation(47, _GROUP, "Product keyword query", "POST", "/alibaba/product/keywords/query", SIBLING)

_GROUP = "1688 / Order"
ALIBABA_PREVIEW = Operation(
    50, _GROUP, "Preview the data before creating the order", "POST", "/alibaba/order/create/preview", SIBLING
)
ALIBABA_CREATE = Operation(52, _GROUP, "Create an order", "POST", "/alibaba/order/create", SIBLING, effect=True)
# A GET that moves money.
ALIBABA_PAY = Operation(55, _GROUP, "Order payment", "GET", "/alibaba/order/pay/url", SIBLING, effect=True)
ALIBABA_LOGISTICS = Operation(
    58,
    _GROUP,
    "Get logistics tracking information for orders",
    "GET",
    "/alibaba/order/logistics/trace/get",
    ASSUMED,
)
ALIBABA_ORDER_PAGE = Operation(59, _GROUP, "Order list paging query", "POST", "/v2/alibaba/order/page", SIBLING)
ALIBABA_ORDER_DETAIL = Operation(None, _GROUP, "details (sibling only)", "POST", "/alibaba/order/detail", SIBLING)

_GROUP = "Basics"
WAREHOUSE_ADDRESS = Operation(75, _GROUP, "Get user address information", "GET", "/open/address/get", ASSUMED)

_GROUP = "Warehouse logistics"
_LOGISTICS = "/open/pp/logistics"
FREIGHT_ESTIMATE = Operation(
    77,
    _GROUP,
    "Please refer to the estimated overseas freight",
    "POST",
    f"{_LOGISTICS}/orderEstimateFreight",
    ASSUMED,
    envelope=Envelope.B,
)
FREIGHT_RENDER = Operation(
    78,
    _GROUP,
    "Order overseas freight preview",
    "POST",
    f"{_LOGISTICS}/orderRenderFreight",
    SIBLING,
    envelope=Envelope.B,
)
FREIGHT_BOOK = Operation(
    79,
    _GROUP,
    "Create international logistics orders",
    "POST",
    f"{_LOGISTICS}/orderBookingFreight",
    CONFIRMED,
    effect=True,
    envelope=Envelope.B,
)
FREIGHT_UPDATE = Operation(
    80,
    _GROUP,
    "Update domestic logistics information",
    "POST",
    f"{_LOGISTICS}/updateLogisticInfo",
    CONFIRMED,
    effect=True,
    envelope=Envelope.B,
)


def catalogue() -> tuple[Operation, ...]:
    """All operations, in the order above. Read from the module, so that an entry can't be left out."""
    return tuple(value for value in globals().values() if isinstance(value, Operation))
