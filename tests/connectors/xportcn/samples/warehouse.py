"""Requests for basics and warehouse logistics."""

from __future__ import annotations

from typing import Any

from connectors.xportcn.operations import warehouse
from connectors.xportcn.operations.operation import Operation
from tests.connectors.xportcn.samples.shop import Sample, Shop
from tests.connectors.xportcn.samples.taobao import paid

ABROAD = {
    "country": "US",
    "state": "California",
    "city": "Oakland",
    "zip": "94601",
    "address": "1 Main St",
}
PERSON = {
    "name": "Jo Doe",
    "phone": "5551234567",
    "mobilePhone": "5551234567",
    "email": "jo@example.com",
}


async def nothing(_: Shop) -> dict[str, Any]:
    return {}


async def address(_: Shop) -> dict[str, Any]:
    return {
        "name": "二号仓",
        "province": "广东省",
        "city": "深圳市",
        "district": "宝安区",
        "address": "1 路",
        "phone": "13800000002",
    }


async def freight_estimate(shop: Shop) -> dict[str, Any]:
    row = shop.row("taobao")
    return {
        "country": "US",
        "zip": "94601",
        "renderItems": [
            {"itemId": row["item_id"], "skuId": row["sku_id"], "quantity": 1}
        ],
    }


async def freight_render(shop: Shop) -> dict[str, Any]:
    row = shop.row("taobao")
    line = {
        "itemId": row["item_id"],
        "skuId": row["sku_id"],
        "quantity": 1,
        "price": 100,
        "currency": "CNY",
    }
    return {"receiverAddress": ABROAD | PERSON | {"taxId": ""}, "renderItems": [line]}


async def freight_book(shop: Shop) -> dict[str, Any]:
    order = await paid(shop)
    sub_order = order.sub_purchase_orders[0]
    line = {
        "itemId": sub_order.item_id,
        "skuId": sub_order.sku_id,
        "quantity": sub_order.quantity,
    }
    priced = line | {"price": 100, "currency": "CNY"}
    address = ABROAD | PERSON
    rendered = await shop.call(
        warehouse.RENDER,
        {"receiverAddress": address | {"taxId": ""}, "renderItems": [priced]},
    )
    service = rendered.services[0]
    freight = {
        "serviceId": service.service_id,
        "companyName": service.company_name,
        "serviceCategory": service.service_category,
    }
    return {
        "renderId": rendered.render_id,
        "tmallOrderInfo": {"tmallOrderId": order.purchase_id},
        "receiverAddress": address,
        "lineItems": [line | {"title": "t", "imageUrl": "u", "freightInfo": freight}],
    }


async def freight_update(shop: Shop) -> dict[str, Any]:
    calls = await freight_book(shop)
    booking = await shop.call(warehouse.BOOK, calls)
    (line,) = calls["lineItems"]
    update = {
        "lineItem": {
            name: line[name]
            for name in ("itemId", "skuId", "quantity", "title", "imageUrl")
        },
        "logisticNumer": booking.sub_orders[0].parcel.logistic_number,
        "domesticLogisticInfo": [
            {
                "logisticNumer": "SF1",
                "logisticCompanyName": "顺丰",
                "rtsTime": "1754342534",
            }
        ],
    }
    order = calls["tmallOrderInfo"]["tmallOrderId"]
    return {
        "orderId": booking.order_id,
        "tmallOrderId": order,
        "logisticInfos": [update],
    }


SAMPLES: dict[Operation, Sample] = {
    warehouse.ADDRESSES: nothing,
    warehouse.ADDRESS_UPSERT: address,
    warehouse.ESTIMATE: freight_estimate,
    warehouse.RENDER: freight_render,
    warehouse.BOOK: freight_book,
    warehouse.UPDATE: freight_update,
}
