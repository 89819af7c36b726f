"""Requests for Taobao's operations."""

from __future__ import annotations

from typing import Any

from connectors.xportcn.operations import (
    taobao_after_sale,
    taobao_cart,
    taobao_order,
    taobao_product,
)
from connectors.xportcn.operations.operation import Operation
from tests.connectors.xportcn.samples.shop import PAGING, Sample, Shop
from tests.sandbox.buyer import WAREHOUSE

RECEIVER = {
    "country": "US",
    "state": "California",
    "city": "Oakland",
    "district": "",
    "address": "1 Main St",
    "zip": "94601",
    "name": "Jo Doe",
    "phone": "5551234567",
    "mobilePhone": "5551234567",
}
CART_ADDRESS = {
    ("mobile_phone" if name == "mobilePhone" else name): value
    for name, value in WAREHOUSE.items()
}
ARRIVED_DAYS = 6


async def item(shop: Shop) -> Any:
    return await shop.call(
        taobao_product.PRODUCT, {"itemId": shop.row("taobao")["item_id"]}
    )


def sku_of(product: Any) -> Any:
    return next(
        sku
        for sku in product.sku_list
        if sku.quantity >= product.begin_amount and sku.status == "active"
    )


async def render_item(shop: Shop) -> dict[str, Any]:
    product = await item(shop)
    return {
        "itemId": product.mp_id,
        "skuId": sku_of(product).mp_sku_id,
        "quantity": product.begin_amount,
    }


async def create(shop: Shop) -> dict[str, Any]:
    line = await render_item(shop)
    line |= {"orderLineNo": "1", "price": 100, "currency": "CNY", "title": "t"}
    return {
        "outerPurchaseId": shop.reference(),
        "purchaseAmount": 100_000_000,
        "orderLineList": [line],
        "receiver": RECEIVER,
        "warehouseAddressInfo": WAREHOUSE,
    }


async def unpaid(shop: Shop) -> str:
    answer = await shop.call(taobao_order.CREATE, await create(shop))
    assert answer.success
    purchase_id: str = answer.order_list[0].purchase_id
    return purchase_id


async def paid(shop: Shop, *, days: int = 0) -> Any:
    """A paid order, read some days later."""
    purchase_id = await unpaid(shop)
    assert (
        await shop.call(taobao_order.PAY, {"purchaseOrderIdList": [purchase_id]})
    ).will_pay_purchase_order_ids
    if days:
        shop.sandbox.advance(days)
    return await shop.call(taobao_order.ORDER_DETAIL, {"purchaseOrderId": purchase_id})


async def refund(
    shop: Shop,
    *,
    days: int = 0,
    refund_type: int = 1,
    goods_status: int = 1,
    fee: int = 0,
) -> str:
    """An open refund of a paid order."""
    order = await paid(shop, days=days)
    sub_order = order.sub_purchase_orders[0]
    calls = {
        "subOrderId": sub_order.sub_purchase_order_id,
        "refundType": refund_type,
        "goodsStatus": goods_status,
    }
    rendered = await shop.call(taobao_after_sale.RENDER, calls)
    reason = rendered.refund_order_template.refund_reasons[0].reason_id
    calls |= {
        "reasonId": reason,
        "refundFee": fee or sub_order.purchase_amount.minor,
        "refundDesc": "请退款",
    }
    answer = await shop.call(taobao_after_sale.SUBMIT, calls)
    assert answer.success, answer
    refund_id: str = answer.refund_id
    return refund_id


async def agreed_return(shop: Shop) -> str:
    """A return that the seller agreed to."""
    refund_id = await refund(
        shop, days=ARRIVED_DAYS, refund_type=2, goods_status=4, fee=1
    )
    shop.sandbox.advance(0.2)
    return refund_id


async def cart_row(shop: Shop) -> str:
    return str(await shop.call(taobao_cart.ADD, await cart_add(shop)))


async def paging(_: Shop) -> dict[str, Any]:
    return PAGING


async def spu(shop: Shop) -> dict[str, Any]:
    return {"mpId": (await item(shop)).mp_id}


async def map_id(shop: Shop) -> dict[str, Any]:
    page = await shop.call(taobao_product.SPU_PAGE, PAGING)
    return {"itemMapId": page.data[0].model_extra["itemMapId"]}


