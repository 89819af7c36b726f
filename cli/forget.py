"""`sourcing forget`: strike a receiver who asks for it."""

from __future__ import annotations

import sys
from dataclasses import asdict

import typer

from cli.failures import COULD_NOT_RUN, NEEDS_A_PERSON, BadUsage, say
from cli.status import open_ledger
from cli.terminal import console, person, print_json
from connectors.kept_files import Left
from connectors.ledger.forgetting import StillNeeded
from connectors.settings import SourcingSettings
from deployments.forgetting import Place, forget, known_of

SHOWN = 20
OUTSIDE = (
    "Elsewhere it stays: at the marketplace and at the warehouse, which were told the address; in backups and exports "
    "outside the data folder; in your mails. docs/operating.md says more."
)


def forget_receiver(order_ref: str, *, yes: bool, by: str | None, as_json: bool) -> int:
    """Strike a receiver; answers the exit code: 3 where something is left that needs a look."""
    with open_ledger() as ledger:
        place = Place(settings=SourcingSettings(), ledger=ledger)
        stands, before = ledger.forgotten.standing(order_ref), ledger.forgotten.of_order(order_ref)
        if stands and (why := stands.why_needed()):
            return _refused(order_ref, why)
        known = known_of(place, order_ref)
        if stands is None and before is None and not known.traces.receivers:
            say(f"nothing is known of an order {order_ref}; see all with: sourcing status")
            return COULD_NOT_RUN
        unordered = " Nothing of it was ordered, and nothing will be." if stands and stands.never_begun else ""
        _require_yes(order_ref, unordered, yes=yes)
        try:
            told = forget(place, order_ref, known, by=by or person())
        except StillNeeded as error:  # another run has begun with it meanwhile
            return _refused(order_ref, str(error))
        at = ledger.forgotten.known([order_ref])[order_ref]
    if as_json:
        others = list(known.others)
        print_json({"order_ref": order_ref, "forgotten_at": at.isoformat(), **asdict(told), "same_receiver": others})
    else:
        _show(order_ref, told)
    return NEEDS_A_PERSON if told.left else 0


def _refused(order_ref: str, why: str) -> int:
    say(f"the receiver of {order_ref} is still needed: {why}. Nothing was changed")
    return COULD_NOT_RUN


def _require_yes(order_ref: str, further: str, *, yes: bool) -> None:
    if yes:
        return
    if not sys.stdin.isatty():
        raise BadUsage("nobody can be asked here whether to forget the receiver: add --yes")
    words = f"Strike name, phone, e-mail and address of {order_ref} for good?{further} This can't be undone"
    typer.confirm(words, default=False, abort=True, err=True)


def _show(order_ref: str, told: Left) -> None:
    console.print(f"The receiver of {order_ref} is forgotten. The order stays in the ledger, with its amounts.")
    _list("Struck also from", told.struck)
    _list("Left, and needs a look", told.left)
    _list("Not this program's to change", told.elsewhere)
    console.print(OUTSIDE, soft_wrap=True)


def _list(title: str, lines: list[str]) -> None:
    if lines:
        console.print(f"{title}:")
    for line in lines[:SHOWN]:
        console.print(f"  {line}", soft_wrap=True, highlight=False, markup=False)
    if len(lines) > SHOWN:
        console.print(f"  and {len(lines) - SHOWN:,} more: see them with --json")
