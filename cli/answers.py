"""Answers that only a person can give: about an order, and about what is open at a
marketplace.
"""

from __future__ import annotations

from typing import Annotated

import typer

from cli.failures import (
    COULD_NOT_RUN,
    NEEDS_A_PERSON,
    agrees,
    awaited,
    say,
    settings_now,
)
from cli.lazily import lazily
from domain.effects import Resolution, ResolutionRefused
from domain.effects import ResolutionKind as K
from domain.holds import Topic
from domain.marketplace import Marketplace
from flows.prefect_ui.remedy_parameters import (
    NO_TEXTS,
    AnswerGiven,
    AnswerTracking,
    AnswerUpTo,
    AnswerValue,
    FirstPaymentOtherwise,
    resolution_of,
)

with lazily():
    from cli import status, terminal
    from connectors.ledger import send_log, store
    from connectors.xportcn import settings as xportcn
    from deployments import local_server
    from flows import remedies
    from flows.answers import marketplaces, questions
    from tasks.engine import resources

ASKS = {
    Topic.FIRST_PAYMENT: "Did the balance fall by exactly that, once, by no other channel, and does the console show "
    "these goods for your warehouse?",
    Topic.AMOUNTS: "Have you looked, and is all as it should be there?",
    Topic.REFERENCE: "Does the console show it as ours, with just that?",
    Topic.ALL_KNOWN: "Is every order of ours there known to this ledger?",
}


def resolve(
    order_ref: str,
    answer: AnswerGiven = K.SHOW,
    value: AnswerValue = "",
    *,
    tracking: AnswerTracking = NO_TEXTS,
    up_to: AnswerUpTo = "",
) -> int:
    """Answer what only a person can find out about an order; without an answer show
    what is asked.
    """
    said = resolution_of(answer, value, tracking, up_to)
    try:
        return (
            _show_questions(order_ref) if answer is K.SHOW else _take(order_ref, said)
        )
    except ResolutionRefused as error:
        say(str(error))
        return COULD_NOT_RUN


def _take(order_ref: str, answer: Resolution) -> int:
    settings = settings_now()

    async def run() -> str:
        async with resources.open_resources(
            settings, xportcn.XportcnSettings()
        ) as opened:
            order = await remedies.take(opened, order_ref, answer, by=terminal.person())
        return f"{order_ref} is now {order.state}: {order.reason}".removesuffix(": ")

    with local_server.running_server(settings.data_dir):
        terminal.console.print(awaited(run()), soft_wrap=True)
    return 0


def _show_questions(order_ref: str) -> int:
    """List the open questions of an order and how to answer; answers 3 while there is
    one.
    """
    with status.open_ledger() as ledger:
        order = questions.order_of(ledger, order_ref)
        open_questions = questions.open_questions(ledger, order)
    if not open_questions:
        terminal.console.print(
            f"{order_ref} is {order.state}: nothing about it waits for an answer"
        )
        return 0
    for asked in open_questions:
        since = f"open since {terminal.clock_time(asked.since)} {terminal.zone()}"
        terminal.console.print(f"{asked.words} ({since})", soft_wrap=True)
        if asked.held_until:
            until = f"{terminal.clock_time(asked.held_until)} {terminal.zone()}"
            terminal.console.print(f"  a run has it until {until}: wait for that")
        for command in asked.commands:
            terminal.console.print(f"  {command}", soft_wrap=True, highlight=False)
    terminal.console.print(
        "Running its request file again reads the service first, which settles most of this."
    )
    return NEEDS_A_PERSON


def confirm(
    marketplace: Annotated[
        Marketplace | None,
        typer.Argument(
            help="Which one you have checked in the console; without it a restored ledger."
        ),
    ] = None,
    *,
    yes: Annotated[
        bool, typer.Option("--yes", "-y", help="All is as it should be: don't ask.")
    ] = False,
    otherwise: FirstPaymentOtherwise = "",
) -> int:
    """Answer all that is open about a marketplace: its first payment, amounts that
    differ, orders of unknown origin. Or let a restored ledger buy again.
    """
    with status.open_ledger() as ledger:
        if marketplace is None:
            return _confirm_restored(ledger, yes=yes)
        ledger.asks_first = True  # a person who asks is answered, also about what was paid without asking
        questions = marketplaces.open_about(ledger, marketplace)
        if not questions:
            say(f"nothing is open about {marketplace}")
            return 0
        answers = [
            _answered(ledger, marketplace, question, yes, otherwise)
            for question in questions
        ]
        return 0 if all(answers) else COULD_NOT_RUN


def _answered(
    ledger: store.Ledger,
    marketplace: Marketplace,
    question: marketplaces.Question,
    yes: bool,  # noqa: FBT001
    otherwise: str,
) -> bool:
    """Ask one question and record its answer; False where it stays open."""
    say(question.words)
    is_first_payment = question.topic is Topic.FIRST_PAYMENT
    differs = otherwise if is_first_payment else ""
    if not differs and not agrees(ASKS[question.topic], yes=yes):
        if is_first_payment:
            say(
                f"nothing was recorded. If it is otherwise, say how: sourcing confirm {marketplace} --otherwise WORDS"
            )
        return False
    effect = marketplaces.answer(
        ledger,
        marketplace,
        question,
        by=terminal.person(),
        otherwise=differs,
    )
    say(f"recorded: {effect}")
    return True


def _confirm_restored(ledger: store.Ledger, *, yes: bool) -> int:
    """Let a restored ledger buy again once a person says that it knows everything."""
    words = ledger.marks.restored()
    if not words:
        say("this ledger waits for no confirmation; about a marketplace name it")
        return 0
    say(
        f"This ledger {words}. It has forgotten what was dropped, refused, cancelled and answered since; drop and "
        "refuse that again"
    )
    if not agrees("Is everything that was bought since known to it?", yes=yes):
        return COULD_NOT_RUN
    settings = settings_now()
    last_sent = max(
        (sent.at for sent in send_log.noted(settings.data_dir / "sends")), default=None
    )
    until = ledger.marks.confirm_restored(
        by=terminal.person(), listed_within=settings.listed_within, last_sent=last_sent
    )
    if until is None:
        say("confirmed: the next run may buy")
    else:
        say(
            f"confirmed: the next run may buy, once it is {until:%Y-%m-%d %H:%M:%S} UTC: what was sent before may be "
            "missing from a list until then"
        )
    return 0
