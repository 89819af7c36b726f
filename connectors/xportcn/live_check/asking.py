"""Requests for calls that change nothing, filled from the model: fixed words,
addresses, and ids of earlier answers.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ValidationError

from connectors.xportcn.live_check.comparing import (
    WireField,
    element_of,
    fields_of,
    model_in,
    types_in,
)
from connectors.xportcn.models import Request
from connectors.xportcn.operations.operation import Call, Operation

VARIANTS = ("skuList", "productSkuInfos", "skus")
STOCKS = ("quantity", "stock", "amountOnSale", "skuQuantity")
MOST_ENTRIES = 50

Known = dict[str, Any]

# Common words of titles: one of them is in stock on any marketplace.
KEYWORDS = ("杯", "衣", "手机", "盒", "cup", "shirt", "case")
# The sources of ids for the warehouse's calls, in this order: (marketplace, item, SKU).
SHIPPED = (
    ("Taobao", "itemId", "skuId"),
    ("1688", "offerId", "skuId"),
    ("bigMajor", "offerId", "skuId"),
    ("InternationalAlibaba", "productId", "skuId"),
    ("Poizon", "dwSpuId", "dwSkuId"),
)
# Values for every request. A name with the field around it goes before the bare name.
FIXED: Known = {
    "pageNo": 1,
    "page": 1,
    "beginPage": 1,
    "index": 1,
    "startPage": 1,
    "pageSize": 10,
    "size": 10,
    "country": "US",
    "currency": "CNY",
    "price": 1000,
    "dispatchLocation": "CN",
    "sourceType": "item",
}
FIXED_HERE: dict[str, Known] = {
    "Taobao": {"refundType": 1, "goodsStatus": 1},
    "1688": {"categoryId": 0, "goodsStatus": "refundWaitSellerSend"},
}
# Fields of requests with another name than in answers.
LEARNED_AS: dict[str, dict[str, str]] = {
    "Taobao": {
        "renderItemList.itemId": "mpId",
        "renderItemList.skuId": "mpSkuId",
        "purchaseOrderId": "purchaseId",
        "orderId": "purchaseId",
        "subOrderId": "subPurchaseOrderId",
        "bizId": "itemId",
        "ids": "cartItemInfos.id",
        "imageUrl": "picUrl",
    },
    "1688": {
        "orderId": "baseInfo.idOfStr",
        "openUid": "sellerOpenId",
        "cartIds": "cartItemInfos.id",
        "imageAddress": "imageUrl",
    },
    "bigMajor": {"orderId": "data.orderId"},
}
LEAST = ("beginAmount", "minOrderQuantity", "minQuantity")
# Optional fields of which these calls need one all the same.
ALSO = {
    "/open/product/image/search": {"imageUrl"},
    "/alibaba/product/image/query": {"imageAddress"},
}
ADDRESS = {"address", "detailAddress"}
PARTS = {
    "name": ("name", "fullName", "contactPerson"),
    "phone": ("phone", "mobile", "mobilePhone", "mobile_phone", "telephone.number"),
    "zip": ("zip", "postCode"),
    "province": ("state", "province", "provinceText"),
    "city": ("city", "cityText"),
    "district": ("district", "areaText"),
    "address": ("address", "detailAddress"),
    "country": ("country", "countryCode"),
}
EMPTY = {
    "email": "",
    "taxId": "",
    "townText": "",
    "area": "",
    "telephone.country": "86",
}
ABROAD = {
    **{
        "name": "Jane Doe",
        "phone": "5550100",
        "zip": "94601",
        "province": "California",
        "city": "Oakland",
    },
    **{"district": "", "address": "1 Main St", "country": "US"},
}
IN_CHINA = {
    **{
        "name": "张三",
        "phone": "13800000000",
        "zip": "518000",
        "province": "广东省",
        "city": "深圳市",
    },
    **{"district": "宝安区", "address": "1号", "country": "CN"},
}


class LearnedIds:
    """Values by marketplace and name; a name is the field's own, or with the field
    around it, `baseInfo.idOfStr`.

    The first learned value stays, so that ids go together. Only the first page of a
    buyable product replaces values of lists, since its variants belong to it.
    """

    def __init__(self) -> None:
        self._known: dict[str, Known] = {}
        self._with_product: set[str] = set()

    def of(self, marketplace: str) -> Known:
        return self._known.setdefault(marketplace, {})

    def learn(self, marketplace: str, answer: Any) -> None:
        """Keep the values of an answer, in the contract's names."""
        told: Known = {}
        for name, value in _values(answer):
            told.setdefault(name, value)
        known = self.of(marketplace)
        if marketplace not in self._with_product and _can_be_bought(answer):
            self._with_product.add(marketplace)
            known.update(told)
        else:
            known.update(
                {name: value for name, value in told.items() if name not in known}
            )


