"""The order and quote that make the public booking page's request get the page's
answer.
"""

from __future__ import annotations

from sandbox.entities import FreightLine, Order, OrderLine, Render
from sandbox.public_products import PUBLIC_PRODUCTS, PublicProduct

BOOKED_ON = (
    1_722_565_800_000  # 2024-08-02 10:30 in China, the date in the page's renderId
)
SHIPMENT_ID = "21"
TRACKING_NUMBERS = ("FARJP2408000013YQ", "FARJP2408000014YQ")


def _order_line(number: int, product: PublicProduct) -> OrderLine:
    return OrderLine(
        number=str(number),
        sub_id=f"12312344{4 + number}",
        item_id=product.item_id,
        sku_id=product.sku_id,
        spec_id="",
        title=product.title,
        quantity=product.quantity,
        unit_fen=product.price_fen,
    )


# sequence 0: known, but not part of the books
PUBLIC_ORDER = Order(
    sequence=0,
    marketplace="taobao",
    id="123123444",
    reference="",
    seller_id="57301000",
    lines=[
        _order_line(number, product)
        for number, product in enumerate(PUBLIC_PRODUCTS, 1)
    ],
    post_fen=0,
    receiver={},
    warehouse={},
    created_at=BOOKED_ON,
    paid_at=BOOKED_ON,
    paid_fen=6_700,
    paid_times=1,
)

PUBLIC_RENDER = Render(
    sequence=0,
    id="FF2024080200007",
    country="US",
    lines=[
        FreightLine(line.item_id, line.sku_id, line.quantity)
        for line in PUBLIC_ORDER.lines
    ],
    expires_at=None,
)
