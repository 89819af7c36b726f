"""The account's warehouse: its addresses in China (contract 2.9), and international
freight from it (contract 2.10).
"""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, model_validator

from connectors.xportcn.models import (
    FittingRows,
    Nothing,
    Request,
    Response,
    alias,
    if_it_fits,
)
from connectors.xportcn.operations.operation import ASSUMED, CONFIRMED, SIBLING, Group
from connectors.xportcn.wire import (
    Amount,
    Counted,
    Currency,
    Fen,
    GivenId,
    Id,
    IdNumber,
    MaybeChinaTime,
    ParcelNumber,
)
from domain.effects import Action

SentTime = Annotated[MaybeChinaTime, if_it_fits(None)]
"""When a seller sent a parcel: nothing rests on it, so it makes no order unreadable."""


class UserAddress(Response):
    name: str
    phone: str = ""
    province: str
    city: str
    district: str = ""
    address: str
    post_code: str = ""
    is_default: bool = False


class AddressUpsertRequest(Request):
    """With an `id` these six are replaced; without, a new address is made, and a repeat
    makes another.
    """

    id: IdNumber | None = None
    name: str
    province: str
    city: str
    district: str
    address: str
    phone: str


class EstimateItem(Request):
    """Base of the items of all these calls."""

    item_id: str
    sku_id: str
    quantity: int


class EstimateRequest(Request):
    country: str
    zip: str | None = None
    render_items: tuple[EstimateItem, ...]


class Priced(Response):
    """An amount as decimal text in major units of its currency, which comes first: the
    amount is read in it.
    """

    currency: Currency
    amount: Amount


class Service(Priced):
    """A freight service. Its price is above 0: freight is never free."""

    service_id: GivenId
    company_name: str = ""
    service_category: str = ""
    min_days: Counted = 0
    max_days: Counted = 0

    @model_validator(mode="after")
    def _is_not_free(self) -> Self:
        if not self.amount.minor:
            raise ValueError("freight for nothing")
        return self


class Estimate(Response):
    currency: str = ""
    services: FittingRows[Service] = FittingRows()


class RenderAddress(Request):
    name: str
    email: str
    phone: str
    mobile_phone: str
    address: str
    tax_id: str = ""
    country: str
    state: str
    city: str
    zip: str


class RenderItem(EstimateItem):
    price: Fen
    currency: str


class RenderRequest(Request):
    receiver_address: RenderAddress
    render_items: tuple[RenderItem, ...]


class Rendered(Response):
    render_id: GivenId
    services: FittingRows[Service] = FittingRows()


class TmallOrderInfo(Request):
    """Despite the name any paid order: a Taobao purchase id or a 1688 order id."""

    tmall_order_id: str
    remark: str | None = None


class BookingAddress(Request):
    country: str
    state: str
    city: str
    zip: str
    address: str
    name: str
    phone: str
    mobile_phone: str
    email: str


class FreightInfo(Request):
    service_id: str
    company_name: str
    service_category: str


class UpdatedItem(EstimateItem):
    title: str
    image_url: str


class BookingLine(UpdatedItem):
    freight_info: FreightInfo


class BookingRequest(Request):
    """The page's own request, field by field in its order."""

    render_id: str
    tmall_order_info: TmallOrderInfo
    receiver_address: BookingAddress
    line_items: tuple[BookingLine, ...]


class ItemInfo(Response):
    item_id: GivenId
    sku_id: GivenId
    quantity: Counted = 0
    title: str = ""


class InternationalLogisticInfo(Response):
    logistic_number: ParcelNumber = Field(
        "", validation_alias=alias("logisticNumer", "logisticNumber")
    )
    logistic_company_name: str = ""
    tracking_url: str = ""


class SubOrder(Response):
    """`parcel` is one object, despite the plural of its name on the wire."""

    item_infos: Annotated[tuple[ItemInfo, ...], if_it_fits(())] = ()
    parcel: Annotated[
        InternationalLogisticInfo, if_it_fits(InternationalLogisticInfo())
    ] = Field(
        InternationalLogisticInfo(),
        validation_alias=alias(
            "internationalLogisticInfos", "internationalLogisticInfo"
        ),
    )


class Booking(Response):
    """A booking can't be looked up: its id is enough, and what does not fit beside it
    is left out.
    """

    order_id: GivenId
    order_fee: Annotated[Priced | None, if_it_fits(None)] = None
    sub_orders: Annotated[tuple[SubOrder, ...], if_it_fits(())] = ()


class BookedParcel(InternationalLogisticInfo):
    """A parcel of a booking of ours, seen from the order; `order_id` is the
    booking's.
    """

    order_id: Id = ""
    render_id: Id = ""


class DomesticLogisticInfo(Request):
    logistic_number: str = Field(alias="logisticNumer")
    logistic_company_name: str
    rts_time: str | None = None


class LogisticInfo(Request):
    """`logistic_number` is the international one, from the booking."""

    line_item: UpdatedItem
    logistic_number: str = Field(alias="logisticNumer")
    domestic_logistic_info: tuple[DomesticLogisticInfo, ...]


class UpdateRequest(Request):
    order_id: str
    tmall_order_id: str
    logistic_infos: tuple[LogisticInfo, ...]


BASICS = Group("Basics")
ADDRESSES = BASICS(
    75, "Get user address information", "GET /open/address/get", ASSUMED
).read(Nothing, tuple[UserAddress, ...])
# The page shows an answer of `code` and `msg` alone: further fields are no reason for
# doubt.
ADDRESS_UPSERT = BASICS(
    76, "Address added and updated", "POST /open/address/addOrUpdate", SIBLING
).sends(AddressUpsertRequest, object, Action.CALL)

LOGISTICS = Group("Warehouse logistics")
ESTIMATE = LOGISTICS(
    77,
    "Please refer to the estimated overseas freight",
    "POST /open/pp/logistics/orderEstimateFreight",
    ASSUMED,
).read(EstimateRequest, Estimate)
RENDER = LOGISTICS(
    78,
    "Order overseas freight preview",
    "POST /open/pp/logistics/orderRenderFreight",
    SIBLING,
).read(RenderRequest, Rendered)
BOOK = LOGISTICS(
    79,
    "Create international logistics orders",
    "POST /open/pp/logistics/orderBookingFreight",
    CONFIRMED,
).sends(BookingRequest, Booking, Action.BOOK)
UPDATE = LOGISTICS(
    80,
    "Update domestic logistics information",
    "POST /open/pp/logistics/updateLogisticInfo",
    CONFIRMED,
).sends(UpdateRequest, bool, Action.NOTIFY)
