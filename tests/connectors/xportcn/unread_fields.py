"""The contract's names of fields in answers that are not read, by model."""

from __future__ import annotations

UNREAD = {
    "alibaba_after_sale.LogisticsCompany": "companyPhone id",
    "alibaba_after_sale.Reason": "tip",
    "alibaba_after_sale.Refund": (
        "applyReason applyReasonId createTime disputeRequest goodsStatus id operations orderEntryIds "
        "orderId remark updateTime vouchers "
    ),
    "alibaba_order.BaseInfo": (
        "allDeliveredTime modifyTime refundStatus sellerOpenId sumProductPayment "
    ),
    "alibaba_order.LogisticsTrace": "logisticsCompanyName logisticsId orderId",
    "alibaba_order.OrderPage": "currentPage page pageSize totalPage",
    "alibaba_order.Preview": (
        "consignOfferList postFeeByDescOfferList unsupportedCrossBorderPayOfferList "
    ),
    "alibaba_order.PreviewedCargo": "cargoPromotionList finalUnitPrice openOfferId skuId",
    "alibaba_order.PreviewedOrder": "payChannelInfos shopPromotionList tradeModelList",
    "alibaba_order.ProductItem": "name price refundStatus",
    "alibaba_product.Category": "childIDs childIds parentIDs parentIds",
    "alibaba_product.PageOf[SearchHit]": "currentPage pageSize totalPage",
    "alibaba_product.Product": "batchNumber",
    "alibaba_product.SaleInfo": "amountOnSale unitInfo",
    "alibaba_product.SearchHit": "isJxhy monthSold",
    "big_major.CreatedOrder": "orderNo",
    "big_major.Order": "modifyTime orderNo refundStatus sellerOpenId",
    "big_major.OrderItem": "orderEntryId specId title",
    "big_major.PageOf[Order]": "currentPage pageSize totalPage",
    "big_major.PreviewedItem": "finalUnitPrice openOfferId skuId",
    "international.Carrier": "carrierName minDays",
    "international.CreateAnswer": "payUrl",
    "international.LadderStep": "maxQuantity",
    "international.Order": "carrierCode eCompanyId modifyDate",
    "international.OrderItem": "amount title unitPrice",
    "international.ParcelAbroad": "logisticType",
    "international.PayAnswer": "payUrl",
    "international.SearchHit": "minOrderQuantity",
    "poizon.CreateAnswer": "requestId",
    "poizon.CreatedOrder": "customerOrderNo",
    "poizon.Order": "customerOrderNo modifyTime sellerId",
    "poizon.OrderItem": (
        "createTime distSkuId distSubOrderNo modifyTime orderStatus title "
    ),
    "poizon.PageOf[Order]": "currentPage pageSize totalPage",
    "poizon.PageOf[SearchHit]": "currentPage pageSize totalPage",
    "poizon.ParcelAbroad": "logisticType",
    "poizon.PreviewedItem": "minQuantity stock",
    "poizon.Product": "brandName",
    "poizon.SearchHit": "categoryId distSpuId minQuantity",
    "taobao_after_sale.MaxRefundFee": "feeTips",
    "taobao_after_sale.Message": "images",
    "taobao_after_sale.MessagePage": "currentPage pageSize totalPage",
    "taobao_after_sale.Refund": "currency distributorId",
    "taobao_after_sale.RefundOrder": (
        "canEditFee createTime feeTips goodsStatus modifyTime reasonDesc reasonId "
        "refundDesc remainingTime timeoutType "
    ),
    "taobao_after_sale.RefundPage": "currentPage pageSize totalPage",
    "taobao_after_sale.RefundReason": "tips",
    "taobao_after_sale.RefundTemplate": "goodsStatusList refundOrder",
    "taobao_after_sale.RefundedLine": (
        "createTime itemTitle purchaseOrderLineId quantity salesMarket "
        "salesOrderId supplierId "
    ),
    "taobao_after_sale.Rendered": "currency distributorId saleFlag",
    "taobao_after_sale.ReturnLogistics": (
        "buyerPhone receiverAddress returnGoodsDesc sellerAgreeReturnDescribe "
    ),
    "taobao_after_sale.ReturnRendered": (
        "receiverAddress receiverName receiverPhone refundId returnGoodsDesc "
    ),
    "taobao_order.CancelAnswer": "purchaseId",
    "taobao_order.CreateAnswer": "outerPurchaseId paymentUrl",
    "taobao_order.CreatedLine": (
        "estimateCurrency itemId orderLineNo quantity skuId subPurchaseOrderId "
    ),
    "taobao_order.CreatedOrder": "estimateCurrency sourceMarket supplierNick",
    "taobao_order.Logistics": "purchaseOrderOuterId",
    "taobao_order.LogisticsTrace": "action district province",
    "taobao_order.PageOf[PurchaseOrder]": "currentPage pageSize totalPage",
    "taobao_order.PurchaseOrder": (
        "closeReason modifyTime payCurrency receiver supplierNick "
        "warehouseAddress warehouseName "
    ),
    "taobao_order.RenderedLine": "cartId minQuantity stock",
    "taobao_order.RenderedOrder": "currency",
    "taobao_order.SubPurchaseOrder": "purchaseOrderOuterId refundStatus",
    "taobao_order.TracedParcel": "logisticsGoods logisticsPartner receiver",
    "taobao_product.Mapping": "noMpProductItemIds noMpReasonList",
    "taobao_product.PageOf[SearchHit]": "currentPage pageSize totalPage",
    "taobao_product.PageOf[Spu]": "currentPage pageSize totalPage",
    "taobao_product.Product": (
        "categoryPath description itemMapId itemType modifyTime monthSold "
        "productUnit quantity userNick "
    ),
    "taobao_product.SearchHit": "itemMapId monthSold quantity",
    "taobao_product.SkuProperty": "propId valueId",
    "taobao_product.Spu": (
        "beginAmount categoryId categoryName itemMapId modifyTime quantity "
        "skuCount status "
    ),
    "warehouse.BookedParcel": "logisticType",
    "warehouse.InternationalLogisticInfo": "logisticType",
    "warehouse.Rendered": "expireTime",
    "warehouse.UserAddress": "id",
}
