"""What stands in the messages that the service posts to us (contract 3, assumed-all 6); amounts in fen.

Every body calls the order `order_id` and our reference `reference`, whatever the service calls them.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from connectors.xportcn.operations import Operation, alibaba, big_major, taobao
from connectors.xportcn.wire import Code, Fen, GivenId, Id, MaybeChinaTime, MaybeUnixMs, ParcelNumber, Reader, either

OrderId = Annotated[Id, Field(min_length=1)]


class OrderBody(Reader):
    """A body that names one order."""

    order_id: OrderId


class TaobaoPrice(Reader):
    total_fee: Fen | None = Field(None, validation_alias=either("purchaseTotalFee"))
    product_fee: Fen | None = Field(None, validation_alias=either("purchaseProductFee"))
    shipping_fee: Fen | None = Field(None, validation_alias=either("purchaseShippingFee"))
    currency: str = Field("CNY", validation_alias=either("purchaseCurrency"))


class TaobaoLinePrice(Reader):
    unit_fee: Fen | None = Field(None, validation_alias=either("purchaseProductUnitFee"))
    currency: str = Field("CNY", validation_alias=either("purchaseCurrency"))


class TaobaoPriceLine(Reader):
    """`line_id` is the sub-order."""

    line_id: Id = Field("", validation_alias=either("purchaseOrderLineId"))
    price: TaobaoLinePrice = Field(TaobaoLinePrice(), validation_alias=either("purchaseOrderItemPriceDTO"))


class TaobaoPriceChanged(OrderBody):
    order_id: OrderId = Field(validation_alias=either("purchaseOrderId"))
    reference: Id = Field("", validation_alias=either("salesOrderId"))
    market: str = Field("", validation_alias=either("purchaseMarket"))
    price: TaobaoPrice = Field(TaobaoPrice(), validation_alias=either("purchaseOrderPriceDTO"))
    lines: tuple[TaobaoPriceLine, ...] = Field(
        (), validation_alias=either("purchaseOrderLinePriceChangeMessageDTOList")
    )


class TaobaoSku(Reader):
    item_id: Id = ""
    sku_id: Id = ""
    order_line_no: Id = ""
    logistic_company_name: str = ""
    logistic_number: ParcelNumber = Field("", validation_alias=either("logisticNumber", "logisticNumer"))
    status: Code | None = None


class TaobaoStatusChanged(OrderBody):
    """`status` as in contract 4.1; a line's may differ."""

    order_id: OrderId = Field(validation_alias=either("purchaseId"))
    reference: Id = Field("", validation_alias=either("outerPurchaseId"))
    business_time: MaybeUnixMs = None
    status: Code | None = None
    sku_list: tuple[TaobaoSku, ...] = ()


class TaobaoRefundChanged(OrderBody):
    refund_id: GivenId
    order_id: OrderId = Field(validation_alias=either("purchaseId"))
    reference: Id = Field("", validation_alias=either("outerPurchaseId"))
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


class QualityInspection(Reader):
    """Sizes come as numbers or texts, their units unstated."""

    status: str = ""
    weight: str = ""
    length: str = ""
    width: str = ""
    height: str = ""
    failed_remark: str = Field("", validation_alias=either("failed_remark", "failedRemark"))
    images: tuple[str, ...] = ()


class PackageInbound(OrderBody):
    """A parcel reached the warehouse; posted bare, without the envelope, in snake case."""

    order_id: OrderId = Field(validation_alias=either("alibaba_order_id", "alibabaOrderId"))
    reference: Id = Field("", validation_alias=either("out_order_id", "outOrderId"))
    tracking_number: ParcelNumber = Field(
        "", validation_alias=either("logistics_tracking_number", "logisticsTrackingNumber")
    )
    inspection: QualityInspection = Field(
        QualityInspection(), validation_alias=either("quality_inspection_info", "qualityInspectionInfo")
    )


class OtherBody(Reader):
    """A message nobody told us of, or one that is not as told; what it said is in `model_extra`."""


BODIES: dict[Operation, type[OrderBody]] = {
    taobao.PRICE_CALLBACK: TaobaoPriceChanged,
    taobao.STATUS_CALLBACK: TaobaoStatusChanged,
    taobao.REFUND_CALLBACK: TaobaoRefundChanged,
    alibaba.PRICE_CALLBACK: AlibabaOrderChanged,
    alibaba.STATUS_CALLBACK: AlibabaOrderChanged,
    alibaba.REFUND_CALLBACK: AlibabaRefundChanged,
    big_major.PACKAGE_INBOUND_CALLBACK: PackageInbound,
}
