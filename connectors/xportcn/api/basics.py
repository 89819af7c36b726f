"""Basics: the account's warehouse addresses in China (contract 2.9)."""

from __future__ import annotations

from connectors.xportcn.api.base import EffectCall, ReadCall
from connectors.xportcn.operations import basics as operations
from connectors.xportcn.wire import Id, IdNumber, Nothing, Request, Response
from domain.effects import Action


class UserAddress(Response):
    id: Id = ""
    name: str
    phone: str = ""
    province: str
    city: str
    district: str = ""
    address: str
    post_code: str = ""
    is_default: bool = False


class AddressUpsertRequest(Request):
    """With an `id` these six are replaced; without, a new address is made, and a repeat makes another."""

    id: IdNumber | None = None
    name: str
    province: str
    city: str
    district: str
    address: str
    phone: str


ADDRESSES = ReadCall(operation=operations.ADDRESSES, request=Nothing, response=tuple[UserAddress, ...])
# The page shows an answer of `code` and `msg` alone: further fields are no reason for doubt.
ADDRESS_UPSERT = EffectCall(
    operation=operations.ADDRESS_UPSERT, request=AddressUpsertRequest, response=object, action=Action.NOTIFY
)
