"""Sellers, items and SKUs: prices and availability."""

from __future__ import annotations

from dataclasses import dataclass, field

SECOND_DEPOT = "二仓"


def raised(fen: int) -> int:
    """Ten percent more, rounded up."""
    return -(-fen * 11 // 10)


def decimal_text(minor: int) -> str:
    """`12.05` for 1205: yuan or dollars as text."""
    return f"{minor // 100}.{minor % 100:02d}"


def service_fee(fen: int) -> int:
    """The service's fee for an order of a big seller: 2.516 percent, rounded half up
    (assumed-all.md, 5.2).
    """
    return (fen * 2516 + 50_000) // 100_000


@dataclass(frozen=True, slots=True)
class Seller:
    id: str
    name: str
    nick: str
    post_fen: int
    free_from_fen: int | None

    def postage(self, goods_fen: int) -> int:
        """Domestic postage of one order, in fen; orders above a sum travel free."""
        if goods_fen == 0 or (
            self.free_from_fen is not None and goods_fen >= self.free_from_fen
        ):
            return 0
        return self.post_fen


@dataclass(slots=True)
class Sku:
    """`spec_id` is its id in 1688's orders, `mp_id` in Taobao's distribution."""

    id: str
    spec_id: str
    mp_id: str
    properties: tuple[tuple[str, str], ...]
    price_fen: int
    stock: int


@dataclass(slots=True)
class Item:
    """`ranges` are 1688's volume prices: a quantity, and the price from there on (of
    the cheapest SKU), in fen.
    """

    marketplace: str
    id: str
    mp_id: str
    title: str
    title_en: str
    seller: Seller
    category_id: str
    category: str
    min_quantity: int
    grams: int
    month_sold: int
    skus: list[Sku]
    ranges: list[tuple[int, int]]
    offline: bool = False
    raises: int = 0
    weighed: int | None = None  # grams by the warehouse's scales, where they differ
    changed_at: int | None = None  # when price, stock or status changed last
    title_lower: str = field(init=False)
    second_depot: bool = field(init=False)
    _listed: tuple[list[tuple[int, int]], list[tuple[int, int]]] = field(
        init=False, repr=False
    )

    def __post_init__(self) -> None:
        self.title_lower = self.title.lower()
        self.second_depot = SECOND_DEPOT in self.title
        self.mark_as_listed()

    def mark_as_listed(self) -> None:
        """Keep today's prices and stock for a reset to bring back."""
        self._listed = self.ranges, [(sku.price_fen, sku.stock) for sku in self.skus]

    def relist(self) -> None:
        self.raises = 0
        self.weighed = None
        self.changed_at = None
        self.ranges, skus = self._listed
        for sku, (price_fen, stock) in zip(self.skus, skus, strict=True):
            sku.price_fen, sku.stock = price_fen, stock

    @property
    def lowest_fen(self) -> int:
        return min(sku.price_fen for sku in self.skus)

    @property
    def stock(self) -> int:
        return sum(sku.stock for sku in self.skus)

    def sku(self, sku_id: str) -> Sku | None:
        return next((sku for sku in self.skus if sku.id == sku_id), None)

    def sku_by_mp_id(self, mp_id: str) -> Sku | None:
        return next((sku for sku in self.skus if sku.mp_id == mp_id), None)

    def sku_by_spec_id(self, spec_id: str) -> Sku | None:
        return next((sku for sku in self.skus if sku.spec_id == spec_id), None)

    def unit_fen(self, sku: Sku, quantity: int) -> int:
        """Price of one, when `quantity` of the item (all its SKUs together) are in the
        order.
        """
        reached = [price for start, price in self.ranges if quantity >= start]
        return sku.price_fen - (self.ranges[0][1] - reached[-1] if reached else 0)

    def raise_prices(self) -> None:
        self.raises += 1
        self.ranges = [(start, raised(price)) for start, price in self.ranges]
        for sku in self.skus:
            sku.price_fen = raised(sku.price_fen)

    def sell_out(self) -> None:
        for sku in self.skus:
            sku.stock = 0
