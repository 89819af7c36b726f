"""Requests for 1688's operations."""

from __future__ import annotations

import base64
from typing import Any

from connectors.xportcn.operations import (
    alibaba_after_sale,
    alibaba_batch,
    alibaba_cart,
    alibaba_order,
    alibaba_product,
)
from connectors.xportcn.operations.operation import Operation
from tests.connectors.xportcn.samples.shop import Sample, Shop
from tests.sandbox.buyer import ALIBABA_ADDRESS as ADDRESS

PAGING = {"beginPage": 1, "pageSize": 10}
ARRIVED_DAYS = 6
JPG = base64.b64encode(b"\xff\xd8\xff\xe0 a picture").decode()


def cargo(row: dict[str, Any]) -> dict[str, Any]:
    return {
        "offerId": row["item_id"],
        "specId": row["spec_id"],
        "quantity": row["min_quantity"],
    }


def order_request(shop: Shop) -> dict[str, Any]:
    return {"addressParam": ADDRESS, "cargoParamList": [cargo(shop.row("1688"))]}


def several_sellers(shop: Shop) -> dict[str, Any]:
    sellers = {row["seller_id"]: row for row in shop.rows("1688")}
    lines = [
        cargo(row) | {"sellerOpenId": seller}
        for seller, row in list(sellers.items())[:2]
    ]
    assert len(lines) == 2
    return {"addressParam": ADDRESS, "cargoParamList": lines}


async def unpaid(shop: Shop) -> str:
    answer = await shop.call(
        alibaba_order.CREATE, order_request(shop) | {"message": "R-1"}
    )
    assert answer.success
    order_id: str = answer.order_list[0].order_id
    return order_id


async def paid(shop: Shop, *, days: int = 0) -> Any:
    """A paid order, read some days later."""
    order_id = await unpaid(shop)
    assert (await shop.call(alibaba_order.PAY, {"orderId": order_id}))[
        "protocolPaySuccess"
    ]
    if days:
        shop.sandbox.advance(days)
    return await shop.call(alibaba_order.ORDER_DETAIL, {"orderId": order_id})


async def refund_of(shop: Shop, order: Any, **changes: Any) -> str:
    calls = {
        "orderId": order.base_info.id_text,
        "orderEntryIds": [entry.entry_id for entry in order.product_items],
        "disputeRequest": "refund",
        "applyPayment": order.base_info.total_amount - order.base_info.shipping_fee,
        "applyCarriage": order.base_info.shipping_fee,
        "applyReasonId": "20001",
        "description": "不想要了",
        "goodsStatus": "refundWaitSellerSend",
    }
    refund_id: str = (
        await shop.call(alibaba_after_sale.CREATE, calls | changes)
    ).refund_id
    return refund_id


async def agreed_return(shop: Shop) -> str:
    """A return that the seller agreed to, with a picture."""
    order = await paid(shop, days=ARRIVED_DAYS)
    voucher = await shop.call(alibaba_after_sale.VOUCHER, {"imageData": JPG})
    refund_id = await refund_of(
        shop,
        order,
        disputeRequest="returnRefund",
        applyReasonId="20003",
        applyPayment=1,
        applyCarriage=0,
        goodsStatus="refundBuyerReceived",
        vouchers=[voucher.url],
    )
    shop.sandbox.advance(0.2)
    return refund_id


async def cart_row(shop: Shop) -> str:
    return str(await shop.call(alibaba_cart.ADD, cargo(shop.row("1688"))))


async def category(_: Shop) -> dict[str, Any]:
    return {"categoryId": "0"}


async def product(shop: Shop) -> dict[str, Any]:
    return {"offerId": shop.row("1688")["item_id"]}


async def wangwang_url(shop: Shop) -> dict[str, Any]:
    row = shop.row("1688")
    return {"offerId": row["item_id"], "openUid": row["seller_id"]}


async def search(shop: Shop) -> dict[str, Any]:
    return PAGING | {
        "keyword": shop.row("1688")["title"].split()[0],
        "sort": '{"price":"asc"}',
    }


async def image_search(_: Shop) -> dict[str, Any]:
    return PAGING | {"imageBase64": JPG}


async def shop_search(shop: Shop) -> dict[str, Any]:
    return PAGING | {"sellerOpenId": shop.row("1688")["seller_id"]}


async def preview(shop: Shop) -> dict[str, Any]:
    return order_request(shop)


async def preview_batch(shop: Shop) -> dict[str, Any]:
    return several_sellers(shop)


async def create(shop: Shop) -> dict[str, Any]:
    return order_request(shop) | {"message": "R-1"}


async def create_batch(shop: Shop) -> dict[str, Any]:
    return several_sellers(shop) | {"flow": "general", "message": "R-1 R-2"}


