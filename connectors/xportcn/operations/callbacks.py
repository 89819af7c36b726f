"""Messages that the service posts to us (contract 3, assumed-all 6), each with the
field that names its order.

Of a parcel's report more is read, since no call shows it. What else a message has is
never believed.
"""

from __future__ import annotations

from pydantic import Field

from connectors.xportcn.models import Response, alias
from connectors.xportcn.operations.operation import ASSUMED, UPSTREAM, Group
from connectors.xportcn.wire import GivenId, ParcelNumber
from domain.received import CallbackKind


class QualityInspection(Response):
    """Sizes come as numbers or texts, their units unstated."""

    status: str = ""
    weight: str = ""
    length: str = ""
    width: str = ""
    height: str = ""
    failed_remark: str = Field(
        "", validation_alias=alias("failed_remark", "failedRemark")
    )
    images: tuple[str, ...] = ()


class PackageInbound(Response):
    """A parcel reached the warehouse; posted bare, without the envelope, in snake
    case.
    """

    order_id: GivenId = Field(
        validation_alias=alias("alibaba_order_id", "alibabaOrderId")
    )
    tracking_number: ParcelNumber = Field(
        "",
        validation_alias=alias("logistics_tracking_number", "logisticsTrackingNumber"),
    )
    inspection: QualityInspection = Field(
        QualityInspection(),
        validation_alias=alias("quality_inspection_info", "qualityInspectionInfo"),
    )


TAOBAO, ALIBABA, KA = (
    Group("Taobao / Message callback"),
    Group("1688 / Message callback"),
    Group("bigMajor"),
)
TAOBAO_PRICE = TAOBAO(
    35, "Order price correction", "POST developer URL: taobao-order-price", ASSUMED
).callback(CallbackKind.PRICE, "purchaseOrderId")
# A `purchaseOrderId` in these two may be a part of the order.
TAOBAO_STATUS = TAOBAO(
    36,
    "Order status modification callback",
    "POST developer URL: taobao-order-status",
    ASSUMED,
).callback(CallbackKind.STATUS, "purchaseId")
TAOBAO_REFUND = TAOBAO(
    37, "Order after-sales refund", "POST developer URL: taobao-order-refund", ASSUMED
).callback(CallbackKind.REFUND, "purchaseId")
ALIBABA_PRICE = ALIBABA(
    66, "Order price correction", "POST developer URL: 1688-order-price", UPSTREAM
).callback(CallbackKind.PRICE, "orderId")
ALIBABA_STATUS = ALIBABA(
    67,
    "Order status modification interface",
    "POST developer URL: 1688-order-status",
    UPSTREAM,
).callback(CallbackKind.STATUS, "orderId")
ALIBABA_REFUND = ALIBABA(
    68,
    "1688 order after sale refund",
    "POST developer URL: 1688-order-refund",
    UPSTREAM,
).callback(CallbackKind.REFUND, "orderId")
PACKAGE_INBOUND = KA(
    90, "包裹入库回调", "POST developer URL: package-inbound", ASSUMED
).callback(CallbackKind.INBOUND, "alibaba_order_id")
