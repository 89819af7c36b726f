"""The lines that a 1688 preview or create asks for, and why they may not be buyable
(contract 1.6).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sandbox.fields import Fields
from sandbox.goods import Item, Sku
from sandbox.ordering import Pick
from sandbox.refusals import UPSTREAM_REFUSED, Refusal, bad_request
from sandbox.world import World

MAX_SKUS = 50
SOLD_OUT = "500_004"
MAX_MERCHANTS = 10
PROBLEMS = {
    "500_001": "the offer cannot be traded online",
    "500_002": "the offers are from different sellers",
    "500_003": "the offer has no such spec",
    SOLD_OUT: "the stock of the spec is not enough",
    "500_005": "below the minimum order quantity",
}
PROVINCES = (
    *(
        "北京",
        "天津",
        "河北",
        "山西",
        "内蒙古",
        "辽宁",
        "吉林",
        "黑龙江",
        "上海",
        "江苏",
        "浙江",
        "安徽",
    ),
    *(
        "福建",
        "江西",
        "山东",
        "河南",
        "湖北",
        "湖南",
        "广东",
        "广西",
        "海南",
        "重庆",
        "四川",
        "贵州",
    ),
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
class AskedCargo:
    """One asked line before it is judged."""

    item: Item
    sku: Sku | None
    spec_id: str
    quantity: int


def read_cargo(world: World, body: Fields, marketplace: str = "1688") -> list[Cargo]:
    entries = body.objects("cargoParamList")
    if len(entries) > MAX_SKUS:
        raise bad_request("cargoParamList", f"at most {MAX_SKUS} SKUs")
    wanted = [_wanted(world, entry, marketplace) for entry in entries]
    return checked(wanted, mixed=len({line.item.seller.id for line in wanted}) > 1)


def read_cargo_of_merchants(world: World, body: Fields) -> dict[str, list[Cargo]]:
    """The lines by the `sellerOpenId` that each names, in order of first appearance."""
    entries = body.objects("cargoParamList")
    merchants: dict[str, list[AskedCargo]] = {}
    for entry in entries:
        merchants.setdefault(entry.text("sellerOpenId"), []).append(
            _wanted(world, entry, "1688")
        )
    if len(merchants) > MAX_MERCHANTS or any(
        len(wanted) > MAX_SKUS for wanted in merchants.values()
    ):
        raise bad_request(
            "cargoParamList",
            f"at most {MAX_MERCHANTS} merchants and {MAX_SKUS} SKUs of each",
        )
    return {
        seller_id: checked(
            wanted, mixed=any(line.item.seller.id != seller_id for line in wanted)
        )
        for seller_id, wanted in merchants.items()
    }


def checked(wanted: Sequence[AskedCargo], *, mixed: bool = False) -> list[Cargo]:
    """The price or problem of each line; `mixed` when the lines should be of one seller
    and are not.
    """
    of_offer: Counter[str] = Counter()
    of_spec: Counter[tuple[str, str]] = Counter()
    for line in wanted:
        of_offer[line.item.id] += line.quantity
        of_spec[line.item.id, line.spec_id] += line.quantity
    return [
        _cargo(
            line,
            of_offer[line.item.id],
            of_spec[line.item.id, line.spec_id],
            mixed=mixed,
        )
        for line in wanted
    ]


def _wanted(world: World, entry: Fields, marketplace: str) -> AskedCargo:
    offer_id, spec_id = entry.identifier("offerId"), entry.optional_text("specId")
    item = world.catalogue.shelf(marketplace).product(offer_id)
    return AskedCargo(item, item.sku_by_spec_id(spec_id), spec_id, entry.quantity())


def _cargo(line: AskedCargo, of_offer: int, of_spec: int, *, mixed: bool) -> Cargo:
    problem = "500_002" if mixed else _problem(line, of_offer, of_spec)
    unit_fen = line.item.unit_fen(line.sku, of_offer) if line.sku else 0
    return Cargo(line.item, line.sku, line.spec_id, line.quantity, unit_fen, problem)


def _problem(line: AskedCargo, of_offer: int, of_spec: int) -> str:
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
    texts = {
        name: address.optional_text(name).strip()
        for name in ("fullName", "provinceText", "cityText", "address")
    }
    reachable = (
        address.optional_text("mobile").strip()
        or address.optional_text("phone").strip()
    )
    if (
        not all(texts.values())
        or not reachable
        or not texts["provinceText"].startswith(PROVINCES)
    ):
        raise Refusal(UPSTREAM_REFUSED, "AddressId invalid")


def failed_offer(line: Cargo) -> dict[str, Any]:
    """The entry of a line that can't be bought."""
    return {
        "offerId": int(line.item.id),
        "specId": line.spec_id,
        "errorCode": line.problem,
        "errorMessage": PROBLEMS[line.problem],
    }
