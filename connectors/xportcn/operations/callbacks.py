"""Bodies of the messages that the service posts to us (contract 3, assumed-all 6); amounts in fen.

Every body names the order `order_id` and our reference `reference`, whatever the service's names.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from connectors.xportcn.operations.operation import ASSUMED, UPSTREAM, Group
from connectors.xportcn.wire import Code, Fen, GivenId, Id, MaybeChinaTime, MaybeUnixMs, ParcelNumber, Response, alias
from domain.callback_kinds import CallbackKind

OrderId = Annotated[Id, Field(min_length=1)]


class OrderBody(Response):
    """A body that names one order."""

    order_id: OrderId


class TaobaoPrice(Response):
    total_fee: Fen | None = Field(None, validation_alias=alias("purchaseTotalFee"))
    product_fee: Fen | None = Field(None, validation_alias=alias("purchaseProductFee"))
    shipping_fee: Fen | None = Field(None, validation_alias=alias("purchaseShippingFee"))
    currency: str = Field("CNY", validation_alias=alias("purchaseCurrency"))


class TaobaoLinePrice(Response):
    unit_fee: Fen | None = Field(None, validation_alias=alias("purchaseProductUnitFee"))
    currency: str = Field("CNY", validation_alias=alias("purchaseCurrency"))


class TaobaoPriceLine(Response):
    """`line_id` is the sub-order."""

    line_id: Id = Field("", validation_alias=alias("purchaseOrderLineId"))
    price: TaobaoLinePrice = Field(TaobaoLinePrice(), validation_alias=alias("purchaseOrderItemPriceDTO"))


class TaobaoPriceChanged(OrderBody):
    order_id: OrderId = Field(validation_alias=alias("purchaseOrderId"))
    reference: Id = Field("", validation_alias=alias("salesOrderId"))
    market: str = Field("", validation_alias=alias("purchaseMarket"))
    price: TaobaoPrice = Field(TaobaoPrice(), validation_alias=alias("purchaseOrderPriceDTO"))
    lines: tuple[TaobaoPriceLine, ...] = Field((), validation_alias=alias("purchaseOrderLinePriceChangeMessageDTOList"))


class TaobaoSku(Response):
    item_id: Id = ""
    sku_id: Id = ""
    order_line_no: Id = ""
    logistic_company_name: str = ""
    logistic_number: ParcelNumber = Field("", validation_alias=alias("logisticNumber", "logisticNumer"))
    status: Code | None = None


class TaobaoStatusChanged(OrderBody):
    """`status` as in contract 4.1; a line's may differ."""

    order_id: OrderId = Field(validation_alias=alias("purchaseId"))
    reference: Id = Field("", validation_alias=alias("outerPurchaseId"))
    business_time: MaybeUnixMs = None
    status: Code | None = None
    sku_list: tuple[TaobaoSku, ...] = ()


class TaobaoRefundChanged(OrderBody):
    refund_id: GivenId
    order_id: OrderId = Field(validation_alias=alias("purchaseId"))
    reference: Id = Field("", validation_alias=alias("outerPurchaseId"))
    sub_purchase_order_id: Id = ""
    refund_type: Code | None = None
    refund_status: Code | None = None
    refund_fee: Fen | None = None
    business_time: MaybeUnixMs = None


class AlibabaOrderChanged(OrderBody):
    """`current_status` as in contract 4.3."""

    current_status: str = ""
    msg_send_time: MaybeChinaTime = None
    buyer_member_id: Id = ""
    seller_member_id: Id = ""


class AlibabaRefundChanged(AlibabaOrderChanged):
    refund_id: Id = ""
    refund_action: str = ""
    operator: str = ""


class KaOrderChanged(OrderBody):
    """bigMajor. `order_status` as in contract 4.2, `pay_status` 1 unpaid, 2 paid; amounts in fen."""

    order_no: Id = ""
    order_status: str = ""
    pay_status: Code | None = None
    total_amount: Fen | None = None
    product_amount: Fen | None = None
    shipping_fee: Fen | None = None
    refund_amount: Fen | None = None
    refund_id: Id = ""
    refund_status: str = ""
    close_reason: str = ""
    tb_create_time: MaybeChinaTime = None
    pay_time: MaybeChinaTime = None


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
    reference: Id = Field("", validation_alias=alias("out_order_id", "outOrderId"))
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
    TaobaoPriceChanged, CallbackKind.PRICE
)
TAOBAO_STATUS = TAOBAO(
    36, "Order status modification callback", "POST developer URL: taobao-order-status", ASSUMED
).callback(TaobaoStatusChanged, CallbackKind.STATUS)
TAOBAO_REFUND = TAOBAO(37, "Order after-sales refund", "POST developer URL: taobao-order-refund", ASSUMED).callback(
    TaobaoRefundChanged, CallbackKind.REFUND
)
ALIBABA_PRICE = ALIBABA(66, "Order price correction", "POST developer URL: 1688-order-price", UPSTREAM).callback(
    AlibabaOrderChanged, CallbackKind.PRICE
)
ALIBABA_STATUS = ALIBABA(
    67, "Order status modification interface", "POST developer URL: 1688-order-status", UPSTREAM
).callback(AlibabaOrderChanged, CallbackKind.STATUS)
ALIBABA_REFUND = ALIBABA(
    68, "1688 order after sale refund", "POST developer URL: 1688-order-refund", UPSTREAM
).callback(AlibabaRefundChanged, CallbackKind.REFUND)
PACKAGE_INBOUND = KA(90, "包裹入库回调", "POST developer URL: package-inbound", ASSUMED).callback(
    PackageInbound, CallbackKind.INBOUND
)
