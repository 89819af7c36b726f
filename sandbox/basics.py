"""The account's own things: the warehouse addresses that domestic parcels go to."""

from __future__ import annotations

from typing import Any

from sandbox.operations import Call, Operations
from sandbox.world import World

operations = Operations()

WAREHOUSES: tuple[dict[str, Any], ...] = (
    {
        "id": "1",
        "name": "华南集运仓",
        "phone": "13800000001",
        "province": "广东省",
        "city": "深圳市",
        "district": "宝安区",
        "address": "福永街道和平路1号A栋",
        "postCode": "518103",
        "isDefault": True,
    },
    {
        "id": "2",
        "name": "华东集运仓",
        "phone": "13800000002",
        "province": "浙江省",
        "city": "金华市",
        "district": "义乌市",
        "address": "稠江街道四海大道2号",
        "postCode": "322000",
        "isDefault": False,
    },
)


@operations.get("/open/address/get")
def warehouse_addresses(world: World, call: Call) -> list[dict[str, Any]]:
    return list(WAREHOUSES)
