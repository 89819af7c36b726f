"""`sourcing forget`: erase a receiver on request."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict

import typer

from cli.failures import COULD_NOT_RUN, NEEDS_A_PERSON, BadUsage, say
from cli.status import open_ledger
from cli.terminal import console, person, print_json
from connectors.kept_files import Left
from connectors.ledger.forgetting import StillNeeded, require_over
from connectors.settings import SourcingSettings
from deployments.forgetting import Place, forget, known_of

SHOWN = 20
OUTSIDE = (
    "Elsewhere it stays: at the marketplace and at the warehouse, which were told the address; in backups and exports "
    "outside the data folder; in your mails. docs/operating.md says more."
)


def forget_receivers(order_refs: Sequence[str], *, yes: bool, by: str | None, as_json: bool) -> int:
    """Erase the receivers of some orders; answers the exit code: 3 where a person must deal with a rest.

    Nothing is changed where one of them is still needed.
    """
    with open_ledger() as ledger:
        place = Place(settings=SourcingSettings(), ledger=ledger)
        refs = list(dict.fromkeys(order_refs))
        try:
            unordered = [ref for ref in refs if _is_unordered(place, ref)]
            _require_yes(refs, unordered, yes=yes)
            told = {ref: _forgotten(place, ref, refs, by=by or person()) for ref in refs}
        except StillNeeded as error:
            say(str(error))
            return COULD_NOT_RUN
    if as_json:
        print_json({"orders": [{"order_ref": ref, **asdict(one)} for ref, one in told.items()]})
    else:
        _show(told)
    return NEEDS_A_PERSON if any(one.left for one in told.values()) else 0


def _is_unordered(place: Place, order_ref: str) -> bool:
    """Whether nothing of it was ordered. Raises `StillNeeded` for an order that needs its receiver, or is unknown."""
    stands = place.ledger.forgotten.standing(order_ref)
    if stands is not None:
        require_over(stands)
    elif place.ledger.forgotten.of_order(order_ref) is None and not known_of(place, order_ref).traces.receivers:
        raise StillNeeded(f"nothing is known of an order {order_ref}; see all with: sourcing status")
    return stands is not None and stands.never_begun


def _forgotten(place: Place, order_ref: str, asked: Sequence[str], *, by: str) -> Left:
    """Erase one receiver; the orders that are `asked` for too need no mention."""
    known = known_of(place, order_ref)
    told = forget(place, order_ref, known, by=by)
    told.left += [
        f"order {ref} names the same receiver: sourcing forget {ref}" for ref in known.others if ref not in asked
    ]
    return told


def _require_yes(order_refs: Sequence[str], unordered: Sequence[str], *, yes: bool) -> None:
    if yes:
        return
    if not sys.stdin.isatty():
        raise BadUsage("nobody can be asked here whether to forget the receiver: add --yes")
    never = f" Nothing of {', '.join(unordered)} was ordered, and nothing will be." if unordered else ""
    words = f"Strike name, phone, e-mail and address of {', '.join(order_refs)} for good?{never} This can't be undone"
    typer.confirm(words, default=False, abort=True, err=True)


def _show(told: Mapping[str, Left]) -> None:
    for order_ref, one in told.items():
        console.print(f"The receiver of {order_ref} is forgotten. The order stays in the ledger, with its amounts.")
        _list("Struck also from", one.struck)
        _list("Left, and needs a look", one.left)
        _list("Not this program's to change", one.elsewhere)
    console.print(OUTSIDE, soft_wrap=True)


def _list(title: str, lines: list[str]) -> None:
    if lines:
        console.print(f"{title}:")
    for line in lines[:SHOWN]:
        console.print(f"  {line}", soft_wrap=True, highlight=False, markup=False)
    if len(lines) > SHOWN:
        console.print(f"  and {len(lines) - SHOWN:,} more: see them with --json")
