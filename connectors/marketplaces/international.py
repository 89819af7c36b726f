"""InternationalAlibaba: orders under our reference as the service's key, with a carrier
of a freight quote.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from connectors.concurrently import concurrently
from connectors.marketplaces.browsing import Browser, refuse_filters
from connectors.marketplaces.lines import (
    distinct,
    domestic,
    of_lines,
    priced_line,
    problem_of,
    scans,
    shipments,
    sku_ids,
    status_of,
    unknown_sale,
)
from connectors.marketplaces.listing import (
    FilteredOrders,
    OrderPage,
    OrderQuery,
    order_page,
)
from connectors.marketplaces.protocol import Created, Warehouse
from connectors.marketplaces.refusals import (
    PRODUCT_NOT_FOUND,
    asked_before,
    code_of,
    created_orders,
    no_quote,
    payment_answer,
    refusal,
    require_approved,
    require_understood,
    unless_missing,
    unsettled,
)
from connectors.xportcn.errors import ContractMismatch, Refused
from connectors.xportcn.operations import international
from connectors.xportcn.wire import china_text, numbers_in
from domain.effects import Claim
from domain.marketplace import Marketplace
from domain.money import Money, total_of
from domain.offers import (
    Filters,
    Hits,
    LineProblem,
    Offer,
    OfferSummary,
    Problem,
    Quote,
    Sku,
    VolumePrice,
)
from domain.orders import OrderLine, SourcingOrder
from domain.service_orders import Goods, ServiceOrder, ServiceStatus

ONLINE = "online"
CNY = "CNY"
PAY_SUCCESS = "PAY_SUCCESS"
PAY_FAILED = "PAY_FAILED"

# States that wait for the service, or need a person (audited, frozen, charged back),
# are OTHER.
STATUSES = {
    "unpay": ServiceStatus.UNPAID,
    "paying": ServiceStatus.PAYMENT_PENDING,
    "paid": ServiceStatus.PAID,
    "captured": ServiceStatus.PAID,
    "undeliver": ServiceStatus.PAID,
    "delivering": ServiceStatus.SHIPPED,
    "waitconfirmreceipt": ServiceStatus.SHIPPED,
    "tradesuccess": ServiceStatus.FINISHED,
    "tradeclose": ServiceStatus.CLOSED,
}

# Contract 1.6 and all 5.1; other codes have no term in the domain.
PROBLEMS = {
    **dict.fromkeys(international.REFUSALS, Problem.RULED_OUT),
    "130106": Problem.OFFLINE,
    "40401": Problem.OFFLINE,
    "10005": Problem.SKU_UNKNOWN,
    "130703": Problem.OUT_OF_STOCK,
    "140004": Problem.OUT_OF_STOCK,
    "10007": Problem.BELOW_MIN_QUANTITY,
    "4027": Problem.BELOW_MIN_QUANTITY,
    "410006": Problem.BELOW_MIN_QUANTITY,
    "120019": Problem.ADDRESS_INVALID,
    "4015": Problem.ADDRESS_INVALID,
    "130608": Problem.ADDRESS_INVALID,
    "10012": Problem.ADDRESS_INVALID,
}
BAD_REQUEST = "40001"
PRODUCT_LIST = "productList"


def summary(hit: international.SearchHit) -> OfferSummary:
    return OfferSummary(
        marketplace=Marketplace.INTERNATIONAL,
        item_id=hit.product_id,
        title=hit.title,
        price=hit.price,
        image_url=hit.image,
        seller_id=hit.e_company_id,
    )


def offer(product: international.Product) -> Offer:
    return Offer(
        marketplace=Marketplace.INTERNATIONAL,
        item_id=product.product_id,
        title=product.title,
        image_url=next(iter(product.images), ""),
        seller_id=product.e_company_id,
        seller_name=product.shop_name,
        min_quantity=max(1, product.min_order_quantity),
        active=product.status == ONLINE,
        skus=distinct(_sku(sku) for sku in product.skus),
        category_id=product.category_id,
        image_urls=distinct(product.images),
        unknown_state=unknown_sale(ONLINE, product.status),
    )


def _sku(sku: international.ProductSku) -> Sku:
    return Sku(
        sku_id=sku.sku_id,
        name="; ".join(
            f"{sku_attribute.attr_name}: {sku_attribute.attr_value}"
            for sku_attribute in sku.sku_attr_list
        ),
        price=sku.ladder_price[0].price,
        stock=sku.stock,
        image_url=sku.image,
        volume_prices=_volume_prices(sku.ladder_price),
    )


def _volume_prices(
    ladder: Sequence[international.LadderStep],
) -> tuple[VolumePrice, ...]:
    return distinct(
        VolumePrice(start_quantity=step.min_quantity, price=step.price)
        for step in ladder
    )


def problem(code: str, words: str, line: OrderLine | None = None) -> LineProblem:
    """The problem of a code. Two sellers come as a bad `productList` (all 5)."""
    sellers_differ = code == BAD_REQUEST and words.startswith(PRODUCT_LIST)
    known = Problem.SELLERS_DIFFER if sellers_differ else PROBLEMS.get(code)
    return problem_of(known or Problem.OTHER, words or code, line)


def cheapest(freight: international.Freight) -> international.Carrier | None:
    """The cheapest carrier that charges in CNY; of equals the fastest."""
    carriers = [carrier for carrier in freight.carriers if carrier.currency == CNY]
    return min(
        carriers,
        key=lambda carrier: (carrier.fee.minor, carrier.max_days, carrier.carrier_code),
        default=None,
    )


def line_amounts(
    lines: Sequence[OrderLine], products: Iterable[international.Product]
) -> dict[int, Money]:
    """The cost of each line by the ladder prices, which count all pieces of a product
    in the order.
    """
    pieces = Counter[str]()
    for line in lines:
        pieces[line.item_id] += line.quantity
    skus = {
        (product.product_id, sku.sku_id): sku
        for product in products
        for sku in product.skus
    }
    return {
        line.line_no: _ladder_price(sku, pieces[line.item_id]) * line.quantity
        for line in lines
        if (sku := skus.get(sku_ids(line)))
    }


def _ladder_price(sku: international.ProductSku, pieces: int) -> Money:
    reached = [step for step in sku.ladder_price if step.min_quantity <= pieces]
    return max(
        reached or sku.ladder_price[:1], key=lambda step: step.min_quantity
    ).price


def total(freight: international.Freight, lines: Sequence[OrderLine]) -> Quote:
    """The cost of the order with the cheapest carrier, without the price of each
    line.
    """
    told = of_lines(
        lines,
        sku_ids,
        (((line.product_id, line.sku_id), line) for line in freight.problem_list),
    )
    problems = tuple(
        problem(line.error_code, line.error_message, our) for our, line in told
    )
    carrier = cheapest(freight)
    problems = problems or tuple(_unfit(freight, carrier))
    goods = freight.product_amount if freight.currency == CNY else Money(0)
    postage = carrier.fee if carrier else Money(0)
    return Quote(goods=goods, postage=postage, total=goods + postage, problems=problems)


def _unfit(
    freight: international.Freight, carrier: international.Carrier | None
) -> Iterable[LineProblem]:
    if freight.currency != CNY:
        message = f"priced in {freight.currency}: only orders in {CNY} are bought"
        yield problem_of(Problem.RULED_OUT, message)
    elif carrier is None:
        message = (
            "no carrier brings it to the warehouse"
            if not freight.carriers
            else f"no carrier charges in {CNY}"
        )
        yield problem_of(Problem.RULED_OUT, message)


def quote(
    freight: international.Freight,
    lines: Sequence[OrderLine],
    amounts: Mapping[int, Money],
) -> Quote:
    """The total with each line's amount. The amounts must not add up to less than the
    service will take.
    """
    whole_quote = total(freight, lines)
    if whole_quote.problems:
        return whole_quote
    priced = tuple(
        priced_line(line, amount)
        for line in lines
        if (amount := amounts.get(line.line_no)) is not None and amount.currency == CNY
    )
    known = total_of([line.amount for line in priced])
    if len(priced) < len(lines) or known < whole_quote.goods:
        message = f"the prices of its lines add up to {known}, the goods cost {whole_quote.goods}"
        return replace(whole_quote, problems=(problem_of(Problem.OTHER, message),))
    return replace(whole_quote, lines=priced)


def created(answer: international.CreateAnswer) -> Created:
    """The new orders; raises `Unanswered` when the answer lacks an id or an amount in
    CNY.
    """
    orders = [
        (order.trade_id, order.total_amount if order.currency == CNY else None)
        for order in answer.order_list
    ]
    is_among_them = answer.trade_id in ("", *(trade_id for trade_id, _ in orders))
    return created_orders(
        international.CREATE, answer, orders, is_success=is_among_them
    )


def settle_payment(answer: international.PayAnswer) -> None:
    """Return if the order is paid. Raises `Refused` for a clear refusal, `Unanswered`
    otherwise.
    """
    if answer.status == PAY_SUCCESS and not answer.reason_code:
        return
    if answer.status == PAY_FAILED:
        raise refusal(
            international.PAY, answer, answer.reason_code, code=answer.reason_code
        )
    message = f"{answer.status or 'no status'}, reason {answer.reason_code or 'none'}"
    raise unsettled(international.PAY, answer, f"the answer says {message}")


def service_order(order: international.Order) -> ServiceOrder:
    """Raises `ContractMismatch` for another currency: such an order is never ours, and
    its amounts can't be judged.
    """
    if order.currency != CNY:
        message = (
            f"order {order.trade_id} is in {order.currency}; only {CNY} is dealt with"
        )
        raise ContractMismatch(
            message, operation=international.ORDER_LIST.name, field="currency"
        )
    return any_order(order)


def any_order(order: international.Order) -> ServiceOrder:
    """Any order of the account, with its amounts in its own currency."""
    return ServiceOrder(
        order_id=order.trade_id,
        reference=order.channel_refer_id,
        status=status_of(order.trade_status, STATUSES),
        state_word=order.trade_status,
        total=order.total_amount,
        paid=order.paid_amount,
        created_at=order.create_date,
        paid_at=order.pay_date,
        close_reason=order.close_reason,
        parcels=domestic(
            *(
                (
                    domestic_parcel.tracking_number,
                    domestic_parcel.carrier_name,
                    domestic_parcel.sent_date,
                )
                for domestic_parcel in order.logistics_list
            )
        ),
        shipments=shipments(order.international_logistics),
        scans=scans(
            *(
                (number, domestic_parcel.traces)
                for domestic_parcel in order.logistics_list
                for number in numbers_in(domestic_parcel.tracking_number)
            ),
            *(
                (international_logistic.logistic_number, international_logistic.traces)
                for international_logistic in order.international_logistics
            ),
        ),
        goods=tuple(
            Goods(
                item_id=product.product_id,
                sku_id=product.sku_id,
                quantity=product.quantity,
            )
            for product in order.products
        ),
    )


CHINA_BY_PHONE = "86"


class InternationalChannel(FilteredOrders):
    """Implements `Channel` (see `marketplaces.protocol`). Only items priced in CNY are
    bought.
    """

    marketplace: Marketplace = Marketplace.INTERNATIONAL
    order_list = international.ORDER_LIST

    async def offer(self, item_id: str) -> Offer | None:
        product = await self._product(item_id)
        return offer(product) if product else None

    async def _product(self, item_id: str) -> international.Product | None:
        request = international.DetailRequest(product_id=item_id)
        return await unless_missing(
            self._client.read(international.DETAIL, request), PRODUCT_NOT_FOUND
        )

    async def quote(self, order: SourcingOrder, warehouse: Warehouse) -> Quote:
        """The cheapest carrier's total. Prices of several lines are looked up: freight
        answers only their sum.
        """
        try:
            freight = await self._freight(order, warehouse)
        except Refused as refused:
            return no_quote(problem(refused.code, refused.message), refused.code)
        amounts = {order.lines[0].line_no: freight.product_amount}
        if len(order.lines) > 1:
            products = await concurrently(
                dict.fromkeys(line.item_id for line in order.lines), self._product
            )
            amounts = line_amounts(
                order.lines, [product for product in products if product]
            )
        return quote(freight, order.lines, amounts)

    async def _freight(
        self, order: SourcingOrder, warehouse: Warehouse
    ) -> international.Freight:
        request = international.FreightRequest(
            product_list=_products(order.lines), shipment_address=_address(warehouse)
        )
        return await self._client.read(international.FREIGHT, request)

    async def create(
        self,
        claim: Claim,
        order: SourcingOrder,
        warehouse: Warehouse,
        *,
        approved: Money,
    ) -> Created:
        """Take a carrier of a fresh freight quote, compare with `approved`, which no
        other check does, and create.
        """
        try:
            freight = await asked_before(
                international.CREATE, self._freight(order, warehouse)
            )
            require_approved(
                international.CREATE, total(freight, order.lines), approved
            )
            request = _create_request(order, warehouse, cheapest(freight))
            answer = await self._client.effect(
                international.CREATE, request, claim=claim
            )
        except Refused as refused:
            refusal = problem(refused.code, refused.message)
            if refused.operation == international.FREIGHT.name:
                require_understood(
                    international.CREATE, no_quote(refusal, refused.code)
                )
            raise replace(
                refused, code=code_of(refused), problems=refused.problems or (refusal,)
            ) from refused
        return created(answer)

    async def pay(self, claim: Claim, order_id: str) -> None:
        request = international.PayRequest(order_id_list=(order_id,))
        answer = await payment_answer(
            self._client.effect(international.PAY, request, claim=claim)
        )
        settle_payment(answer)

    async def _page(self, order_query: OrderQuery) -> OrderPage:
        request = international.OrderListRequest(
            start_page=order_query.page_no,
            page_size=order_query.size,
            create_date_start=china_text(order_query.since)
            if order_query.since
            else None,
            channel_refer_ids=tuple(order_query.references) or None,
            trade_ids=tuple(order_query.order_ids) or None,
        )
        answer = await self._client.read(international.ORDER_LIST, request)
        read = any_order if order_query.since else service_order
        return order_page(answer.order_list, answer.total_count, read)


def _products(lines: Sequence[OrderLine]) -> tuple[international.OrderedProduct, ...]:
    return tuple(
        international.OrderedProduct(
            product_id=line.item_id, sku_id=line.sku_id, quantity=line.quantity
        )
        for line in lines
    )


def _create_request(
    order: SourcingOrder, warehouse: Warehouse, carrier: international.Carrier | None
) -> international.CreateRequest:
    return international.CreateRequest(
        channel_refer_id=order.order_ref,
        product_list=_products(order.lines),
        logistics_detail=international.LogisticsDetail(
            shipment_address=_address(warehouse),
            carrier_code=carrier.carrier_code
            if carrier
            else "",  # without one the quote has a problem
        ),
    )


def _address(warehouse: Warehouse) -> international.ShipmentAddress:
    return international.ShipmentAddress(
        zip=warehouse.zip,
        country="China",
        country_code=international.CHINA,
        province=warehouse.province,
        city=warehouse.city,
        address=f"{warehouse.district}{warehouse.address}",
        contact_person=warehouse.name,
        telephone=international.Telephone(
            country=CHINA_BY_PHONE, number=warehouse.phone
        ),
    )


class InternationalBrowser(Browser):
    marketplace = Marketplace.INTERNATIONAL

    async def by_words(self, words: str, filters: Filters) -> Hits:
        refuse_filters(self.marketplace, "words", filters, offers="category")
        return await self._listed(words, filters)

    async def listing(self, filters: Filters) -> Hits:
        refuse_filters(self.marketplace, "listings", filters, offers="category")
        return await self._listed("", filters)

    async def _listed(self, message: str, filters: Filters) -> Hits:
        request = international.SearchRequest(
            index=filters.page - 1,  # pages count from 0 here
            size=filters.page_size,
            keyword=message or None,
            category_id=filters.category_id or None,
        )
        page = await self._client.read(international.SEARCH, request)
        return Hits(
            total=page.result_total,
            offers=tuple(summary(hit) for hit in page.result_data),
        )
