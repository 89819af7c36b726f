"""1688 / Shopping cart: list, add, delete, change quantity, preview, create (contract
2.9); prices in yuan.
"""

from __future__ import annotations

from pydantic import Field

from connectors.xportcn.models import AnyRequest, Nothing, Request
from connectors.xportcn.operations.alibaba_order import (
    AddressParam,
)
from connectors.xportcn.operations.operation import ASSUMED, SIBLING, Group
from connectors.xportcn.wire import IdNumber
from domain.effects import Action


class AddRequest(Request):
    """A spec that lies there already adds to its row."""

    offer_id: IdNumber
    spec_id: str
    quantity: int = Field(ge=1)


class DeleteRequest(Request):
    """Unknown ids are ignored."""

    cart_ids: tuple[IdNumber, ...] = Field(min_length=1)


class EditRequest(Request):
    id: IdNumber
    quantity: int = Field(ge=1)


class PreviewRequest(Request):
    address_param: AddressParam
    cart_ids: tuple[IdNumber, ...] = Field(min_length=1)


GROUP = Group("1688 / Shopping cart")
LIST = GROUP(
    69, "Shopping cart list", "GET /v2/alibaba/cart/list", SIBLING, "1688.cart"
).read(Nothing, object)
ADD = GROUP(70, "Add shopping cart", "POST /alibaba/cart/add", ASSUMED).sends(
    AddRequest, object, Action.CALL
)
DELETE = GROUP(
    71, "Delete shopping cart items", "POST /alibaba/cart/delete", ASSUMED
).read(DeleteRequest, object)
EDIT = GROUP(
    72, "Edit quantity of goods", "POST /alibaba/cart/edit-quantity", SIBLING
).read(EditRequest, object)
PREVIEW = GROUP(
    73,
    "Preview the data interface before creating the order",
    "POST /alibaba/cart/preview/order",
    SIBLING,
    "1688.preview",
).read(PreviewRequest, object)
CREATE = GROUP(
    74, "Create an order", "POST /alibaba/cart/create/order", SIBLING, "1688.create"
).sends(AnyRequest, object, Action.CREATE)