async def search(shop: Shop) -> dict[str, Any]:
    return PAGING | {"keyword": shop.row("taobao")["title"].split()[0]}


async def image_search(shop: Shop) -> dict[str, Any]:
    return PAGING | {
        "imageUrl": f"http://example.com/{shop.row('taobao')['item_id']}.jpg"
    }


async def mapping(shop: Shop) -> dict[str, Any]:
    row = shop.row("taobao")
    return {"params": [{"itemId": row["item_id"], "skuIds": [row["sku_id"]]}]}


async def product(shop: Shop) -> dict[str, Any]:
    return {"itemId": shop.row("taobao")["item_id"]}


async def inquiry(shop: Shop) -> dict[str, Any]:
    return {
        "url": f"https://item.taobao.com/item.htm?id={shop.row('taobao')['item_id']}"
    }


async def one_order(shop: Shop) -> dict[str, Any]:
    await unpaid(shop)
    return PAGING


async def cancel(shop: Shop) -> dict[str, Any]:
    return {"purchaseId": await unpaid(shop), "cancelReason": "不想要了"}


async def pay(shop: Shop) -> dict[str, Any]:
    return {"purchaseOrderIdList": [await unpaid(shop)]}


async def render(shop: Shop) -> dict[str, Any]:
    return {
        "receiver": RECEIVER,
        "warehouseAddress": WAREHOUSE,
        "renderItemList": [await render_item(shop)],
    }


async def render_v2(shop: Shop) -> dict[str, Any]:
    return {"receiver": RECEIVER, "renderItemList": [await render_item(shop)]}


async def create_v1(shop: Shop) -> dict[str, Any]:
    return await create(shop) | {"supportPartialSuccess": True}


async def voucher(shop: Shop) -> dict[str, Any]:
    purchase_id = await unpaid(shop)
    order = await shop.call(taobao_order.ORDER_DETAIL, {"purchaseOrderId": purchase_id})
    return {
        "orderId": purchase_id,
        "voucherUrls": ["http://example.com/v.jpg"],
        "amount": order.purchase_amount.minor,
    }


async def order_id(shop: Shop) -> dict[str, Any]:
    return {"orderId": await unpaid(shop)}


async def update_warehouse(shop: Shop) -> dict[str, Any]:
    return {
        "orderId": await unpaid(shop),
        "warehouseName": "一号仓库",
        "warehouseAddress": "广西省",
    }


async def im_link(shop: Shop) -> dict[str, Any]:
    return {
        "pageParamMap": {"sourceType": "item", "bizId": shop.row("taobao")["item_id"]}
    }


async def order_detail(shop: Shop) -> dict[str, Any]:
    return {"purchaseOrderId": await unpaid(shop)}


async def order_logistics(shop: Shop) -> dict[str, Any]:
    order = await paid(shop, days=ARRIVED_DAYS)
    return {"subPurchaseOrderId": order.sub_purchase_orders[0].sub_purchase_order_id}


async def refund_page(shop: Shop) -> dict[str, Any]:
    await refund(shop)
    return PAGING


async def refund_render(shop: Shop) -> dict[str, Any]:
    order = await paid(shop)
    return {
        "subOrderId": order.sub_purchase_orders[0].sub_purchase_order_id,
        "refundType": 1,
        "goodsStatus": 1,
    }


async def refund_submit(shop: Shop) -> dict[str, Any]:
    order = await paid(shop)
    sub_order = order.sub_purchase_orders[0]
    return {
        "subOrderId": sub_order.sub_purchase_order_id,
        "refundType": 1,
        "goodsStatus": 1,
        "reasonId": "101",
        "refundFee": sub_order.purchase_amount,
        "refundImages": ["http://example.com/1.jpg", "http://example.com/2.jpg"],
    }


async def refund_modify(shop: Shop) -> dict[str, Any]:
    order = await paid(shop, days=ARRIVED_DAYS)
    calls = {
        "subOrderId": order.sub_purchase_orders[0].sub_purchase_order_id,
        "refundType": 1,
        "goodsStatus": 4,
        "reasonId": "202",
        "refundFee": 2,
    }
    answer = await shop.call(taobao_after_sale.SUBMIT, calls)
    return {
        "refundId": answer.refund_id,
        "reasonId": "203",
        "refundFee": 1,
        "refundDesc": "少一件",
    }


