"""Orders as a caller of the service would make them, for tests that need one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import orjson

from tests.sandbox.client import Answer, Caller

RECEIVER = {
    "country": "US",
    "state": "California",
    "city": "VALLEY VLG",
    "district": "",
    "address": "5818 WHITSETT AVE 401",
    "zip": "91607",
    "name": "Ofir",
    "phone": "5083326888",
    "mobilePhone": "5083326888",
}
WAREHOUSE = {
    "country": "CN",
    "state": "广东省",
    "city": "深圳市",
    "district": "宝安区",
    "address": "福永街道和平路1号A栋",
    "zip": "518103",
    "name": "华南集运仓",
    "phone": "13800000001",
    "mobilePhone": "13800000001",
}
ALIBABA_ADDRESS = {
    "fullName": "华南集运仓",
    "mobile": "13800000001",
    "phone": "",
    "postCode": "518103",
    "provinceText": "广东省",
    "cityText": "深圳市",
    "areaText": "宝安区",
    "townText": "",
    "address": "福永街道和平路1号A栋",
}


@dataclass
class Buyer:
    caller: Caller

    async def taobao_line(
        self, row: dict[str, Any], quantity: int | None = None
    ) -> dict[str, Any]:
        """A render line for a catalogue row; create takes it with more fields."""
        product = (
            await self.caller.get("/open/product/get", itemId=row["item_id"])
        ).data
        sku = next(sku for sku in product["skuList"] if sku["skuId"] == row["sku_id"])
        return {
            "itemId": product["mpId"],
            "skuId": sku["mpSkuId"],
            "quantity": quantity or row["min_quantity"],
        }

    async def taobao_create_body(
        self,
        *rows: dict[str, Any],
        reference: str = "R-1",
        quantity: int | None = None,
        amount: int = 1_000_000,
    ) -> dict[str, Any]:
        lines = [
            {
                **await self.taobao_line(row, quantity),
                "orderLineNo": str(number),
                "price": row["price_fen"],
                "currency": "CNY",
                "title": row["title"],
            }
            for number, row in enumerate(rows, 1)
        ]
        return {
            "outerPurchaseId": reference,
            "purchaseAmount": amount,
            "orderLineList": orjson.dumps(lines).decode(),
            "receiver": RECEIVER,
            "warehouseAddressInfo": WAREHOUSE,
            "channelOrderType": "PANAMA",
            "supportPartialSuccess": False,
        }

    async def create_taobao(self, *rows: dict[str, Any], reference: str = "R-1") -> str:
        """Order the rows (of one seller) at their minimum quantity; answers the
        purchaseId.
        """
        body = await self.taobao_create_body(*rows, reference=reference)
        created = (await self.caller.post("/open/purchase/create/v2", body)).data
        assert created["success"], created
        return str(created["orderList"][0]["purchaseId"])

    async def pay_taobao(self, *order_ids: str) -> Any:
        return (
            await self.caller.post(
                "/open/purchase/pay", {"purchaseOrderIdList": list(order_ids)}
            )
        ).data

    def cargo(
        self, *rows: dict[str, Any], quantity: int | None = None
    ) -> dict[str, Any]:
        """The common part of 1688's preview and create."""
        cargo = [
            {
                "offerId": int(row["item_id"]),
                "specId": row["spec_id"],
                "quantity": quantity or row["min_quantity"],
            }
            for row in rows
        ]
        return {"addressParam": ALIBABA_ADDRESS, "cargoParamList": cargo}

    async def create_1688(self, *rows: dict[str, Any], reference: str = "R-1") -> str:
        body = {**self.cargo(*rows), "flow": "general", "message": reference}
        created = (await self.caller.post("/alibaba/order/create", body)).data
        assert created["success"], created
        return str(created["orderId"])

    async def pay_1688(self, order_id: str) -> Answer:
        return await self.caller.get("/alibaba/order/pay/url", orderId=order_id)

    async def render_freight(self, *rows: dict[str, Any], country: str = "US") -> Any:
        items = [
            {
                "itemId": row["item_id"],
                "skuId": row["sku_id"],
                "quantity": row["min_quantity"],
            }
            for row in rows
        ]
        body = {
            "receiverAddress": {**RECEIVER, "country": country},
            "renderItems": items,
        }
        return (
            await self.caller.post("/open/pp/logistics/orderRenderFreight", body)
        ).data

    def booking(
        self, render_id: str, order_id: str, *rows: dict[str, Any], service: str = "1"
    ) -> dict[str, Any]:
        lines = [
            {
                "itemId": row["item_id"],
                "skuId": row["sku_id"],
                "quantity": row["min_quantity"],
                "title": row["title"],
                "imageUrl": "",
                "freightInfo": {
                    "serviceId": service,
                    "companyName": "",
                    "serviceCategory": "",
                },
            }
            for row in rows
        ]
        return {
            "renderId": render_id,
            "tmallOrderInfo": {"tmallOrderId": order_id},
            "receiverAddress": RECEIVER,
            "lineItems": lines,
        }

    async def book(self, order_id: str, row: dict[str, Any]) -> Any:
        """Render and book one paid order of one row."""
        render = await self.render_freight(row)
        body = self.booking(render["renderId"], order_id, row)
        return (
            await self.caller.post("/open/pp/logistics/orderBookingFreight", body)
        ).data

    def report(
        self, booking: Any, order_id: str, row: dict[str, Any], domestic_number: str
    ) -> dict[str, Any]:
        """An updateLogisticInfo body that names the domestic number for the booking's
        first parcel.
        """
        tracking = booking["subOrders"][0]["internationalLogisticInfos"][
            "logisticNumer"
        ]
        line = {
            key: row[name]
            for key, name in (
                ("itemId", "item_id"),
                ("skuId", "sku_id"),
                ("title", "title"),
            )
        }
        domestic = {
            "logisticNumer": domestic_number,
            "logisticCompanyName": "顺丰",
            "rtsTime": "1754342534",
        }
        info = {
            "lineItem": {**line, "quantity": row["min_quantity"], "imageUrl": ""},
            "logisticNumer": tracking,
            "domesticLogisticInfo": [domestic],
        }
        return {
            "orderId": booking["orderId"],
            "tmallOrderId": order_id,
            "logisticInfos": [info],
        }
