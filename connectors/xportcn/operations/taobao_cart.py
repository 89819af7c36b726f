"""Taobao / Shopping cart: list, add, delete, change quantity, preview, create (contract
2.5); amounts in fen.
"""

from __future__ import annotations

from pydantic import Field

from connectors.xportcn.models import Nothing, Request
from connectors.xportcn.operations.operation import ASSUMED, SIBLING, Group
from connectors.xportcn.operations.taobao_order import Address
from connectors.xportcn.wire import Fen, IdNumber
from domain.effects import Action


class AddRequest(Request):
    """The four ids must belong together; price and texts are for show only."""

    item_id: IdNumber
    sku_id: str
    mp_id: str
    mp_sku_id: str
    item_title: str
    item_pic: str
    price: Fen
    quantity: int
    shop_id: IdNumber
    shop_name: str
    user_id: str | None = None
    sku_quantity: str | None = None


class DeleteRequest(Request):
    """Unknown ids are ignored."""

    ids: tuple[IdNumber, ...] = Field(min_length=1)


class EditRequest(Request):
    id: IdNumber
    quantity: int = Field(ge=1)


class CartAddress(Address):
    """The cart alone writes the second phone with an underscore."""

    mobile_phone: str = Field(alias="mobile_phone")


class PreviewRequest(Request):
    ids: tuple[IdNumber, ...] = Field(min_length=1)
    order_address: CartAddress


GROUP = Group("Taobao / Shopping cart")
LIST = GROUP(
    38, "Shopping cart list", "GET /open/cart/list", ASSUMED, "taobao.cart"
).read(Nothing, object)
ADD = GROUP(
    39, "Add to shopping cart", "POST /open/cart/add", SIBLING, "taobao.cart"
).sends(AddRequest, object, Action.CALL)
DELETE = GROUP(40, "Delete shopping cart item", "POST /open/cart/delete", ASSUMED).read(
    DeleteRequest, object
)
EDIT = GROUP(
    41, "Edit product quantity", "POST /open/cart/edit-quantity", ASSUMED
).read(EditRequest, object)
PREVIEW = GROUP(
    42,
    "Generate order preview",
    "POST /open/cart/preview/order",
    ASSUMED,
    "taobao.preview",
).read(PreviewRequest, object)
CREATE = GROUP(
    43, "Create order", "POST /open/cart/create/order", SIBLING, "taobao.create"
).sends(PreviewRequest, object, Action.CREATE)