def _values(answer: Any, around: str = "") -> Iterator[tuple[str, Any]]:
    """All plain values, those of an object before those below it, the most useful entry
    of a list first.
    """
    if isinstance(answer, list):
        for entry in sorted(answer[:MOST_ENTRIES], key=_worth, reverse=True):
            yield from _values(entry, around)
    elif isinstance(answer, Mapping):
        for name, value in answer.items():
            if isinstance(value, Mapping | list) or value in (None, ""):
                continue
            yield name, value
            yield f"{around}.{name}", value
        for name, value in answer.items():
            yield from _values(value, name)


def _worth(entry: Any) -> tuple[bool, int]:
    """The usefulness of an entry: in stock before sold out; then an order with parcels
    before one without.
    """
    return (_in_stock(entry), sum(1 for _ in _values(entry)))


def _in_stock(entry: Any) -> bool:
    if not isinstance(entry, Mapping):
        return True
    return all(entry.get(name) not in (0, "0") for name in STOCKS)


def _can_be_bought(answer: Any) -> bool:
    if not isinstance(answer, Mapping):
        return False
    return any(
        _in_stock(entry) for name in VARIANTS for entry in answer.get(name) or ()
    )


class NothingToAskWith(Exception):
    """A required field without a value from earlier answers; `field` is its name."""

    def __init__(self, field: str) -> None:
        super().__init__(field)
        self.field = field


def marketplace_of(operation: Operation) -> str:
    """The first word of a group: answers of one marketplace feed the requests to it."""
    return operation.group.split(" / ")[0]


def request_for(call: Call[Any, Any], facts: LearnedIds, *, keyword: str) -> Request:
    """A request with all its required fields. Raises `NothingToAskWith`."""
    filling = _Filling(call, facts, keyword)
    content = filling.object(call.request, "")
    try:
        request: Request = call.request.model_validate(content)
    except ValidationError as error:
        raise NothingToAskWith(
            ".".join(str(part) for part in error.errors()[0]["loc"])
        ) from error
    return request


@dataclass(frozen=True)
class _Filling:
    """One request in the making."""

    operation: Operation
    learned: LearnedIds
    keyword: str

    def object(
        self,
        model: type[BaseModel],
        around: str,
        place: Mapping[str, str] | None = None,
    ) -> Known:
        fields = fields_of(model)
        if ADDRESS & {field.name for field in fields}:
            place = self._place(around)
        also = ALSO.get(self.operation.path, set())
        wanted = [field for field in fields if field.required or field.name in also]
        return {field.name: self._field(field, around, place) for field in wanted}

    def _field(
        self, field: WireField, around: str, place: Mapping[str, str] | None
    ) -> Any:
        below = model_in(field.annotation)
        many = element_of(field.annotation) is not None
        if below is not None:
            value: Any = self.object(below, field.name, place)
        else:
            value = _as(
                field.annotation, self._plain(field.name, around, place, many=many)
            )
        return [value] if many else value

    def _plain(
        self, name: str, around: str, place: Mapping[str, str] | None, *, many: bool
    ) -> Any:
        full = f"{around}.{name}"
        known = self._known() | (_address(place) if place else {})
        marketplace = marketplace_of(self.operation)
        told = LEARNED_AS.get(marketplace, {})
        for key in (full, name):
            if key in told:
                return self._learned(told[key], name)
            if key in known:
                return known[key]
        return self._learned(name.removesuffix("s") if many else name, name)

    def _learned(self, name: str, field: str) -> Any:
        known = self.learned.of(marketplace_of(self.operation))
        if name not in known:
            raise NothingToAskWith(field)
        return known[name]

    def _known(self) -> Known:
        marketplace = marketplace_of(self.operation)
        facts = self.learned.of(marketplace)
        least = next((facts[name] for name in LEAST if name in facts), 1)
        known = {
            **FIXED,
            **FIXED_HERE.get(marketplace, {}),
            "keyword": self.keyword,
            "quantity": least,
        }
        if "itemId" in facts:
            known["url"] = f"https://item.taobao.com/item.htm?id={facts['itemId']}"
        return known | (self._shipped() if marketplace == "Warehouse logistics" else {})

    def _shipped(self) -> Known:
        """Ids of any marketplace: the warehouse takes them all."""
        for marketplace, item, sku in SHIPPED:
            facts = self.learned.of(marketplace)
            if item in facts and sku in facts:
                return {"itemId": facts[item], "skuId": facts[sku]}
        return {}

    def _place(self, around: str) -> Mapping[str, str]:
        if marketplace_of(self.operation) == "Warehouse logistics" or around in (
            "receiver",
            "orderAddress",
        ):
            return ABROAD
        told = self.learned.of("Basics")
        return IN_CHINA | {
            part: str(told[name]) for part, name in _WAREHOUSE.items() if name in told
        }


_WAREHOUSE = {
    part: part for part in ("name", "phone", "province", "city", "district", "address")
} | {"zip": "postCode"}


def _address(place: Mapping[str, str]) -> Known:
    return {
        **EMPTY,
        **{name: place[part] for part, names in PARTS.items() for name in names},
    }


def _as(annotation: Any, value: Any) -> Any:
    """A learned value in the type of its field; an id may have come as a number."""
    types = types_in(element_of(annotation) or annotation)
    if str in types:
        return str(value)
    return int(value) if int in types and str(value).isdigit() else value
