"""1688 / Shopping cart: list, add, delete, change quantity, preview, create (contract
2.9); prices in yuan.
"""

from __future__ import annotations

from pydantic import Field

from connectors.xportcn.models import Nothing, Request, Response
from connectors.xportcn.operations.alibaba_order import (
    AddressParam,
    CreateAnswer,
    Preview,
)
from connectors.xportcn.operations.operation import ASSUMED, SIBLING, Group
from connectors.xportcn.wire import Count, GivenId, Id, IdNumber, Yuan
from domain.effects import Action


class CartRow(Response, passed_over="offerMapId itemPic properties"):
    """`price` is today's without volume discount, `amount_on_sale` the stock."""

    id: GivenId
    offer_id: Id = ""
    spec_id: str = ""
    sku_id: Id = ""
    item_title: str = ""
    price: Yuan | None = None
    quantity: Count = 0
    amount_on_sale: Count = 0


class CartSeller(Response):
    seller_open_id: str = ""
    seller_nick_name: str = ""
    cart_item_infos: tuple[CartRow, ...] = ()


class Cart(Response):
    """`disable_list` holds rows that can't be bought any more."""

    enable_list: tuple[CartSeller, ...] = ()
    disable_list: tuple[CartRow, ...] = ()


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


class CreateRequest(Request, passed_over="shopPromotionId"):
    """`message` stands on every order that is made. Ordered rows leave the cart,
    refused ones stay.
    """

    flow: str = "general"
    message: str | None = None
    address_param: AddressParam
    cart_ids: tuple[IdNumber, ...] = Field(min_length=1)
    trade_type: str | None = None


GROUP = Group("1688 / Shopping cart")
LIST = GROUP(
    69, "Shopping cart list", "GET /v2/alibaba/cart/list", SIBLING, "1688.cart"
).read(Nothing, Cart)
ADD = GROUP(70, "Add shopping cart", "POST /alibaba/cart/add", ASSUMED).sends(
    AddRequest, Id, Action.CALL
)
DELETE = GROUP(
    71, "Delete shopping cart items", "POST /alibaba/cart/delete", ASSUMED
).read(DeleteRequest, bool)
EDIT = GROUP(
    72, "Edit quantity of goods", "POST /alibaba/cart/edit-quantity", SIBLING
).read(EditRequest, bool)
PREVIEW = GROUP(
    73,
    "Preview the data interface before creating the order",
    "POST /alibaba/cart/preview/order",
    SIBLING,
    "1688.preview",
).read(PreviewRequest, Preview)
CREATE = GROUP(
    74, "Create an order", "POST /alibaba/cart/create/order", SIBLING, "1688.create"
).sends(CreateRequest, CreateAnswer, Action.CREATE)