async def one_refund(shop: Shop) -> dict[str, Any]:
    return {"refundId": await refund(shop)}


async def return_render(shop: Shop) -> dict[str, Any]:
    return {"refundId": await agreed_return(shop)}


async def return_submit(shop: Shop) -> dict[str, Any]:
    return {
        "refundId": await agreed_return(shop),
        "logisticsCompanyCode": "SF",
        "mailNo": "SF1",
    }


async def refund_message(shop: Shop) -> dict[str, Any]:
    return {"refundId": await refund(shop), "refundMessage": "你好"}


async def refund_messages(shop: Shop) -> dict[str, Any]:
    calls = await refund_message(shop)
    await shop.call(taobao_after_sale.MESSAGE, calls)
    return PAGING | {"refundId": calls["refundId"]}


async def cart(shop: Shop) -> dict[str, Any]:
    await cart_row(shop)
    return {}


async def cart_add(shop: Shop) -> dict[str, Any]:
    findings = await item(shop)
    sku = sku_of(findings)
    return {
        "itemId": findings.item_id,
        "skuId": sku.sku_id,
        "mpId": findings.mp_id,
        "mpSkuId": sku.mp_sku_id,
        "itemTitle": findings.title,
        "itemPic": "http://example.com/1.jpg",
        "price": sku.price,
        "quantity": findings.begin_amount,
        "shopId": findings.shop_id,
        "shopName": findings.shop_name,
    }


async def cart_delete(shop: Shop) -> dict[str, Any]:
    return {"ids": [await cart_row(shop)]}


async def cart_edit(shop: Shop) -> dict[str, Any]:
    return {"id": await cart_row(shop), "quantity": 2}


async def cart_order(shop: Shop) -> dict[str, Any]:
    return {"ids": [await cart_row(shop)], "orderAddress": CART_ADDRESS}


SAMPLES: dict[Operation, Sample] = {
    taobao_product.HOT: paging,
    taobao_product.SPU_PAGE: paging,
    taobao_product.SPU: spu,
    taobao_product.PRODUCT_V2: map_id,
    taobao_product.SEARCH: search,
    taobao_product.IMAGE_SEARCH: image_search,
    taobao_product.ID_MAPPING: mapping,
    taobao_product.PRODUCT: product,
    taobao_product.INQUIRY: inquiry,
    taobao_order.ORDER_PAGE: one_order,
    taobao_order.CANCEL: cancel,
    taobao_order.PAY: pay,
    taobao_order.RENDER: render,
    taobao_order.CREATE: create,
    taobao_order.RENDER_V2: render_v2,
    taobao_order.CREATE_V1: create_v1,
    taobao_order.ORDER_LIST: one_order,
    taobao_order.PAYMENT_VOUCHER: voucher,
    taobao_order.CANCEL_AT_ONCE: order_id,
    taobao_order.UPDATE_WAREHOUSE: update_warehouse,
    taobao_order.PAY_ONE: order_id,
    taobao_order.IM_LINK: im_link,
    taobao_order.ORDER_DETAIL: order_detail,
    taobao_order.LOGISTICS: order_logistics,
    taobao_after_sale.PAGE: refund_page,
    taobao_after_sale.RENDER: refund_render,
    taobao_after_sale.RETURN_RENDER: return_render,
    taobao_after_sale.RETURN_SUBMIT: return_submit,
    taobao_after_sale.CANCEL: one_refund,
    taobao_after_sale.MESSAGE: refund_message,
    taobao_after_sale.SUBMIT: refund_submit,
    taobao_after_sale.MESSAGES: refund_messages,
    taobao_after_sale.MODIFY: refund_modify,
    taobao_after_sale.REFUND: one_refund,
    taobao_cart.LIST: cart,
    taobao_cart.ADD: cart_add,
    taobao_cart.DELETE: cart_delete,
    taobao_cart.EDIT: cart_edit,
    taobao_cart.PREVIEW: cart_order,
    taobao_cart.CREATE: cart_order,
}
