"""The tables of what marketplaces and carriers offer: their rows are of offers, plans
and orders.
"""

from __future__ import annotations

from typing import NamedTuple

from connectors.snapshots.tables.shared import (
    NOT_FILLED,
    NOT_STATED,
    amount,
    currency_of,
    moment,
    shared,
    variant,
)
from connectors.snapshots.tables.table import (
    VOLUME_PRICES,
    Column,
    Kept,
    Row,
    Table,
    count,
    flag,
    or_none,
    text,
    texts,
    unfilled,
)
from domain.offers import FreightQuote, FreightService, Offer, Sku, volume_prices_of

QUOTED_AT = moment(
    "When it was quoted. `snapshot_at` is the nearest time that is known.",
    source="not filled",
    null=NOT_FILLED,
    get=unfilled,
)


class Variant(NamedTuple):
    """A SKU of an offer."""

    offer: Offer
    sku: Sku


class OfferedFreight(NamedTuple):
    """A service on offer for an order, which has chosen one or none."""

    order_ref: str
    quote: FreightQuote
    service: FreightService
    chosen: str | None


def freight_on_offer(
    order_ref: str, quote: FreightQuote | None, chosen: str | None
) -> list[OfferedFreight]:
    return (
        [
            OfferedFreight(order_ref, quote, service, chosen)
            for service in quote.services
        ]
        if quote
        else []
    )


def offer_rows(offer: Offer) -> list[Row]:
    """A row for each SKU of an offer, as of when it was seen: one that is written again
    later hides nothing newer.
    """
    as_of = {"snapshot_at": offer.seen_at} if offer.seen_at else {}
    return [OFFERS.row(Variant(offer, sku)) | as_of for sku in offer.skus]


