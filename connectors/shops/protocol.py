"""What a shop shows of an order, and how it learns that a parcel left."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, TypeVar

from connectors.foreign import clean, shortened
from connectors.shops.calls import ShopCalls, fitting
from connectors.xportcn.errors import ContractMismatch
from domain.orders import ShopLine
from domain.shop_files import unmarked
from domain.shop_tracking import Parcel
from domain.wording import shorten

T = TypeVar("T")
NOTHING_LEFT = "nothing_left"
"""The code of a refusal of ours: the shop's order can't take the parcel, and nothing was sent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownLine:
    """A line of an order with the pieces `left` to be sent. `ref` names it to the shop, in the part `of` the order."""

    ref: str
    line: str
    sku: str
    name: str
    left: int
    of: str = ""

    def is_of(self, sku: str, wanted: ShopLine) -> bool:
        """Whether it is the line of an own SKU, by the shop's id where that is known, else as an export is read."""
        return wanted.line == self.line if wanted.line else sku in (unmarked(self.sku), unmarked(self.name))


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownOrder:
    """An order as its shop shows it: the tracking `numbers` that it has, and the lines left. `why`: it can take none.

    `route` says by which of its ways the shop learns of parcels, `is_whole` that numbers are of orders there, not of
    lines.
    """

    numbers: frozenset[str] = frozenset()
    lines: tuple[ShownLine, ...] = ()
    why: str = ""
    order_id: str = ""
    route: str = ""
    is_whole: bool = False

    def refusal(self, parcel: Parcel) -> str:
        """Why the order can't have the parcel, if so; one that lacks a line of it may be another buyer's."""
        wanted = parcel.lines or parcel.of_order
        lacking = [sku for sku, one in wanted if not any(line.is_of(sku, one) for line in self.lines)]
        if self.why or lacking:
            return self.why or f"it lacks {shorten(lacking)}"
        is_left = bool(wanted) if self.is_whole else bool(self.pieces(parcel))
        return "" if is_left else "nothing of these lines is left to be sent there"

    def pieces(self, parcel: Parcel) -> list[tuple[ShownLine, int]]:
        """The lines that go with a parcel, with as many pieces as are left."""
        taken = Counter[ShownLine]()
        for sku, wanted in parcel.lines:
            missing = wanted.quantity
            for line in self.lines:
                if line.is_of(sku, wanted):
                    count = min(missing, line.left - taken[line])
                    missing -= count
                    taken[line] += count
        return [(line, count) for line, count in taken.items() if count]


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitingLine:
    """A line of an order that waits to be bought: a row of a request file, with `order` as the shop names it."""

    order: str
    line: str
    sku: str
    name: str
    quantity: int
    receiver_name: str
    receiver_phone: str
    receiver_email: str
    country: str
    state: str
    city: str
    zip: str
    address: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitingOrder:
    """A paid order with the lines to buy, `name` as its shop has it. `why`: it is not bought as it is."""

    name: str
    lines: tuple[WaitingLine, ...] = ()
    why: str = ""


def read_each(
    kind: type[T], found: Sequence[Any], key: str, read: Callable[[T], WaitingOrder | None]
) -> list[WaitingOrder]:
    """What `read` makes of each order; one that is not as declared is left out alone, named by what is at its `key`."""
    orders = list[WaitingOrder | None]()
    for one in found:
        try:
            orders.append(read(fitting(kind, one)))
        except ContractMismatch as error:
            name = shortened(clean(str(one.get(key) or "")), 80) if isinstance(one, dict) else ""
            orders.append(WaitingOrder(name=name, why=f"{error.field or 'it'} is not as the shop's API says"))
    return [*filter(None, orders)]


@dataclass(frozen=True)
class Shop(ABC):
    """A shop's API. All methods raise as the connector's calls do (`connectors.xportcn.errors`).

    `asks`: the shop does not show all that keeps an order from being bought, so its orders need an approval.
    """

    asks: ClassVar[bool] = False
    calls: ShopCalls

    @staticmethod
    @abstractmethod
    def headers(user: str, password: str) -> Mapping[str, str]:
        """What user name and password of the address become."""

    @abstractmethod
    async def read(self, shop_ref: str) -> ShownOrder:
        """The order, read now."""

    @abstractmethod
    async def waiting(self) -> list[WaitingOrder]:
        """The paid orders that wait to be sent, in the shop's order."""

    async def sent(self, name: str) -> str:
        """What says that some of a waiting order was sent, where its shop tells so of one order at a time."""
        return ""

    @abstractmethod
    async def fulfil(self, shown: ShownOrder, parcel: Parcel, carrier: str, leave: Callable[[], None]) -> None:
        """Tell the shop once that a parcel left, which mails the buyer; `leave` is called before the first byte."""
