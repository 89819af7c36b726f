"""Bodies of the messages that the service posts to us (contract 3, assumed-all 6): which order is to be read again.

Of a parcel's report more is read, since no call shows it. What else a body has is never believed.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from connectors.xportcn.models import Response, alias
from connectors.xportcn.operations.operation import ASSUMED, UPSTREAM, Group
from connectors.xportcn.wire import Id, ParcelNumber
from domain.received import CallbackKind

OrderId = Annotated[Id, Field(min_length=1)]


class OrderBody(Response):
    """A body that names one order."""

    order_id: OrderId


class PurchasePrice(OrderBody):
    """A price of Taobao, whose order is a purchase."""

    order_id: OrderId = Field(validation_alias=alias("purchaseOrderId"))


class Purchase(OrderBody):
    """A status or a refund of Taobao. A `purchaseOrderId` in it may be a part of the order."""

    order_id: OrderId = Field(validation_alias=alias("purchaseId"))


class QualityInspection(Response):
    """Sizes come as numbers or texts, their units unstated."""

    status: str = ""
    weight: str = ""
    length: str = ""
    width: str = ""
    height: str = ""
    failed_remark: str = Field("", validation_alias=alias("failed_remark", "failedRemark"))
    images: tuple[str, ...] = ()


class PackageInbound(OrderBody):
    """A parcel reached the warehouse; posted bare, without the envelope, in snake case."""

    order_id: OrderId = Field(validation_alias=alias("alibaba_order_id", "alibabaOrderId"))
    tracking_number: ParcelNumber = Field(
        "", validation_alias=alias("logistics_tracking_number", "logisticsTrackingNumber")
    )
    inspection: QualityInspection = Field(
        QualityInspection(), validation_alias=alias("quality_inspection_info", "qualityInspectionInfo")
    )


class OtherBody(Response):
    """A message of unknown type, or unlike the contract; its content is in `model_extra`."""


TAOBAO, ALIBABA, KA = Group("Taobao / Message callback"), Group("1688 / Message callback"), Group("bigMajor")
TAOBAO_PRICE = TAOBAO(35, "Order price correction", "POST developer URL: taobao-order-price", ASSUMED).callback(
    PurchasePrice, CallbackKind.PRICE
)
TAOBAO_STATUS = TAOBAO(
    36, "Order status modification callback", "POST developer URL: taobao-order-status", ASSUMED
).callback(Purchase, CallbackKind.STATUS)
TAOBAO_REFUND = TAOBAO(37, "Order after-sales refund", "POST developer URL: taobao-order-refund", ASSUMED).callback(
    Purchase, CallbackKind.REFUND
)
ALIBABA_PRICE = ALIBABA(66, "Order price correction", "POST developer URL: 1688-order-price", UPSTREAM).callback(
    OrderBody, CallbackKind.PRICE
)
ALIBABA_STATUS = ALIBABA(
    67, "Order status modification interface", "POST developer URL: 1688-order-status", UPSTREAM
).callback(OrderBody, CallbackKind.STATUS)
ALIBABA_REFUND = ALIBABA(
    68, "1688 order after sale refund", "POST developer URL: 1688-order-refund", UPSTREAM
).callback(OrderBody, CallbackKind.REFUND)
PACKAGE_INBOUND = KA(90, "包裹入库回调", "POST developer URL: package-inbound", ASSUMED).callback(
    PackageInbound, CallbackKind.INBOUND
)
