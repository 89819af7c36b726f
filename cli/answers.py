"""Answers that only a person can give: about an order, and about what is open at a
marketplace.
"""

from __future__ import annotations

from typing import Annotated

import typer

from cli.failures import (
    COULD_NOT_RUN,
    NEEDS_A_PERSON,
    BadUsage,
    agrees,
    awaited,
    money_of,
    say,
    settings_now,
)
from cli.lazily import lazily
from domain.effects import Resolution, ResolutionKind, ResolutionRefused
from domain.holds import BALANCE
from domain.marketplace import Marketplace
from flows.prefect_ui.remedy_parameters import (
    AnsweredBy,
    ConfirmedAt,
    FirstPaymentOtherwise,
)

with lazily():
    from cli import status, terminal
    from connectors.ledger import store
    from connectors.xportcn import settings as xportcn
    from deployments import local_server
    from flows.answers import marketplaces, questions
    from flows.answers import resolve as answering
    from flows.prefect_ui import events
    from tasks.engine import resources

ASKS = {  # by topic of the question
    "amounts": "Have you looked, and is all as it should be there?",
    "reference": "Does the console show it as ours, with just that?",
    "units": "Have you looked, and are its amounts right?",
    "all known": "Is every order of ours there known to this ledger?",
}
EXACTLY = "Did the balance fall by exactly that, once?"
CHANNEL = "By which channel was it paid, as the console names it?"
GOODS = "Does the console show these goods for your warehouse?"


def resolve(  # noqa: PLR0913 - one option an answer
    order_ref: str,
    *,
    ordered: Annotated[
        str | None,
        typer.Option(
            metavar="ORDER_ID", help="It was ordered: the marketplace's order id."
        ),
    ] = None,
    up_to: Annotated[
        str | None,
        typer.Option(
            metavar="AMOUNT_CNY",
            help="With --ordered: what it may cost, if nothing is approved or goods lack.",
        ),
    ] = None,
    not_ordered: Annotated[
        bool, typer.Option("--not-ordered", help="It was not; the next run orders it.")
    ] = False,
    paid: Annotated[
        str | None,
        typer.Option(
            metavar="AMOUNT_CNY", help="It was paid: how much left the wallet, in yuan."
        ),
    ] = None,
    not_paid: Annotated[
        bool, typer.Option("--not-paid", help="No money left; the next run pays it.")
    ] = False,
    booked: Annotated[
        str | None,
        typer.Option(
            metavar="SHIPMENT_ORDER_ID", help="It was booked: the warehouse's order id."
        ),
    ] = None,
    tracking: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NUMBER",
            help="With --booked: the international tracking number; one for each parcel.",
        ),
    ] = None,
    not_booked: Annotated[
        bool,
        typer.Option("--not-booked", help="It was not booked; the next run books it."),
    ] = False,
    cancelled: Annotated[
        bool, typer.Option("--cancelled", help="The order is closed.")
    ] = False,
    not_cancelled: Annotated[
        bool, typer.Option("--not-cancelled", help="The order is not closed.")
    ] = False,
    refund_asked: Annotated[
        str | None,
        typer.Option(metavar="REFUND_ID", help="The refund was asked for: its id."),
    ] = None,
    not_refunded: Annotated[
        bool, typer.Option("--not-refunded", help="The refund was not asked for.")
    ] = False,
    came_back: Annotated[
        str | None,
        typer.Option(
            metavar="AMOUNT_CNY",
            help="So much has come back in all, also unasked; 0: nothing will.",
        ),
    ] = None,
    done: Annotated[
        str | None,
        typer.Option(
            metavar="EFFECT", help="Any other effect, by its key: it happened."
        ),
    ] = None,
    not_done: Annotated[
        str | None, typer.Option(metavar="EFFECT", help="It did not happen.")
    ] = None,
    by: AnsweredBy = "",
) -> int:
    """Answer what only a person can find out about an order; without an answer show
    what is asked.
    """
    given = locals()  # before any other name is bound: the options alone
    answers = {kind: given[kind.replace("-", "_")] for kind in ResolutionKind}
    answer = answer_of(answers, tracking or [], up_to)
    try:
        return (
            _show_questions(order_ref)
            if answer is None
            else _take(order_ref, answer, by or terminal.person())
        )
    except ResolutionRefused as error:
        say(str(error))
        return COULD_NOT_RUN


