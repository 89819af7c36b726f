"""`sourcing confirm`: ask a person all that is open about a marketplace, one question after the other."""

from __future__ import annotations

import typer

from cli.failures import COULD_NOT_RUN, agrees, say
from cli.status import open_ledger
from cli.terminal import person
from connectors.ledger.store import Ledger
from domain.first_orders import BALANCE
from domain.marketplace import Marketplace
from flows.answers.marketplaces import Question, Topic, answer, open_about

ASKS = {
    Topic.AMOUNTS: "Have you looked, and is all as it should be there?",
    Topic.REFERENCE: "Does the console show it as ours, with just that?",
    Topic.UNITS: "Have you looked, and are its amounts right?",
    Topic.ALL_KNOWN: "Is every order of ours there known to this ledger?",
}
EXACTLY = "Did the balance fall by exactly that, once?"
CHANNEL = "By which channel was it paid, as the console names it?"
GOODS = "Does the console show these goods for your warehouse?"


def confirm_marketplace(
    marketplace: Marketplace, *, yes: bool, channel: str | None, otherwise: str, by: str | None
) -> int:
    """Ask and record. The exit code says whether a question is left open."""
    with open_ledger() as ledger:
        ledger.asks_first = True  # a person who asks is answered, also about what an earlier program has paid
        questions = open_about(ledger, marketplace)
        if not questions:
            say(f"nothing is open about {marketplace}")
            return 0
        left = 0
        for question in questions:
            say(question.words)
            left += not _answered(ledger, marketplace, question, yes, channel, otherwise, by or person())
        return COULD_NOT_RUN if left else 0


def _answered(
    ledger: Ledger,
    marketplace: Marketplace,
    question: Question,
    yes: bool,  # noqa: FBT001
    channel: str | None,
    otherwise: str,
    by: str,
) -> bool:
    if question.topic is not Topic.FIRST_PAYMENT:
        if agreed := agrees(ASKS[question.topic], yes=yes):
            say(f"confirmed: {answer(ledger, marketplace, question, by=by)}")
        return agreed
    if not otherwise:
        if not agrees(EXACTLY, yes=yes):
            return _left_open(marketplace)
        channel = channel or (BALANCE if yes else typer.prompt(CHANNEL, default=BALANCE, err=True))
        if channel.strip().casefold() != BALANCE:
            otherwise = f"it was paid by {channel.strip()}"
        elif not agrees(GOODS, yes=yes):
            return _left_open(marketplace)
    say(f"recorded: {answer(ledger, marketplace, question, by=by, otherwise=otherwise)}")
    return True


def _left_open(marketplace: Marketplace) -> bool:
    say(f"nothing was recorded. If it is otherwise, say how: sourcing confirm {marketplace} --otherwise WORDS")
    return False
