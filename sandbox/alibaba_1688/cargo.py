"""What a 1688 preview or create wants to buy, and why that may not be possible (contract 1.6)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from sandbox.fields import Fields
from sandbox.goods import Item, Sku
from sandbox.ordering import Pick
from sandbox.refusals import UPSTREAM_REFUSED, Refusal, bad_request, product_not_found
from sandbox.world import World

MAX_SKUS = 50
PROBLEMS = {
    "500_001": "the offer cannot be traded online",
    "500_002": "the offers are from different sellers",
    "500_003": "the offer has no such spec",
    "500_004": "the stock of the spec is not enough",
    "500_005": "below the minimum order quantity",
}
PROVINCES = (
    *("北京", "天津", "河北", "山西", "内蒙古", "辽宁", "吉林", "黑龙江", "上海", "江苏", "浙江", "安徽"),
    *("福建", "江西", "山东", "河南", "湖北", "湖南", "广东", "广西", "海南", "重庆", "四川", "贵州"),
    *("云南", "西藏", "陕西", "甘肃", "青海", "宁夏", "新疆", "香港", "澳门", "台湾"),
)


@dataclass(frozen=True, slots=True)
class Cargo:
    """One asked line; `problem` is its error code, empty when it can be bought."""

    item: Item
    sku: Sku | None
    spec_id: str
    quantity: int
    unit_fen: int
    problem: str

    def pick(self) -> Pick:
        assert self.sku is not None, "only what can be bought is picked"
        return Pick(self.item, self.sku, self.quantity, self.unit_fen)


@dataclass(frozen=True, slots=True)
class _Asked:
    item: Item
    sku: Sku | None
    spec_id: str
    quantity: int


def read_cargo(world: World, body: Fields) -> list[Cargo]:
    entries = body.objects("cargoParamList")
    if len(entries) > MAX_SKUS:
        raise bad_request("cargoParamList", f"at most {MAX_SKUS} SKUs")
    asked = [_asked(world, entry) for entry in entries]
    of_offer: Counter[str] = Counter()
    of_spec: Counter[tuple[str, str]] = Counter()
    for line in asked:
        of_offer[line.item.id] += line.quantity
        of_spec[line.item.id, line.spec_id] += line.quantity
    sellers = {line.item.seller.id for line in asked}
    return [
        _cargo(line, of_offer[line.item.id], of_spec[line.item.id, line.spec_id], several_sellers=len(sellers) > 1)
        for line in asked
    ]


def _asked(world: World, entry: Fields) -> _Asked:
    offer_id, spec_id = entry.identifier("offerId"), entry.optional_text("specId")
    item = world.catalogue.shelf("1688").by_id.get(offer_id)
    if item is None:
        raise product_not_found(offer_id)
    return _Asked(item, item.sku_by_spec_id(spec_id), spec_id, entry.quantity())


def _cargo(line: _Asked, of_offer: int, of_spec: int, *, several_sellers: bool) -> Cargo:
    problem = "500_002" if several_sellers else _problem(line, of_offer, of_spec)
    unit_fen = line.item.unit_fen(line.sku, of_offer) if line.sku else 0
    return Cargo(line.item, line.sku, line.spec_id, line.quantity, unit_fen, problem)


def _problem(line: _Asked, of_offer: int, of_spec: int) -> str:
    if line.item.offline:
        return "500_001"
    if line.sku is None:
        return "500_003"
    if of_offer < line.item.min_quantity:
        return "500_005"
    return "500_004" if of_spec > line.sku.stock else ""


def first_problem(cargo: Sequence[Cargo]) -> str:
    return next((line.problem for line in cargo if line.problem), "")


def check_address(address: Fields) -> None:
    """An address in China, complete enough for a parcel."""
    texts = {name: address.optional_text(name).strip() for name in ("fullName", "provinceText", "cityText", "address")}
    reachable = address.optional_text("mobile").strip() or address.optional_text("phone").strip()
    if not all(texts.values()) or not reachable or not texts["provinceText"].startswith(PROVINCES):
        raise Refusal(UPSTREAM_REFUSED, "AddressId invalid")