async def cancel(shop: Shop) -> dict[str, Any]:
    order_id = await unpaid(shop)
    shop.sandbox.advance(1 / 24)  # not within ten seconds of its creation
    return {"orderId": order_id, "cancelReason": "不想要了"}


async def order_id(shop: Shop) -> dict[str, Any]:
    return {"orderId": await unpaid(shop)}


async def receive(shop: Shop) -> dict[str, Any]:
    order = await paid(shop, days=ARRIVED_DAYS)
    entries = [entry.entry_id for entry in order.product_items]
    return {"orderId": order.base_info.id_text, "orderEntryIds": entries}


async def pay_batch(shop: Shop) -> dict[str, Any]:
    return {"orderIds": [await unpaid(shop), await unpaid(shop)]}


async def order_logistics(shop: Shop) -> dict[str, Any]:
    return {"orderId": (await paid(shop, days=ARRIVED_DAYS)).base_info.id_text}


async def order_page(shop: Shop) -> dict[str, Any]:
    await unpaid(shop)
    return {"page": 1, "pageSize": 10}


async def refund_reasons(shop: Shop) -> dict[str, Any]:
    return {
        "orderId": (await paid(shop)).base_info.id_text,
        "goodsStatus": "refundWaitSellerSend",
    }


async def refund_voucher(_: Shop) -> dict[str, Any]:
    return {"imageData": JPG}


async def refund_create(shop: Shop) -> dict[str, Any]:
    order = await paid(shop)
    return {
        "orderId": order.base_info.id_text,
        "disputeRequest": "refund",
        "applyPayment": order.base_info.total_amount - order.base_info.shipping_fee,
        "applyCarriage": order.base_info.shipping_fee,
        "applyReasonId": "20001",
        "description": "不想要了",
        "goodsStatus": "refundWaitSellerSend",
    }


async def return_submit(shop: Shop) -> dict[str, Any]:
    return {
        "refundId": await agreed_return(shop),
        "logisticsCompanyNo": "SF",
        "freightBill": "SF1",
    }


async def nothing(_: Shop) -> dict[str, Any]:
    return {}


async def refund(shop: Shop) -> dict[str, Any]:
    return {"refundId": await refund_of(shop, await paid(shop))}


async def cart(shop: Shop) -> dict[str, Any]:
    await cart_row(shop)
    return {}


async def cart_add(shop: Shop) -> dict[str, Any]:
    return cargo(shop.row("1688"))


async def cart_delete(shop: Shop) -> dict[str, Any]:
    return {"cartIds": [await cart_row(shop)]}


async def cart_edit(shop: Shop) -> dict[str, Any]:
    return {"id": await cart_row(shop), "quantity": 2}


async def cart_preview(shop: Shop) -> dict[str, Any]:
    return {"addressParam": ADDRESS, "cartIds": [await cart_row(shop)]}


async def cart_create(shop: Shop) -> dict[str, Any]:
    rows = {"cartIds": [int(await cart_row(shop))]}
    return {"addressParam": ADDRESS, "flow": "general", "message": "R-1", **rows}


SAMPLES: dict[Operation, Sample] = {
    alibaba_product.CATEGORY: category,
    alibaba_product.DETAIL: product,
    alibaba_product.WANGWANG_URL: wangwang_url,
    alibaba_product.SEARCH: search,
    alibaba_product.IMAGE_SEARCH: image_search,
    alibaba_product.SHOP_SEARCH: shop_search,
    alibaba_order.PREVIEW: preview,
    alibaba_batch.PREVIEW: preview_batch,
    alibaba_order.CREATE: create,
    alibaba_batch.CREATE: create_batch,
    alibaba_order.CANCEL: cancel,
    alibaba_order.PAY: order_id,
    alibaba_order.RECEIVE: receive,
    alibaba_batch.PAY: pay_batch,
    alibaba_order.LOGISTICS: order_logistics,
    alibaba_order.ORDER_PAGE: order_page,
    alibaba_order.ORDER_DETAIL: order_id,
    alibaba_after_sale.REASONS: refund_reasons,
    alibaba_after_sale.VOUCHER: refund_voucher,
    alibaba_after_sale.CREATE: refund_create,
    alibaba_after_sale.RETURN: return_submit,
    alibaba_after_sale.COMPANIES: nothing,
    alibaba_after_sale.REFUND: refund,
    alibaba_cart.LIST: cart,
    alibaba_cart.ADD: cart_add,
    alibaba_cart.DELETE: cart_delete,
    alibaba_cart.EDIT: cart_edit,
    alibaba_cart.PREVIEW: cart_preview,
    alibaba_cart.CREATE: cart_create,
}