def answer_of(
    given: dict[ResolutionKind, str | bool | None],
    tracking: list[str],
    up_to: str | None,
) -> Resolution | None:
    """The one answer that these options make, None for none. Raises `BadUsage`."""
    said = {kind: value for kind, value in given.items() if value not in (None, False)}
    if len(said) > 1:
        raise BadUsage(
            f"give one answer, not {len(said)}: {', '.join(f'--{kind}' for kind in said)}"
        )
    kind, value = next(iter(said.items()), (None, None))
    if tracking and kind is not ResolutionKind.BOOKED:
        raise BadUsage("--tracking goes with --booked SHIPMENT_ORDER_ID")
    if up_to is not None and kind is not ResolutionKind.ORDERED:
        raise BadUsage("--up-to goes with --ordered ORDER_ID")
    if kind is None:
        return None
    if kind is ResolutionKind.BOOKED and not tracking:
        raise BadUsage(
            "say either --booked SHIPMENT_ORDER_ID --tracking NUMBER, or --not-booked"
        )
    if kind in (ResolutionKind.PAID, ResolutionKind.CAME_BACK):
        least = int(kind is ResolutionKind.PAID)
        return Resolution(
            kind=kind, amount=money_of(f"--{kind}", str(value), least=least)
        )
    amount = money_of("--up-to", up_to) if up_to is not None else None
    text = value.strip() if isinstance(value, str) else ""
    if isinstance(value, str) and not text:
        raise BadUsage(f"--{kind} needs an id")
    return Resolution(kind=kind, value=text, tracking=tuple(tracking), amount=amount)


def _take(order_ref: str, answer: Resolution, by: str) -> int:
    settings = settings_now()

    async def run() -> str:
        async with resources.open_resources(
            settings, xportcn.XportcnSettings()
        ) as opened:
            feed = events.EventFeed(
                opened.ledger, opened.ledger.each_order([order_ref]), without_run=True
            )
            order = await answering.resolve(opened, order_ref, answer, by=by)
            await feed.emit(
                [order_ref]
            )  # else an alarm about this very question would still go off
            return f"{order.order_ref} is now {order.state}" + (
                f": {order.reason}" if order.reason else ""
            )

    with local_server.running_server(settings.data_dir):
        terminal.console.print(awaited(run()), soft_wrap=True)
    return 0


def _show_questions(order_ref: str) -> int:
    """List the open questions of an order and how to answer; answers 3 while there is
    one.
    """
    with status.open_ledger() as ledger:
        order = ledger.orders([order_ref]).get(order_ref)
        if order is None:
            raise ResolutionRefused(
                f"no order {order_ref} in the ledger; see all with: sourcing status"
            )
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
    marketplace: ConfirmedAt,
    *,
    yes: Annotated[
        bool, typer.Option("--yes", "-y", help="All is as it should be: don't ask.")
    ] = False,
    channel: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="What the first order was paid by; any other than balance holds it.",
        ),
    ] = None,
    otherwise: FirstPaymentOtherwise = "",
    by: AnsweredBy = "",
) -> int:
    """Answer all that is open about a marketplace: its first payment, amounts that
    differ, orders of unknown origin.
    """
    with status.open_ledger() as ledger:
        ledger.marks.require_in_use()
        ledger.asks_first = True  # a person who asks is answered, also about what was paid without asking
        asked = marketplaces.open_about(ledger, marketplace)
        if not asked:
            say(f"nothing is open about {marketplace}")
            return 0
        left = 0
        for question in asked:
            say(question.words)
            left += not _answered(
                ledger,
                marketplace,
                question,
                yes,
                channel,
                otherwise,
                by or terminal.person(),
            )
        return COULD_NOT_RUN if left else 0


def _answered(
    ledger: store.Ledger,
    marketplace: Marketplace,
    question: marketplaces.Question,
    yes: bool,  # noqa: FBT001
    channel: str | None,
    otherwise: str,
    by: str,
) -> bool:
    if question.topic is not marketplaces.Topic.FIRST_PAYMENT:
        if agreed := agrees(ASKS[question.topic], yes=yes):
            say(
                f"confirmed: {marketplaces.answer(ledger, marketplace, question.topic, by=by, about=question.about)}"
            )
        return agreed
    if not otherwise:
        if not agrees(EXACTLY, yes=yes):
            return _left_open(marketplace)
        channel = channel or (
            BALANCE if yes else typer.prompt(CHANNEL, default=BALANCE, err=True)
        )
        if channel.strip().casefold() != BALANCE:
            otherwise = f"it was paid by {channel.strip()}"
        elif not agrees(GOODS, yes=yes):
            return _left_open(marketplace)
    told = marketplaces.answer(
        ledger,
        marketplace,
        question.topic,
        by=by,
        about=question.about,
        otherwise=otherwise,
    )
    say(f"recorded: {told}")
    return True


def _left_open(marketplace: Marketplace) -> bool:
    say(
        f"nothing was recorded. If it is otherwise, say how: sourcing confirm {marketplace} --otherwise WORDS"
    )
    return False
