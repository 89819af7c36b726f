"""InternationalAlibaba: products, freight, create, pay, list (contract 2.11, all 5.1).

Every amount is decimal text beside a currency, which need not be CNY: each amount is
read in its currency.
"""

from __future__ import annotations

from pydantic import Field

from connectors.xportcn.models import (
    EffectAnswer,
    FittingRows,
    HeadNames,
    Request,
    Response,
    RowsWithin,
)
from connectors.xportcn.operations.operation import ASSUMED, Group
from connectors.xportcn.operations.warehouse import BookedParcel, SentTime
from connectors.xportcn.wire import (
    Amount,
    ChinaTime,
    Count,
    Counted,
    Currency,
    GivenId,
    Id,
    MaybeChinaTime,
    ParcelNumbers,
    Reference,
    Word,
)
from domain.effects import Action

CHINA = "CN"

# The codes of upstream, passed through by the envelope (contract 1.6, all 5.1).
# fmt: off
REFUSALS = frozenset({
    "110001", "10010", "130602", "130608", "10012", "480006", "430013",
    "10007", "4027", "410006", "130703", "140004", "130106", "10005",
    "120019", "4015", "800022", "400007", "4016", "4028", "130704",
})
# fmt: on


class Priced(Response):
    """Base of models with amounts. The currency comes first: amounts are read in it."""

    currency: Currency


class SearchRequest(Request):
    """`index` is the page, counted from 0."""

    index: int
    size: int
    keyword: str | None = None
    category_id: str | None = None


class SearchHit(Priced):
    product_id: GivenId
    title: str = ""
    image: str = ""
    price: Amount
    e_company_id: Id = ""


class SearchPage(Response):
    result_total: Count = 0
    result_data: FittingRows[SearchHit] = FittingRows()


class DetailRequest(Request):
    product_id: str
    country: str = CHINA


class LadderStep(Priced):
    min_quantity: Count
    price: Amount


class SkuAttribute(Response):
    attr_name: str = ""
    attr_value: str = ""


class ProductSku(Response):
    sku_id: GivenId
    image: str = ""
    stock: Count = 0
    ladder_price: tuple[LadderStep, ...] = Field(min_length=1)
    sku_attr_list: tuple[SkuAttribute, ...] = ()


class Product(Response):
    product_id: GivenId
    title: str = ""
    images: tuple[str, ...] = ()
    currency: str = ""
    e_company_id: Id = ""
    shop_name: str = ""
    category_id: Id = ""
    status: Word = ""
    min_order_quantity: Count = 1
    skus: tuple[ProductSku, ...] = ()


class OrderedProduct(Request):
    product_id: str
    sku_id: str
    quantity: int


class Telephone(Request):
    country: str
    number: str


class ShipmentAddress(Request):
    zip: str
    country: str
    country_code: str
    province: str
    city: str
    address: str
    contact_person: str
    telephone: Telephone


class FreightRequest(Request):
    product_list: tuple[OrderedProduct, ...]
    shipment_address: ShipmentAddress
    dispatch_location: str = CHINA


class Carrier(Priced):
    carrier_code: str
    fee: Amount
    max_days: Count = 0


class ProblemLine(Response):
    product_id: Id = ""
    sku_id: Id = ""
    error_code: Id = ""
    error_message: str = ""


class Freight(Priced):
    """The cost of an order with each carrier. With problems, the amount counts only the
    lines that can be bought.
    """

    product_amount: Amount
    carriers: tuple[Carrier, ...] = ()
    problem_list: tuple[ProblemLine, ...] = ()


class LogisticsDetail(Request):
    shipment_address: ShipmentAddress
    dispatch_location: str = CHINA
    carrier_code: str


class CreateRequest(Request):
    """`channel_refer_id` is the idempotency key; `carrier_code` must come from a
    freight answer of the last hour.
    """

    channel_refer_id: str
    product_list: tuple[OrderedProduct, ...]
    logistics_detail: LogisticsDetail


class CreatedOrder(Priced):
    trade_id: GivenId
    total_amount: Amount
    product_amount: object = None
    freight_amount: object = None


class CreateAnswer(EffectAnswer):
    """`trade_id` is empty when several orders result."""

    trade_id: Id = ""
    order_list: tuple[CreatedOrder, ...] = ()


class PayRequest(Request):
    """Exactly one id."""

    order_id_list: tuple[str, ...]


class PayAnswer(EffectAnswer):
    status: str = ""
    reason_code: str = ""


class OrderListRequest(Request):
    """Times are China-time text; at most 50 ids or references."""

    start_page: int
    page_size: int
    status: str | None = None
    trade_ids: tuple[str, ...] | None = None
    channel_refer_ids: tuple[str, ...] | None = None
    create_date_start: str | None = None


class Trace(Response):
    time: ChinaTime
    status: str = ""
    desc: str = ""


class DomesticParcel(Response):
    tracking_number: ParcelNumbers = ""
    carrier_name: str = ""
    sent_date: SentTime = None
    traces: RowsWithin[Trace] = FittingRows()


class ParcelAbroad(BookedParcel):
    traces: RowsWithin[Trace] = FittingRows()


class OrderItem(Response):
    product_id: Id = ""
    sku_id: Id = ""
    quantity: Counted = 0


class Order(Priced):
    """`paid_amount` is absent until paid."""

    head_names = HeadNames(("tradeId",), "createDate", "channelReferId")
    trade_id: GivenId
    channel_refer_id: Reference = ""
    trade_status: Word = ""
    total_amount: Amount
    paid_amount: Amount | None = None
    product_amount: object = None
    freight_amount: object = None
    create_date: MaybeChinaTime = None
    pay_date: MaybeChinaTime = None
    close_reason: str = ""
    products: tuple[OrderItem, ...] = ()
    logistics_list: tuple[DomesticParcel, ...] = ()
    international_logistics: tuple[ParcelAbroad, ...] = ()


class OrderList(Response):
    total_count: Count = 0
    order_list: FittingRows[Order] = FittingRows()


GROUP = Group("InternationalAlibaba")
DETAIL = GROUP(
    81, "productDetailGet", "POST /alibaba/international/product/detail/get", ASSUMED
).read(DetailRequest, Product)
SEARCH = GROUP(
    82, "productList", "POST /alibaba/international/product/list", ASSUMED
).read(SearchRequest, SearchPage)
ORDER_LIST = GROUP(
    83, "GetOrderList", "POST /alibaba/international/order/list", ASSUMED
).read(OrderListRequest, OrderList)
CREATE = GROUP(
    84, "CreateOrder", "POST /alibaba/international/order/create", ASSUMED
).sends(CreateRequest, CreateAnswer, Action.CREATE, refusals=REFUSALS)
FREIGHT = GROUP(
    None,
    "freight calculate (upstream only)",
    "POST /alibaba/international/order/freight/calculate",
    ASSUMED,
).read(FreightRequest, Freight)
PAY = GROUP(
    None, "order pay (upstream only)", "POST /alibaba/international/order/pay", ASSUMED
).sends(PayRequest, PayAnswer, Action.PAY)
