"""Makes each marketplace's goods from the seed: a seed always gives one and the same
catalogue.
"""

from __future__ import annotations

from dataclasses import replace
from hashlib import md5
from random import Random
from typing import NamedTuple

from sandbox.goods import SECOND_DEPOT, Item, Seller, Sku
from sandbox.public_products import PUBLIC_PRODUCTS, PublicProduct
from sandbox.vocabulary import (
    ADJECTIVES,
    COLOURS,
    GOODS,
    MORE_GOODS,
    SHOP_NAMES,
    SHOP_PLACES,
    SIZES,
    USES,
)

BUYABLE_SKUS = 4_200
SOLD_OUT_ITEMS = 20
OFFLINE_ITEMS = 20
SECOND_DEPOT_ITEMS = 40
SKUS = 21_000
SELLERS = 40


def generate(seed: int, marketplace: str) -> list[Item]:
    """Buyable items first, then the sold out, those offline, those of the second depot,
    then many more.
    """
    maker = MAKERS[marketplace](seed)
    items = maker.first_items()
    skus = 0
    while skus < BUYABLE_SKUS:
        items.append(maker.item())
        skus += len(items[-1].skus)
    items += [maker.sold_out() for _ in range(SOLD_OUT_ITEMS)]
    items += [maker.offline() for _ in range(OFFLINE_ITEMS)]
    maker.go_on()
    items += [maker.in_second_depot(number) for number in range(SECOND_DEPOT_ITEMS)]
    while maker.skus_made < SKUS:
        items.append(maker.item())
    return items


class Ids(NamedTuple):
    """The first ids of items and SKUs and the distances between ids; no two
    marketplaces share any.
    """

    first_item: int
    item_stride: int
    first_sku: int
    sku_stride: int


