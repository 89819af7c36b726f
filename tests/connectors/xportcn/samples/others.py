"""Requests for the operations of InternationalAlibaba, bigMajor and Poizon."""

from __future__ import annotations

from typing import Any

from connectors.xportcn.operations import big_major, international, poizon
from connectors.xportcn.operations.operation import Operation
from tests.connectors.xportcn.samples.alibaba import ARRIVED_DAYS, cargo
from tests.connectors.xportcn.samples.alibaba import PAGING as BEGIN_PAGING
from tests.connectors.xportcn.samples.shop import PAGING, Sample, Shop
from tests.sandbox.buyer import ALIBABA_ADDRESS as ADDRESS

SHIPMENT_ADDRESS = {
    "zip": "518103",
    "country": "China",
    "countryCode": "CN",
    "province": "广东省",
    "city": "深圳市",
    "address": "福永街道和平路1号A栋",
    "contactPerson": "华南集运仓",
    "telephone": {"country": "86", "number": "13800000001"},
}
SHIPPING_ADDRESS = {
    "name": "华南集运仓",
    "phone": "13800000001",
    "province": "广东省",
    "city": "深圳市",
    "district": "宝安区",
    "detailAddress": "福永街道和平路1号A栋",
}


def words(shop: Shop, marketplace: str) -> str:
    first: str = shop.row(marketplace)["title"].split()[0]
    return first


async def product_list(shop: Shop) -> dict[str, Any]:
    return {"index": 0, "size": 10, "keyword": words(shop, "international")}


async def international_product(shop: Shop) -> dict[str, Any]:
    return {"productId": shop.row("international")["item_id"], "country": "CN"}


async def freight(shop: Shop) -> dict[str, Any]:
    row = shop.row("international")
    line = {
        "productId": row["item_id"],
        "skuId": row["sku_id"],
        "quantity": row["min_quantity"],
    }
    return {
        "productList": [line],
        "shipmentAddress": SHIPMENT_ADDRESS,
        "dispatchLocation": "CN",
    }


async def international_create(shop: Shop) -> dict[str, Any]:
    calls = await freight(shop)
    carrier = (await shop.call(international.FREIGHT, calls)).carriers[0]
    detail = {
        "shipmentAddress": SHIPMENT_ADDRESS,
        "dispatchLocation": "CN",
        "carrierCode": carrier.carrier_code,
    }
    return {
        "channelReferId": "R-1",
        "productList": calls["productList"],
        "logisticsDetail": detail,
    }


async def international_pay(shop: Shop) -> dict[str, Any]:
    created = await shop.call(international.CREATE, await international_create(shop))
    return {"orderIdList": [created.order_list[0].trade_id]}


async def international_orders(shop: Shop) -> dict[str, Any]:
    await shop.call(international.PAY, await international_pay(shop))
    shop.sandbox.advance(ARRIVED_DAYS)
    return {"startPage": 1, "pageSize": 10, "channelReferIds": ["R-1"]}


async def ka_search(shop: Shop) -> dict[str, Any]:
    return BEGIN_PAGING | {"keyword": words(shop, "big_major")}


async def ka_product(shop: Shop) -> dict[str, Any]:
    return {"offerId": shop.row("big_major")["item_id"]}


async def ka_preview(shop: Shop) -> dict[str, Any]:
    return {"addressParam": ADDRESS, "cargoParamList": [cargo(shop.row("big_major"))]}


async def ka_create(shop: Shop) -> dict[str, Any]:
    calls = await ka_preview(shop)
    await shop.call(big_major.PREVIEW, calls)
    return calls | {"message": "R-1"}


async def ka_order(shop: Shop) -> dict[str, Any]:
    created = await shop.call(big_major.CREATE, await ka_create(shop))
    return {"orderId": created.order_list[0].order_id}


async def ka_arrived(shop: Shop) -> dict[str, Any]:
    calls = await ka_order(shop)
    assert (await shop.call(big_major.PAY, calls)).pay_success
    shop.sandbox.advance(ARRIVED_DAYS)
    return calls


async def ka_orders(shop: Shop) -> dict[str, Any]:
    await ka_arrived(shop)
    return PAGING


async def poizon_search(shop: Shop) -> dict[str, Any]:
    return PAGING | {"keyword": words(shop, "poizon")}


async def poizon_product(shop: Shop) -> dict[str, Any]:
    return {"dwSpuId": shop.row("poizon")["item_id"]}


async def poizon_preview(shop: Shop) -> dict[str, Any]:
    row = shop.row("poizon")
    product = await shop.call(poizon.DETAIL, {"dwSpuId": row["item_id"]})
    sku = next(sku for sku in product.skus if sku.dw_sku_id == row["sku_id"])
    line = {
        "dwSpuId": product.dw_spu_id,
        "dwSkuId": sku.dw_sku_id,
        "distSpuId": product.dist_spu_id,
        "distSkuId": sku.dist_sku_id,
        "quantity": row["min_quantity"],
    }
    return {"shippingAddress": SHIPPING_ADDRESS, "productList": [line]}


async def poizon_create(shop: Shop) -> dict[str, Any]:
    calls = await poizon_preview(shop)
    price = shop.row("poizon")["price_fen"]
    lines = [line | {"price": price} for line in calls["productList"]]
    return {
        "requestId": "R-1",
        "shippingAddress": SHIPPING_ADDRESS,
        "productList": lines,
    }


async def poizon_order(shop: Shop) -> dict[str, Any]:
    created = await shop.call(poizon.CREATE, await poizon_create(shop))
    return {"distOrderNo": created.order_list[0].dist_order_no}


async def poizon_orders(shop: Shop) -> dict[str, Any]:
    assert (await shop.call(poizon.PAY, await poizon_order(shop))).success
    shop.sandbox.advance(ARRIVED_DAYS)
    return PAGING | {"requestIds": ["R-1"]}


SAMPLES: dict[Operation, Sample] = {
    international.DETAIL: international_product,
    international.SEARCH: product_list,
    international.ORDER_LIST: international_orders,
    international.CREATE: international_create,
    international.FREIGHT: freight,
    international.PAY: international_pay,
    big_major.SEARCH: ka_search,
    big_major.DETAIL: ka_product,
    big_major.PREVIEW: ka_preview,
    big_major.CREATE: ka_create,
    big_major.PAY: ka_order,
    big_major.ORDER_PAGE: ka_orders,
    big_major.ORDER_DETAIL: ka_arrived,
    big_major.LOGISTICS: ka_arrived,
    poizon.SEARCH: poizon_search,
    poizon.DETAIL: poizon_product,
    poizon.PREVIEW: poizon_preview,
    poizon.CREATE: poizon_create,
    poizon.PAY: poizon_order,
    poizon.ORDER_LIST: poizon_orders,
}
