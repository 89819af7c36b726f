"""`sourcing forget`: erase a receiver on request."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import asdict

import typer

from cli.failures import COULD_NOT_RUN, NEEDS_A_PERSON, BadUsage, say
from cli.status import open_ledger
from cli.terminal import console, person, print_json
from connectors.ledger.forgetting import StillNeeded, require_over
from connectors.settings import SourcingSettings
from deployments.forgetting import forget
from domain.forgetting import Erased

SHOWN = 20
OUTSIDE = (
    "Elsewhere it stays: at the marketplace and at the warehouse, which have the address; in backups and exports "
    "outside the data folder; in your mails. docs/operating.md says more."
)


def forget_receivers(order_refs: Sequence[str], *, yes: bool, by: str | None, as_json: bool) -> int:
    """Erase the receivers of some orders; answers the exit code: 3 where a person must deal with a rest.

    Nothing is changed where one of them is still needed.
    """
    refs = list(dict.fromkeys(order_refs))
    with open_ledger() as ledger:
        try:
            standing = [stands for ref in refs if (stands := ledger.forgotten.standing(ref))]
            for stands in standing:
                require_over(stands)
            _require_yes(refs, [stands.order_ref for stands in standing if stands.never_begun], yes=yes)
            erasure = forget(SourcingSettings(), ledger, refs, by=by or person())
        except StillNeeded as error:
            say(str(error))
            return COULD_NOT_RUN
    if as_json:
        print_json({"orders": refs, **asdict(erasure)})
    else:
        _show(refs, erasure)
    return NEEDS_A_PERSON if erasure.left else 0


def _require_yes(order_refs: Sequence[str], unordered: Sequence[str], *, yes: bool) -> None:
    if yes:
        return
    if not sys.stdin.isatty():
        raise BadUsage("there is no terminal to ask whether to forget the receiver: add --yes")
    never = f" Nothing of {', '.join(unordered)} was ordered, and nothing will be." if unordered else ""
    words = f"Strike name, phone, e-mail and address of {', '.join(order_refs)} for good?{never} This can't be undone"
    typer.confirm(words, default=False, abort=True, err=True)


def _show(order_refs: Sequence[str], erasure: Erased) -> None:
    words = f"Forgotten: the receiver of {', '.join(order_refs)}. Orders stay in the ledger, with their amounts."
    console.print(words, soft_wrap=True)
    _list("Struck also from", erasure.erased)
    _list("Left, and to be checked", erasure.left)
    _list("May name them until", [f"{day}: {what}" for what, day in erasure.ends.items()])
    _list("Not this program's to change", erasure.elsewhere)
    console.print(OUTSIDE, soft_wrap=True)


def _list(title: str, lines: list[str]) -> None:
    if lines:
        console.print(f"{title}:")
    for line in lines[:SHOWN]:
        console.print(f"  {line}", soft_wrap=True, highlight=False, markup=False)
    if len(lines) > SHOWN:
        console.print(f"  and {len(lines) - SHOWN:,} more: see them with --json")
