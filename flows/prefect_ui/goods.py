"""The goods of an order as a person approves them: which variant, for how much against which limit, from which seller.

As text for tables, and as Markdown with links and pictures: as HTML, since both of Prefect's UIs bound its size alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from domain.items import Pictures, product_page, shortened
from domain.marketplace import Marketplace
from domain.money import Money
from domain.orders import OrderLine
from domain.plan import PlannedOrder
from domain.report import MatchLine
from domain.wording import pluralize
from flows.prefect_ui.inert import inert

PICTURE_PX = 48
SHOWN_LINES = 3
SHOWN_TITLE = 80
SHOWN_MATCHES = 20


def goods_text(plan: PlannedOrder) -> str:
    """`2 × Cup, blue, 5.00 CNY each (limit 6.00 CNY); …`, all lines."""
    return "; ".join(", ".join([f"{one.quantity} × {one.title}", *_which(plan, one)]) for one in plan.lines)


def goods_markdown(plan: PlannedOrder, pictures: Pictures) -> str:
    """The first lines, each with its picture and a link, and who sells it to which country: a cell of a table."""
    told = [_line(plan, line, pictures) for line in plan.lines[:SHOWN_LINES]]
    more = len(plan.lines) - SHOWN_LINES
    told += [f"and {pluralize(more, 'line')} more"] if more > 0 else []
    return "<br>".join([*told, f"from {inert(shortened(plan.seller, SHOWN_TITLE))} to {plan.request.receiver.country}"])


def _line(plan: PlannedOrder, line: OrderLine, pictures: Pictures) -> str:
    linked = _link(plan.request.marketplace, line.item_id, line.title)
    which = [inert(shortened(words, SHOWN_TITLE)) for words in _which(plan, line)]
    return ", ".join([f"{picture(line.image_url, pictures)}{line.quantity} × {linked}", *which])


def picture(address: str, pictures: Pictures) -> str:
    """A picture as HTML, with a blank behind it; empty for one that is not to be shown."""
    shown = pictures.address(address)
    return f'<img src="{shown}" width="{PICTURE_PX}" height="{PICTURE_PX}" align="left" alt=""> ' if shown else ""


def _which(plan: PlannedOrder, line: OrderLine) -> list[str]:
    limit = plan.limit(line)
    bound = f"limit {limit}" if limit else "no limit"
    return [*filter(None, [plan.variant(line)]), f"{line.unit_price} each ({bound})"]


def _link(marketplace: str, item_id: str, title: str = "") -> str:
    words = inert(" ".join(shortened(title, SHOWN_TITLE).split())) or inert(item_id)
    page = product_page(Marketplace(marketplace), item_id)
    return f"[{words}]({page})" if page else words


def goods_table(plans: Sequence[PlannedOrder], states: Mapping[str, str], pictures: Pictures) -> str:
    """A row an order; empty without any."""
    rows = [f"| {one.order_ref} | {states[one.order_ref]} | {goods_markdown(one, pictures)} |" for one in plans]
    return "\n".join(["## Goods", "", "| order | state | what |", "|---|---|---|", *rows]) if rows else ""


def found_by_words(matches: Sequence[MatchLine], count: int) -> str:
    """What the words of request lines were taken to mean, of `count` in all, as Markdown; empty where none was."""
    if not matches:
        return ""
    more = [f"- and {more:,} more"] if (more := count - len(matches)) > 0 else []
    return "\n".join([f"**Found by words: {pluralize(count, 'line')}.**", "", *map(_found, matches), *more])


def _found(match: MatchLine) -> str:
    price = f", from {Money(match.price_fen)}" if match.price_fen is not None else ""
    taken = _link(match.marketplace, match.item_id, match.title)
    others = [_link(match.marketplace, one) for one in match.candidates if one != match.item_id]
    return (
        f"- **{match.order_ref}**: {inert(match.words)} → {taken}{price}, {inert(match.seller)}: {inert(match.why)}."
        + (f" Others: {', '.join(others)}." if others else "")
        + f" To pin it: {inert(match.pin)}"
    )
