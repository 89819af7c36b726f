"""Requests of 1688 and bigMajor: the address in China and the cargo."""

from __future__ import annotations

from collections.abc import Iterable

from connectors.marketplaces.protocol import Warehouse
from connectors.xportcn.operations import alibaba_batch, alibaba_order
from domain.orders import OrderLine


def address(warehouse: Warehouse) -> alibaba_order.AddressParam:
    return alibaba_order.AddressParam(
        full_name=warehouse.name,
        mobile=warehouse.phone,
        phone=warehouse.phone,
        post_code=warehouse.zip,
        province_text=warehouse.province,
        city_text=warehouse.city,
        area_text=warehouse.district,
        town_text="",
        address=warehouse.address,
    )


def cargo(lines: Iterable[OrderLine]) -> tuple[alibaba_order.Cargo, ...]:
    return tuple(
        alibaba_order.Cargo(offer_id=line.item_id, spec_id=line.spec_id, quantity=line.quantity) for line in lines
    )


def seller_cargo(lines: Iterable[OrderLine], seller_id: str) -> tuple[alibaba_batch.SellerCargo, ...]:
    return tuple(
        alibaba_batch.SellerCargo(
            offer_id=line.item_id, spec_id=line.spec_id, quantity=line.quantity, seller_open_id=seller_id
        )
        for line in lines
    )
