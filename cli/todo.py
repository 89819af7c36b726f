"""`sourcing todo`: everything that waits for a person."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from datetime import timedelta

from rich.padding import Padding
from rich.text import Text

from cli.failures import NEEDS_A_PERSON
from cli.status import open_ledger, print_if_paused
from cli.terminal import MOST_SHOWN, and_more, clock_time, console, print_json, state_colour, zone
from connectors.settings import SourcingSettings
from domain.wording import MOST_NAMED, counted, shorten
from flows.answers.todo import ToDo, alike, shared_commands, to_do


def show_to_do(refused_days: int, *, as_json: bool) -> int:
    """List what waits, the most urgent first, those with one cause together; answers 3 while there is something."""
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
    groups = alike(found)
    count = counted(one.state for one in found)
    console.print(f"{len(found):,} to do: {count}; the most urgent first (times in {zone()})", soft_wrap=True)
    for those, reason in groups[:MOST_SHOWN]:
        state, advice = those[0].state, those[0].advice
        refs = shorten([one.order_ref for one in those])
        told = Text.assemble(
            (refs, "bold"), " ", (state, state_colour(state)), f" since {clock_time(those[0].since)}: "
        )
        console.print(Padding(told + Text(reason), (0, 0, 0, 2)))
        for command in (*shared_commands(those), *_dropping(those)):
            console.print(Text(f"      {command}"), soft_wrap=True)
        if advice:
            console.print(Text(f"      {advice}"), soft_wrap=True)
    if len(groups) > MOST_SHOWN:
        console.print(and_more(len(groups), "--json"))


def _dropping(those: Sequence[ToDo]) -> list[str]:
    if not those[0].is_dispensable:
        return []
    whole = f"--batch {shlex.quote(those[0].batch_id)}  # all of it that is held or refused"
    named = whole if len(those) > MOST_NAMED else " ".join(shlex.quote(one.order_ref) for one in those)
    return [f"sourcing drop {named}"]
