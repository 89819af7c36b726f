"""`sourcing resolve`: answer what only a person can find out about an order."""

from __future__ import annotations

import asyncio

from cli.failures import COULD_NOT_RUN, NEEDS_A_PERSON, BadUsage, money_of, say
from cli.terminal import clock_time, console, person, zone
from connectors.settings import SourcingSettings, XportcnSettings
from deployments.local_server import running_server
from domain.effects import Resolution, ResolutionKind, ResolutionRefused


def resolve_order(
    order_ref: str,
    *,
    by: str | None,
    tracking: list[str],
    up_to: str | None,
    given: dict[ResolutionKind, str | bool | None],
) -> int:
    """Take one answer, or list what is asked when there is none; answers the exit code."""
    answer = answer_of(given, tracking, up_to)
    try:
        return _show_questions(order_ref) if answer is None else _take(order_ref, answer, by or person())
    except ResolutionRefused as error:
        say(str(error))
        return COULD_NOT_RUN


def answer_of(
    given: dict[ResolutionKind, str | bool | None], tracking: list[str], up_to: str | None
) -> Resolution | None:
    """The one answer that these options make, None for none. Raises `BadUsage`."""
    said = {kind: value for kind, value in given.items() if value not in (None, False)}
    if len(said) > 1:
        raise BadUsage(f"give one answer, not {len(said)}: {', '.join(f'--{kind}' for kind in said)}")
    kind, value = next(iter(said.items()), (None, None))
    if tracking and kind is not ResolutionKind.BOOKED:
        raise BadUsage("--tracking goes with --booked SHIPMENT_ORDER_ID")
    if up_to is not None and kind is not ResolutionKind.ORDERED:
        raise BadUsage("--up-to goes with --ordered ORDER_ID")
    if kind is None:
        return None
    if kind is ResolutionKind.BOOKED and not tracking:
        raise BadUsage("say either --booked SHIPMENT_ORDER_ID --tracking NUMBER, or --not-booked")
    if kind is ResolutionKind.PAID:
        return Resolution(kind=kind, amount=money_of("--paid", str(value)))
    amount = money_of("--up-to", up_to) if up_to is not None else None
    text = value.strip() if isinstance(value, str) else ""
    if isinstance(value, str) and not text:
        raise BadUsage(f"--{kind} needs an id")
    return Resolution(kind=kind, value=text, tracking=tuple(tracking), amount=amount)


def _take(order_ref: str, answer: Resolution, by: str) -> int:
    settings = SourcingSettings()

    async def run() -> str:
        from flows.answers.resolve import resolve
        from flows.prefect_ui.events import EventFeed
        from tasks.engine.resources import open_resources

        async with open_resources(settings, XportcnSettings()) as resources:
            feed = EventFeed(resources.ledger, [order_ref], without_run=True)
            order = await resolve(resources, order_ref, answer, by=by)
            await feed.emit([order_ref])  # else an alarm about this very question would still go off
            return f"{order.order_ref} is now {order.state}" + (f": {order.reason}" if order.reason else "")

    with running_server(settings.data_dir):
        console.print(asyncio.run(run()), soft_wrap=True)
    return 0


def _show_questions(order_ref: str) -> int:
    """List the open questions of an order and how to answer; answers 3 while there is one."""
    from cli.status import open_ledger
    from flows.answers.questions import open_questions

    with open_ledger() as ledger:
        order = ledger.orders([order_ref]).get(order_ref)
        if order is None:
            raise ResolutionRefused(f"no order {order_ref} in the ledger; see all with: sourcing status")
        questions = open_questions(ledger, order)
    if not questions:
        console.print(f"{order_ref} is {order.state}: nothing about it waits for an answer")
        return 0
    for asked in questions:
        console.print(f"{asked.words} (open since {clock_time(asked.since)} {zone()})", soft_wrap=True)
        if asked.held_until:
            console.print(f"  a run has it until {clock_time(asked.held_until)} {zone()}: wait for that")
        for command in asked.commands:
            console.print(f"  {command}", soft_wrap=True, highlight=False)
    console.print("Running its request file again reads the service first, which settles most of this.")
    return NEEDS_A_PERSON
