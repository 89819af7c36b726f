"""Fields of the contract that are known and neither read nor sent: an answer that has one differs in nothing."""

from __future__ import annotations

from functools import cache

from pydantic import BaseModel

from connectors.xportcn.models import Page
from connectors.xportcn.operations import (
    alibaba_after_sale,
    alibaba_cart,
    alibaba_order,
    alibaba_product,
    big_major,
    international,
    poizon,
    taobao_after_sale,
    taobao_cart,
    taobao_order,
    taobao_product,
    warehouse,
)

# By model, in the contract's names; a subclass has those of its bases.
PASSED_OVER: dict[type[BaseModel], str] = {
    Page: "totalPage pageSize currentPage",
    alibaba_after_sale.LogisticsCompany: "id companyPhone",
    alibaba_after_sale.Reason: "tip",
    alibaba_after_sale.Refund: (
        "id orderId orderEntryIds disputeRequest goodsStatus applyReason remark vouchers createTime updateTime"
    ),
    alibaba_cart.CartRow: "offerMapId itemPic properties",
    alibaba_cart.CreateRequest: "shopPromotionId",
    alibaba_order.AddressParam: "districtCode",
    alibaba_order.BaseInfo: "sumProductPayment refundStatus allDeliveredTime modifyTime",
    alibaba_order.CreateRequest: "shopPromotionId",
    alibaba_order.LogisticsTrace: "logisticsId orderId logisticsCompanyName",
    alibaba_order.OrderPage: "page pageSize",
    alibaba_order.OrderPageRequest: "createEndTime modifyStartTime modifyEndTime",
    alibaba_order.Preview: "postFeeByDescOfferList consignOfferList unsupportedCrossBorderPayOfferList",
    alibaba_order.PreviewedCargo: "finalUnitPrice openOfferId cargoPromotionList",
    alibaba_order.PreviewedOrder: "shopPromotionList tradeModelList payChannelInfos",
    alibaba_order.ProductItem: "refundStatus price",
    alibaba_product.Category: "parentIDs parentIds childIDs childIds",
    alibaba_product.DetailRequest: "outMemberId",
    alibaba_product.ImageSearchRequest: "filter outMemberId region",
    alibaba_product.Product: "batchNumber",
    alibaba_product.SaleInfo: "unitInfo",
    alibaba_product.SearchHit: "monthSold isJxhy",
    alibaba_product.SearchRequest: "filter outMemberId",
    big_major.CreatedOrder: "orderNo",
    big_major.Order: "orderNo refundStatus modifyTime sellerOpenId",
    big_major.OrderItem: "orderEntryId specId title",
    big_major.OrderPageRequest: "createTimeEnd modifyTimeStart modifyTimeEnd",
    big_major.PreviewedItem: "openOfferId finalUnitPrice",
    international.Carrier: "carrierName minDays",
    international.CreateAnswer: "payUrl",
    international.CreateRequest: "remark",
    international.CreatedOrder: "productAmount freightAmount",
    international.LadderStep: "maxQuantity",
    international.Order: "productAmount freightAmount modifyDate eCompanyId carrierCode",
    international.OrderItem: "title unitPrice amount",
    international.OrderListRequest: "createDateEnd modifyDateStart modifyDateEnd",
    international.PayAnswer: "payUrl",
    international.ShipmentAddress: "alternateAddress provinceCode cityCode",
    international.Telephone: "area",
    poizon.CreateAnswer: "requestId",
    poizon.CreateRequest: "remark",
    poizon.CreatedOrder: "customerOrderNo",
    poizon.Order: "customerOrderNo sellerId modifyTime",
    poizon.OrderItem: "distSubOrderNo orderStatus distSkuId title createTime modifyTime",
    poizon.OrderListRequest: "createTimeEnd",
    poizon.PreviewedItem: "stock minQuantity",
    poizon.Product: "brandName",
    poizon.SearchHit: "distSpuId categoryId minQuantity",
    taobao_after_sale.CancelAnswer: "currency distributorId refundOrderAggregate",
    taobao_after_sale.MaxRefundFee: "feeTips",
    taobao_after_sale.Message: "images",
    taobao_after_sale.Refund: "distributorId currency",
    taobao_after_sale.RefundOrder: (
        "goodsStatus reasonDesc refundDesc canEditFee feeTips timeoutType remainingTime createTime modifyTime"
    ),
    taobao_after_sale.RefundPageRequest: "salesOrderId refundEndTime",
    taobao_after_sale.RefundReason: "tips",
    taobao_after_sale.RefundTemplate: "goodsStatusList refundOrder",
    taobao_after_sale.RefundedLine: (
        "salesOrderId purchaseOrderLineId supplierId itemTitle quantity salesMarket createTime"
    ),
    taobao_after_sale.Rendered: "distributorId currency saleFlag",
    taobao_after_sale.ReturnLogistics: "receiverAddress returnGoodsDesc buyerPhone sellerAgreeReturnDescribe",
    taobao_after_sale.ReturnRendered: "refundId receiverName receiverPhone receiverAddress returnGoodsDesc",
    taobao_after_sale.ReturnRequest: "buyerPhone",
    taobao_cart.AddRequest: "promotionPrice userNick properties platform",
    taobao_cart.CartRow: "mpId mpSkuId itemPic properties",
    taobao_order.CancelAnswer: "purchaseId",
    taobao_order.CancelRequest: "cancelRemark",
    taobao_order.CreateAnswer: "outerPurchaseId paymentUrl",
    taobao_order.CreateLine: "orderRemark",
    taobao_order.CreateRequest: "orderRemark",
    taobao_order.CreatedLine: "itemId skuId orderLineNo quantity estimateCurrency subPurchaseOrderId",
    taobao_order.CreatedOrder: "supplierNick estimateCurrency sourceMarket",
    taobao_order.Logistics: "purchaseOrderOuterId",
    taobao_order.OrderPageRequest: "createTimeEnd modifyTimeStart modifyTimeEnd sortField sortType",
    taobao_order.PurchaseOrder: "payCurrency modifyTime closeReason warehouseName receiver",
    taobao_order.RenderV2Request: "warehouseId",
    taobao_order.RenderedLine: "cartId",
    taobao_order.SubPurchaseOrder: "purchaseOrderOuterId",
    taobao_order.TracedParcel: "receiver logisticsGoods logisticsPartner",
    taobao_product.Mapping: "noMpProductItemIds noMpReasonList",
    taobao_product.PriceRange: "startQuantity",
    taobao_product.Product: "itemMapId monthSold modifyTime",
    taobao_product.ProductFacts: "productUnit userNick categoryPath itemType",
    taobao_product.SearchHit: "itemMapId monthSold",
    taobao_product.SkuProperty: "propId valueId",
    taobao_product.Spu: "itemMapId skuCount modifyTime",
    warehouse.InternationalLogisticInfo: "logisticType",
    warehouse.Rendered: "expireTime",
}


@cache
def passed_over(model: type[BaseModel]) -> frozenset[str]:
    """The contract's names of what an object may have besides the model's fields."""
    return frozenset(name for base in model.__mro__ for name in PASSED_OVER.get(base, "").split())
