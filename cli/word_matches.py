"""The items taken for the words of request lines, at a terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from cli.terminal import MOST_SHOWN, and_more
from domain.money import Money
from domain.report import MatchLine


def show_matches(matches: Sequence[MatchLine], where: Console) -> None:
    """One paragraph for each line found by words: what was taken, why, and how to make it certain."""
    taken = [match for match in matches if match.item_id]  # where nothing was taken, the order's own reason says so
    for match in taken[:MOST_SHOWN]:
        where.print(Padding(_line(match), (0, 0, 0, 2)))
    if len(taken) > MOST_SHOWN:
        where.print(and_more(len(taken), "--json"))


def _line(match: MatchLine) -> Text:
    price = f", from {Money(match.price_fen)}" if match.price_fen is not None else ""
    others = [item_id for item_id in match.candidates if item_id != match.item_id]
    return Text.assemble(
        (match.order_ref, "bold"),
        f" {match.words!r} was taken to mean {match.item_id} ",
        f"({match.title}{price}, sold by {match.seller}): {match.why}. ",
        f"Others: {', '.join(others)}. " if others else "",
        f"Pin with: {match.pin}",
    )
