"""What is seen of the goods of an order."""

from __future__ import annotations

from dataclasses import replace

from markdown_it import MarkdownIt

from domain.marketplace import NO_PICTURES, Marketplace, Pictures
from domain.money import Money
from domain.offers import Offer, Quote, QuoteLine, Sku
from domain.orders import OrderLine
from domain.plan import PlannedOrder
from domain.report import BatchReport, MatchLine, ReportLine
from domain.states import OrderState
from flows.prefect_ui.markdown import (
    goods_markdown,
    markdown_report,
    shown_whole,
)
from tests.flows.plans import planned

PICTURES = Pictures(("alicdn.com",))
HOSTILE = "![x](https://evil.example/p) <img src=y onerror=z> | <script>"


def order(
    title: str = "Bowl",
    variant: str = "颜色: 蓝色",
    seller: str = "Shop",
    picture: str = "",
) -> PlannedOrder:
    asked = planned("P-1")
    limited = replace(asked.request.lines[0], max_unit_price=Money(200))
    sku = Sku(sku_id="5000", name=variant, price=Money(150), stock=9)
    line = OrderLine(
        line_no=1,
        item_id="672991141190",
        sku_id="5000",
        title=title,
        image_url=picture,
        quantity=2,
        unit_price=Money(150),
    )
    offer = Offer(
        marketplace=Marketplace.TAOBAO,
        item_id="672991141190",
        title=title,
        image_url="",
        seller_id="s-1",
        seller_name=seller,
        min_quantity=1,
        active=True,
        skus=(replace(sku, sku_id="4999", name="颜色: 红色"), sku),
    )
    return replace(
        asked,
        request=replace(asked.request, lines=(limited,)),
        lines=(line,),
        offers=(offer,),
    )


def test_the_goods_tell_which_variant_for_how_much_from_whom() -> None:
    seen = order(picture="https://img.alicdn.com/a.jpg")
    words = "2 × [Bowl](https://item.taobao.com/item.htm?id=672991141190), 颜色: 蓝色, 1.50 CNY each (limit 2.00 CNY)"
    picture = '<img src="https://img.alicdn.com/a.jpg" width="48" height="48" align="left" alt=""> '
    assert goods_markdown(seen, PICTURES) == f"{picture}{words}<br>from Shop to US"
    assert goods_markdown(seen, NO_PICTURES) == f"{words}<br>from Shop to US"


def test_the_price_of_one_piece_is_that_of_the_preview() -> None:
    """By volume the two cost 0.75 each: it is this that is compared with the limit, and
    paid.
    """
    quote = Quote(
        goods=Money(150),
        postage=Money(0),
        total=Money(150),
        lines=(QuoteLine(line_no=1, unit_price=Money(75), amount=Money(150)),),
    )
    cell = goods_markdown(replace(order(), quote=quote), NO_PICTURES)
    assert "颜色: 蓝色, 0.75 CNY each (limit 2.00 CNY)<br>" in cell


def test_words_of_sellers_make_no_picture_link_or_cell() -> None:
    """The only markup is ours: one link, and the break before the seller."""
    cell = goods_markdown(
        order(HOSTILE, HOSTILE, HOSTILE, 'https://img.alicdn.com/a.jpg" onerror="x'),
        PICTURES,
    )
    (inline,) = [
        one
        for one in MarkdownIt("commonmark", {"html": True}).parse(cell)
        if one.type == "inline"
    ]
    made = [
        (one.type, one.content)
        for one in inline.children or ()
        if one.type not in ("text", "text_special")
    ]
    assert made == [("link_open", ""), ("link_close", ""), ("html_inline", "<br>")]
    assert "|" not in cell


def test_a_report_shows_goods_and_what_words_were_taken_to_mean() -> None:
    """Of the first two hundred orders, those that wait for a person first."""
    dear = ReportLine(
        order_ref="P-1", marketplace="taobao", state=OrderState.HELD, reason="dear"
    )
    lines = [
        *(
            replace(dear, order_ref=f"B-{n}", state=OrderState.BOOKED, reason="")
            for n in range(210)
        ),
        dear,
    ]
    match = MatchLine(
        order_ref="P-1",
        marketplace="taobao",
        words="bowl",
        item_id="672991141190",
        title="Bowl",
        price_fen=150,
        seller="Shop",
        why="the only offer",
        pin="item=672991141190",
    )
    report = BatchReport(
        batch_id="b",
        orders=lines,
        spent_this_run_fen=0,
        bought_this_run=0,
        snapshot_id=None,
        snapshot_root="",
        dry_run=True,
        matches=[match],
        plans=[order()],
    )
    assert (shown_whole(report)[:2], len(shown_whole(report))) == (["P-1", "B-0"], 200)
    told = markdown_report(report)
    assert (
        "**Found by words: 1 line.**\n\n- **P-1**: bowl → [Bowl](https://item.taobao.com/"
        in told
    )
    assert "| P-1 | taobao | held | [2 × Bowl](https://item.taobao.com/" in told
    assert "And 11 more: sourcing sql, table orders" in told
