"""The account's own addresses: the warehouses that domestic parcels go to, and
addresses that the caller added.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any

from sandbox.books import Books
from sandbox.refusals import ADDRESS_NOT_FOUND, Refusal
from sandbox.store import Store


@dataclass(frozen=True, slots=True)
class Warehouse:
    id: str
    name: str
    phone: str
    province: str
    city: str
    district: str
    address: str
    postCode: str = ""
    isDefault: bool = False


WAREHOUSES = (
    Warehouse(
        *(
            "1",
            "华南集运仓",
            "13800000001",
            "广东省",
            "深圳市",
            "宝安区",
            "福永街道和平路1号A栋",
            "518103",
        ),
        isDefault=True,
    ),
    Warehouse(
        "2",
        "华东集运仓",
        "13800000002",
        "浙江省",
        "金华市",
        "义乌市",
        "稠江街道四海大道2号",
        "322000",
    ),
)


class AddressBook:
    """The account's addresses. Every change goes through a method here, which also
    writes it to the store.
    """

    def __init__(self, store: Store, books: Books) -> None:
        self._store = store
        self._books = books
        self.reset()

    def reset(self) -> None:
        self._by_id = {warehouse.id: warehouse for warehouse in WAREHOUSES}

    def restore(self) -> None:
        for body in self._store.read("address"):
            self._by_id[body["id"]] = Warehouse(**body)

    def every(self) -> list[dict[str, Any]]:
        return [asdict(warehouse) for warehouse in self._by_id.values()]

    def default(self) -> Warehouse:
        return next(
            warehouse for warehouse in self._by_id.values() if warehouse.isDefault
        )

    def named(self, address_id: str) -> Warehouse:
        warehouse = self._by_id.get(address_id)
        if warehouse is None:
            raise Refusal(ADDRESS_NOT_FOUND, f"address {address_id} does not exist")
        return warehouse

    def add(self, fields: dict[str, Any]) -> None:
        """Add an address, without a default flag and a post code, which the caller
        cannot give.
        """
        number = len(WAREHOUSES) + self._books.next("address")
        self._keep(Warehouse(id=str(number), **fields))

    def replace(self, warehouse: Warehouse, fields: dict[str, Any]) -> None:
        self._keep(replace(warehouse, **fields))

    def _keep(self, warehouse: Warehouse) -> None:
        self._by_id[warehouse.id] = warehouse
        self._store.put("address", warehouse.id.zfill(12), asdict(warehouse))