OFFERS = Table(
    "offers",
    ("marketplace", "item_id", "sku_id"),
    "Prices and stock: one row a variant (SKU), whenever a batch read its product or a crawl saw it change.",
    {
        **shared("marketplace", "item_id", of="offer"),
        **shared("sku_id", of="sku"),
        **shared("title", of="offer"),
        "sku_name": text(
            "The variant's properties.",
            source="product answer",
            example="颜色: 蓝色; 尺码: S",
            null="never; an empty text where it has none",
            get="sku.name",
        ),
        **shared("seller_id", "seller_name", of="offer"),
        "price_minor": amount(
            "What one piece costs at the minimum quantity, without postage; of a variant that is gone its last price.",
            source="product answer: `promotionPrice`, else `price` (Taobao), `price` (1688, bigMajor, Poizon), "
            "first step of `ladderPrice` (international)",
            example=2910,
            get="sku.price.minor",
        ),
        "currency": currency_of(
            "the prices",
            source="product answer; yuan where it names none",
            get="sku.price.currency",
        ),
        "stock": count(
            "How many can be bought. 0 when the variant is gone.",
            unit="pieces",
            source="product answer",
            example=28668,
            get="sku.stock",
        ),
        "min_quantity": count(
            "The fewest that the seller sells of the product, all variants together.",
            unit="pieces",
            source="product answer; 1 where it says nothing",
            example=10,
            get="offer.min_quantity",
        ),
        "active": flag(
            "Whether it is on sale, with the ids that an order needs. False when a crawl no longer finds it.",
            source="product answer: `status`",
            example=True,
            get=lambda offer_sku: offer_sku.offer.active and offer_sku.sku.active,
        ),
        **shared("spec_id", of="sku"),
        **shared("distribution_item_id", of="offer"),
        **shared("distribution_sku_id", of="sku"),
        "image_url": variant(
            "image_url",
            get=lambda offer_sku: offer_sku.sku.image_url or offer_sku.offer.image_url,
        ),
        "image_urls": texts(
            "All pictures of the product.",
            source="product answer",
            example=["https://img.example.com/730254020329.jpg"],
            null="never",
            get="offer.image_urls",
        ),
        "category_id": text(
            "The marketplace's id of the product's category. Empty where it tells none.",
            source="product answer",
            example="50014812",
            null="never",
            get="offer.category_id",
        ),
        "category_name": text(
            "The category's name. Empty where the marketplace tells none.",
            source="product answer; international tells none",
            example="玩具",
            null="never",
            get="offer.category_name",
        ),
        "volume_prices": Column(
            VOLUME_PRICES,
            "From `start_quantity` pieces on, one costs `price_minor`. An empty list: the quantity changes nothing.",
            unit="pieces; minor units of `currency`",
            source="product answer: `priceRangeList` (1688, bigMajor; a variant's price falls as the product's does), "
            "`ladderPrice` (international)",
            example=[
                {"start_quantity": 10, "price_minor": 138},
                {"start_quantity": 50, "price_minor": 131},
            ],
            null="never",
            get=lambda offer_sku: [
                {"start_quantity": step.start_quantity, "price_minor": step.price.minor}
                for step in volume_prices_of(offer_sku.offer, offer_sku.sku)
            ],
        ),
        "seen_at": moment(
            "When a batch or a catalogue crawl read it, or noticed that it is gone.",
            source="batch, crawl",
            null="it is not known: then `snapshot_at` is the nearest time",
            get="offer.seen_at",
        ),
    },
    kept=Kept.RUNS,
)
QUOTES = Table(
    "quotes",
    ("order_ref",),
    "What the marketplace's preview says an order will cost, before anything is bought.",
    {
        **shared("order_ref", "marketplace", of="request"),
        **shared("seller_id"),
        "goods_minor": amount(
            "The goods, discounts taken off. 0 when the preview was refused (see `problems`).",
            source="preview answer: `productAmount` (Taobao, international), `sumPaymentNoCarriage` (1688, bigMajor), "
            "`goodsAmount` (Poizon)",
            example=9800,
            get="quote.goods.minor",
        ),
        "postage_minor": amount(
            "Postage from the seller to the warehouse in China.",
            source="preview answer: `domesticPostFee` (Taobao), `sumCarriage` (1688, bigMajor), `freightAmount` "
            "(Poizon), the cheapest carrier's fee (international)",
            example=500,
            get="quote.postage.minor",
        ),
        "total_minor": amount(
            "What paying will cost: goods, postage, and what the service adds as its fee (total - goods - postage).",
            source="preview answer: `purchaseAmount` (Taobao), `sumPayment` (1688), `sumTotalPayment` (bigMajor), "
            "`totalAmount` (Poizon); goods and postage together (international)",
            example=10300,
            get="quote.total.minor",
        ),
        **shared("currency", of="quote.total"),
        "problems": texts(
            "Why it can't be bought as asked: `out_of_stock`, `below_min_quantity`, `offline`, `sku_unknown`, "
            "`sellers_differ`, `address_invalid`, `price_changed`, `other`. An empty list: nothing is wrong.",
            source="preview answer: its error codes, in words of our own",
            example=["out_of_stock"],
            get=lambda plan: [problem.problem for problem in plan.quote.problems],
        ),
        "message": text(
            "The service's own words for the problems.",
            source="preview answer: its messages",
            example="库存不足",
            null="there is no problem, or none with words",
            get=lambda plan: (
                "; ".join(problem.message for problem in plan.quote.problems) or None
            ),
        ),
        "quoted_at": QUOTED_AT,
    },
    each=lambda plan: (plan,) if plan.quote else (),
    kept=Kept.RUNS,
)
FREIGHT_QUOTES = Table(
    "freight_quotes",
    ("order_ref", "service_id"),
    "The international services on offer for an order, from the warehouse to the receiver. `orders.freight_service` "
    "decides which is chosen.",
    {
        **shared("order_ref"),
        "service_id": text(
            "The service's id, as a request file may name it.",
            source="freight answer: `serviceId`",
            example="2",
            get="service.service_id",
        ),
        "render_id": text(
            "The quote that a booking refers to; good for 24 hours.",
            source="answer of the freight preview: `renderId`",
            example="FF2024080200105",
            null="it is a mere estimate, on which nothing can be booked",
            get=or_none("quote.render_id"),
        ),
        "company": text(
            "The carrier.",
            source="freight answer: `companyName`",
            example="UCS",
            null=NOT_STATED,
            get="service.company",
        ),
        "category": text(
            "The carrier's kind of service.",
            source="freight answer: `serviceCategory`",
            example="EXPRESS",
            null=NOT_STATED,
            get="service.category",
        ),
        "price_minor": amount(
            "What shipping the order costs.",
            source="freight answer: its amount",
            example=2160,
            get="service.price.minor",
        ),
        "currency": currency_of(
            "the price",
            source="freight answer: the amount's currency",
            example="USD",
            get="service.price.currency",
        ),
        "min_days": count(
            "The fewest days from the warehouse to the door. 0: not given.",
            unit="days",
            source="freight answer",
            example=4,
            get="service.min_days",
        ),
        "max_days": count(
            "The most days from the warehouse to the door. 0: not given.",
            unit="days",
            source="freight answer",
            example=7,
            get="service.max_days",
        ),
        "chosen": flag(
            "Whether it is the service of the order, by the file's wish in `freight`.",
            source="decision of the run",
            example=True,
            get=lambda offered: offered.service.service_id == offered.chosen,
        ),
        "quoted_at": QUOTED_AT,
    },
    each=lambda order: freight_on_offer(
        order.order_ref, order.freight_quote, order.freight_service
    ),
)
