"""Makes each marketplace's goods from the seed: the same seed gives the same catalogue, always."""

from __future__ import annotations

from dataclasses import replace
from hashlib import md5
from random import Random

from sandbox.goods import Item, Seller, Sku
from sandbox.public_products import PUBLIC_PRODUCTS, PublicProduct
from sandbox.vocabulary import ADJECTIVES, COLOURS, GOODS, SHOP_NAMES, SHOP_PLACES, SIZES, USES

BUYABLE_SKUS = 4_200
SOLD_OUT_ITEMS = 20
OFFLINE_ITEMS = 20
SELLERS = 40


def generate(seed: int, marketplace: str) -> list[Item]:
    """Buyable items first, then the sold out, then those offline."""
    maker = TaobaoMaker(seed) if marketplace == "taobao" else AlibabaMaker(seed)
    items = maker.first_items()
    skus = 0
    while skus < BUYABLE_SKUS:
        items.append(maker.item())
        skus += len(items[-1].skus)
    items += [maker.sold_out() for _ in range(SOLD_OUT_ITEMS)]
    items += [maker.offline() for _ in range(OFFLINE_ITEMS)]
    return items


class Maker:
    """Makes one marketplace's items, each with fresh ids."""

    marketplace: str
    first_item_id: int
    first_sku_id: int
    style_letter: str
    first_mp_id = 3_000_000_000_000_001
    first_mp_sku_id = 7_000_000_000_000_001

    def __init__(self, seed: int) -> None:
        self._random = Random(f"{seed}:{self.marketplace}")
        self._items = 0
        self._skus = 0
        self._sellers = [self._seller(number) for number in range(SELLERS)]

    def first_items(self) -> list[Item]:
        return []

    def item(self) -> Item:
        random = self._random
        self._items += 1
        category_id, category, materials, products = random.choice(GOODS)
        words = (random.choice(ADJECTIVES), random.choice(materials), random.choice(products), random.choice(USES))
        style = f"{self.style_letter}{10_000 + self._items}"
        minimum, price = self._minimum(), self._price()
        skus = self._skus_at(price)
        lowest = min(sku.price_fen for sku in skus)
        return Item(
            marketplace=self.marketplace,
            id=str(self._spread(self.first_item_id, self._items, 90_000_011)),
            mp_id=str(self._spread(self.first_mp_id, self._items, 1_000_000_007)),
            title=" ".join([*(word[0] for word in words), style]),
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
        """One SKU for every third item, else two to six in colours, sometimes with sizes."""
        random = self._random
        count = random.choice((1, 1, 2, 3, 4, 6))
        if count == 1:
            return [self._sku(price, (("颜色", "默认"),))]
        colours = random.sample(COLOURS, count if count < 4 else count // 2)
        sizes = random.sample(SIZES, 2) if count >= 4 else []
        choices: list[tuple[tuple[str, str], ...]] = [(("颜色", colour),) for colour in colours]
        if sizes:
            choices = [(*choice, ("尺码", size)) for choice in choices for size in sizes]
        return [self._sku(price + random.randrange(0, price // 4 + 1), choice) for choice in choices]

    def _sku(self, price: int, properties: tuple[tuple[str, str], ...]) -> Sku:
        self._skus += 1
        sku_id = str(self._spread(self.first_sku_id, self._skus, 200_000_003))
        return Sku(
            id=sku_id,
            spec_id=md5(f"spec {sku_id}".encode()).hexdigest(),
            mp_id=str(self._spread(self.first_mp_sku_id, self._skus, 1_000_000_007)),
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
    first_item_id = 600_000_000_000
    first_sku_id = 3_400_000_000_000
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
    first_item_id = 810_000_000_000
    first_sku_id = 5_000_000_000_000
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
        steps = ((minimum, lowest), (minimum * 5, lowest * 95 // 100), (minimum * 20, lowest * 90 // 100))
        return list(steps[: self._random.choice((1, 2, 3))])