class Maker:
    """Makes one marketplace's items, each with fresh ids."""

    marketplace: str
    ids: Ids
    ids_of_more: Ids
    style_letter: str
    title_language = 0
    first_mp_id = 3_000_000_000_000_001
    first_mp_sku_id = 7_000_000_000_000_001

    def __init__(self, seed: int) -> None:
        self._random = Random(f"{seed}:{self.marketplace}")
        self._items = 0
        self.skus_made = 0
        self._sellers = [self._seller(number) for number in range(SELLERS)]
        self._goods = GOODS

    def go_on(self) -> None:
        """From here on make the second, larger part of the catalogue."""
        self.ids, self._goods = self.ids_of_more, MORE_GOODS

    def first_items(self) -> list[Item]:
        return []

    def item(self) -> Item:
        random = self._random
        self._items += 1
        category_id, category, materials, products = random.choice(self._goods)
        words = (
            random.choice(ADJECTIVES),
            random.choice(materials),
            random.choice(products),
            random.choice(USES),
        )
        style = f"{self.style_letter}{10_000 + self._items}"
        minimum, price = self._minimum(), self._price()
        skus = self._skus_at(price)
        lowest = min(sku.price_fen for sku in skus)
        return Item(
            marketplace=self.marketplace,
            id=str(
                self._spread(self.ids.first_item, self._items, self.ids.item_stride)
            ),
            mp_id=str(self._spread(self.first_mp_id, self._items, 1_000_000_007)),
            title=" ".join([*(word[self.title_language] for word in words), style]),
            title_en=" ".join([*(word[1] for word in words), style]),
            seller=random.choice(self._sellers),
            category_id=category_id,
            category=category[0],
            min_quantity=minimum,
            grams=random.randrange(30, 900, 10),
            month_sold=random.randrange(20_000),
            skus=skus,
            ranges=self._ranges(minimum, lowest),
        )

    def sold_out(self) -> Item:
        item = self.item()
        item.sell_out()
        item.mark_as_listed()
        return item

    def offline(self) -> Item:
        item = self.item()
        item.offline = True
        return item

    def in_second_depot(self, number: int) -> Item:
        """An item of a seller that also has goods in the first depot."""
        item = self.item()
        *words, style = item.title.split(" ")
        title = " ".join([*words, SECOND_DEPOT, style])
        return replace(item, title=title, seller=self._sellers[number % SELLERS])

    def _seller(self, number: int) -> Seller:
        random = self._random
        name = f"{random.choice(SHOP_PLACES)}{random.choice(SHOP_NAMES)}{number + 1}号"
        return Seller(
            id=self._seller_id(number),
            name=name,
            nick=f"{name}_{self.marketplace}",
            post_fen=random.choice((0, 300, 500, 600, 800, 1_000, 1_200)),
            free_from_fen=random.choice((None, 4_900, 9_900, 19_900)),
        )

    def _skus_at(self, price: int) -> list[Sku]:
        """One SKU for every third item, else two to six in colours, sometimes with
        sizes.
        """
        random = self._random
        count = random.choice((1, 1, 2, 3, 4, 6))
        if count == 1:
            return [self._sku(price, (("颜色", "默认"),))]
        colours = random.sample(COLOURS, count if count < 4 else count // 2)
        sizes = random.sample(SIZES, 2) if count >= 4 else []
        choices: list[tuple[tuple[str, str], ...]] = [
            (("颜色", colour),) for colour in colours
        ]
        if sizes:
            choices = [
                (*choice, ("尺码", size)) for choice in choices for size in sizes
            ]
        return [
            self._sku(price + random.randrange(0, price // 4 + 1), choice)
            for choice in choices
        ]

    def _sku(self, price: int, properties: tuple[tuple[str, str], ...]) -> Sku:
        self.skus_made += 1
        sku_id = str(
            self._spread(self.ids.first_sku, self.skus_made, self.ids.sku_stride)
        )
        return Sku(
            id=sku_id,
            spec_id=md5(f"spec {sku_id}".encode()).hexdigest(),
            mp_id=str(
                self._spread(self.first_mp_sku_id, self.skus_made, 1_000_000_007)
            ),
            properties=properties,
            price_fen=price,
            stock=self._random.randrange(500, 40_000),
        )

    def _spread(self, first: int, number: int, stride: int) -> int:
        """An id that looks arbitrary and cannot meet another of its kind."""
        return first + number * stride + self._random.randrange(stride // 2)

    def _seller_id(self, number: int) -> str:
        raise NotImplementedError

    def _minimum(self) -> int:
        raise NotImplementedError

    def _price(self) -> int:
        raise NotImplementedError

    def _ranges(self, minimum: int, lowest: int) -> list[tuple[int, int]]:
        return [(minimum, lowest)]


class TaobaoMaker(Maker):
    marketplace = "taobao"
    ids = Ids(600_000_000_000, 90_000_011, 3_400_000_000_000, 200_000_003)
    ids_of_more = Ids(745_000_000_000, 7_000_003, 4_400_000_000_000, 5_000_011)
    style_letter = "T"

    def first_items(self) -> list[Item]:
        """The two products of the public booking page, from one seller."""
        return [self._public_item(product) for product in PUBLIC_PRODUCTS]

    def _public_item(self, product: PublicProduct) -> Item:
        sku = self._sku(product.price_fen, (("颜色", "默认"),))
        sku.id = product.sku_id
        return replace(
            self.item(),
            id=product.item_id,
            title=product.title,
            title_en=product.title_en,
            seller=self._sellers[0],
            grams=product.grams,
            min_quantity=1,
            skus=[sku],
            ranges=self._ranges(1, product.price_fen),
        )

    def _seller_id(self, number: int) -> str:
        return str(57_301_000 + number * 137)

    def _minimum(self) -> int:
        return 2 if self._random.random() < 0.05 else 1

    def _price(self) -> int:
        return int(300 * 26 ** self._random.random() / 10) * 10


class AlibabaMaker(Maker):
    marketplace = "1688"
    ids = Ids(810_000_000_000, 90_000_011, 5_000_000_000_000, 200_000_003)
    ids_of_more = Ids(942_000_000_000, 7_000_003, 5_870_000_000_000, 5_000_011)
    first_mp_id = 4_000_000_000_000_001
    style_letter = "A"

    def _seller_id(self, number: int) -> str:
        return f"BBB{md5(f'seller {number}'.encode()).hexdigest()[:24]}"

    def _minimum(self) -> int:
        return self._random.choice((1, 1, 2, 2, 3, 5, 6, 10, 12, 20))

    def _price(self) -> int:
        return int(50 * 40 ** self._random.random())

    def _ranges(self, minimum: int, lowest: int) -> list[tuple[int, int]]:
        """From none to two discounts for volume, at most a tenth of the price."""
        steps = (
            (minimum, lowest),
            (minimum * 5, lowest * 95 // 100),
            (minimum * 20, lowest * 90 // 100),
        )
        return list(steps[: self._random.choice((1, 2, 3))])


class BigMajorMaker(AlibabaMaker):
    marketplace = "big_major"
    ids = ids_of_more = Ids(400_000_000_000, 20_000_003, 6_000_000_000_000, 30_000_001)
    first_mp_id = 5_000_000_000_000_001
    style_letter = "K"

    def _seller_id(self, number: int) -> str:
        return f"BBB{md5(f'big seller {number}'.encode()).hexdigest()[:24]}"


class InternationalMaker(Maker):
    marketplace = "international"
    ids = ids_of_more = Ids(1_600_500_000_000, 50_000_017, 100_005_000_000, 9_000_011)
    first_mp_id = 6_000_000_000_000_001
    style_letter = "I"
    title_language = 1

    def _seller_id(self, number: int) -> str:
        return str(231_400_000 + number * 7_919)

    def _minimum(self) -> int:
        return self._random.choice((1, 1, 1, 2, 3, 5, 10, 20))

    def _price(self) -> int:
        return int(120 * 60 ** self._random.random())

    def _ranges(self, minimum: int, lowest: int) -> list[tuple[int, int]]:
        """From none to three discounts for volume, at most a fifth of the price."""
        discounts = ((1, 100), (3, 96), (10, 90), (50, 80))
        steps = [
            (minimum * times, lowest * percent // 100) for times, percent in discounts
        ]
        return steps[: self._random.choice((1, 2, 3, 4))]


class PoizonMaker(Maker):
    marketplace = "poizon"
    ids = ids_of_more = Ids(20_000_000, 9_973, 600_000_000, 9_967)
    first_mp_id = 8_000_000_000_000_001
    first_mp_sku_id = 9_000_000_000_000_001
    style_letter = "P"

    def _seller_id(self, number: int) -> str:
        return str(8_800_100 + number * 31)

    def _minimum(self) -> int:
        return 2 if self._random.random() < 0.05 else 1

    def _price(self) -> int:
        return int(1_900 * 20 ** self._random.random()) // 100 * 100


MAKERS: dict[str, type[Maker]] = {
    maker.marketplace: maker
    for maker in (
        TaobaoMaker,
        AlibabaMaker,
        BigMajorMaker,
        InternationalMaker,
        PoizonMaker,
    )
}
