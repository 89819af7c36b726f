"""`sourcing todo`: everything that waits for a person."""

from __future__ import annotations

from datetime import timedelta

from rich.padding import Padding
from rich.text import Text

from cli.failures import NEEDS_A_PERSON
from cli.status import open_ledger, print_if_paused
from cli.terminal import MOST_SHOWN, and_more, clock_time, console, print_json, state_colour, zone
from connectors.settings import SourcingSettings
from domain.reasons import grouped
from domain.wording import shorten
from flows.answers.todo import ToDo, to_do


def show_to_do(refused_days: int, *, as_json: bool) -> int:
    """List what waits, the oldest first, those with one cause together; answers 3 while there is something."""
    with open_ledger() as ledger:
        if not as_json:
            print_if_paused(ledger)
        found = to_do(ledger, refused_for=timedelta(days=refused_days), inbox=SourcingSettings().inbox)
    if as_json:
        print_json([one.to_json() for one in found])
    elif not found:
        console.print("Nothing waits for you")
    else:
        _show(found)
    return NEEDS_A_PERSON if found else 0


def _show(found: list[ToDo]) -> None:
    alike = grouped(found, lambda one: (tuple(one.commands), one.advice))
    console.print(f"{len(found):,} to do, the oldest first (times in {zone()})", soft_wrap=True)
    for those, reason in alike[:MOST_SHOWN]:
        state, commands, advice = those[0].state, those[0].commands, those[0].advice
        refs = shorten([one.order_ref for one in those])
        told = Text.assemble(
            (refs, "bold"), " ", (state, state_colour(state)), f" since {clock_time(those[0].since)}: "
        )
        console.print(Padding(told + Text(reason), (0, 0, 0, 2)))
        for command in commands:
            console.print(Text(f"      {command}"), soft_wrap=True)
        if advice:
            console.print(Text(f"      {advice}"), soft_wrap=True)
    if len(alike) > MOST_SHOWN:
        console.print(and_more(len(alike), "--json"))
