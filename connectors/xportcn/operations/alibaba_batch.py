"""1688 / Order: several sellers, or several orders, in one call (contract 2.7)."""

from __future__ import annotations

from pydantic import Field

from connectors.xportcn.models import AnyRequest, EffectAnswer, Request, Response
from connectors.xportcn.operations.alibaba_order import (
    AddressParam,
    Cargo,
)
from connectors.xportcn.operations.operation import SIBLING, Group
from connectors.xportcn.wire import Id
from domain.effects import Action


class SellerCargo(Cargo):
    seller_open_id: str


class PreviewRequest(Request):
    """At most 10 sellers."""

    address_param: AddressParam
    cargo_param_list: tuple[SellerCargo, ...]


class PayRequest(Request):
    order_ids: tuple[str, ...] = Field(min_length=1, max_length=30)


class FailedPayment(Response):
    order_id: Id = ""
    error_code: str = ""
    error_message: str = ""


class PayAnswer(EffectAnswer):
    """Success means paid, or soon to be: each order has an outcome of its own."""

    success_order_ids: tuple[Id, ...] = ()
    failed_order_list: tuple[FailedPayment, ...] = ()


GROUP = Group("1688 / Order")
PREVIEW = GROUP(
    51,
    "Preview data before order creation (batch for different merchants)",
    "POST /alibaba/order/create/previewbatch",
    SIBLING,
    "1688.preview",
).read(PreviewRequest, object)
CREATE = GROUP(
    53,
    "Create an order (different merchants)",
    "POST /alibaba/order/batch/create",
    SIBLING,
    "1688.create",
).sends(AnyRequest, object, Action.CREATE)
PAY = GROUP(
    57,
    "Developers submit bulk payment 1688 orders",
    "POST /alibaba/order/batch/submit/to/pay",
    SIBLING,
).sends(PayRequest, PayAnswer, Action.PAY)
