"""Basics: the account's warehouse addresses in China."""

from __future__ import annotations

from connectors.xportcn import operations
from connectors.xportcn.api.base import ReadCall
from connectors.xportcn.wire import Id, Nothing, Reader


class UserAddress(Reader):
    id: Id = ""
    name: str
    phone: str = ""
    province: str
    city: str
    district: str = ""
    address: str
    post_code: str = ""
    is_default: bool = False


ADDRESSES = ReadCall(operation=operations.WAREHOUSE_ADDRESS, request=Nothing, response=tuple[UserAddress, ...])
