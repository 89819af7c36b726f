"""`sourcing call`: one operation of the service by hand."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from dataclasses import replace
from hashlib import sha256
from typing import Annotated, Any

import typer

from cli.failures import (
    COULD_NOT_RUN,
    NEEDS_A_PERSON,
    BadUsage,
    awaited,
    say,
    settings_now,
)
from cli.lazily import lazily
from domain.after_sale import FOLLOWED, UNDER_WAY
from domain.effects import OPEN

with lazily():
    from cli import terminal
    from connectors.ledger import store
    from connectors.xportcn import client, errors, models, operations
    from connectors.xportcn import settings as xportcn
    from connectors.xportcn.operations import operation as declared
    from tasks.engine import resources

NOTE = "call"
"""The name of the marks that note calls which change something."""


def call(
    operation: Annotated[
        str, typer.Argument(help="Its number or title, as `sourcing endpoints` lists.")
    ],
    request: Annotated[
        str, typer.Argument(metavar="JSON", help="The request; - reads it from stdin.")
    ] = "{}",
    *,
    confirm: Annotated[
        bool, typer.Option("--confirm", help="Make a call that changes something.")
    ] = False,
) -> int:
    """Make one call to the service and print its answer; what spends or asks for money
    has a command of its own.
    """
    from pydantic_core import to_jsonable_python

    called = _operation_named(operation)
    asked = _request_of(called, sys.stdin.read() if request == "-" else request)
    if isinstance(called, declared.ReadCall) and called.is_read_only:
        answer = awaited(_answer_read(called, asked))
    elif not confirm:
        raise BadUsage(f"{called.name} changes something: say so with --confirm")
    else:
        try:
            answer = awaited(_answer_of_change(called, asked))
        except errors.Unanswered as error:
            say(f"{error}. It may have happened: look before you call it again")
            return NEEDS_A_PERSON
    terminal.print_json(to_jsonable_python(answer))
    return COULD_NOT_RUN if _says_no(answer) else 0


def _says_no(answer: object) -> bool:
    """Whether an answer refuses inside a success."""
    fields = answer if isinstance(answer, dict) else {"success": answer}
    return any(
        value is False and name.lower().endswith("success")
        for name, value in fields.items()
    )


def _operation_named(text: str) -> declared.Call[Any, Any]:
    """The operation that may be called, with the service's own answer; one that is a
    secret stays hidden. Raises `BadUsage` for none, and for one that is made otherwise.
    """
    from pydantic import SecretStr

    prefix = text.strip().casefold()
    named = [
        operation
        for operation in operations.catalogue()
        if prefix in (str(operation.nav), operation.title.casefold())
        or prefix == operation.name.casefold()
    ]
    if not named:
        raise BadUsage(f"no operation {text!r}: see sourcing endpoints --all")
    if len(named) > 1:
        numbers = ", ".join(
            f"{operation.nav} ({operation.group})" for operation in named
        )
        raise BadUsage(f"{text!r} is the title of several: say {numbers}")
    (operation,) = named
    if not isinstance(operation, declared.Call):
        raise BadUsage(f"{operation.name} is posted by the service: sourcing callbacks")
    if operation.command:
        raise BadUsage(
            f"{operation.name} is not called by hand: {operation.command} does it once, "
            "within what was approved. Nothing was sent"
        )
    is_secret = operation.response is SecretStr
    return operation if is_secret else replace(operation, response=object)


def _request_of(called: declared.Call[Any, Any], text: str) -> models.Request:
    """The request, as the operation's model reads it. Raises `BadUsage`."""
    from pydantic import ValidationError

    try:
        request: models.Request = called.request.model_validate_json(text)
    except ValidationError as error:
        faults = "; ".join(
            f"{models.field_of(fault) or 'the request'}: {fault['msg']}"
            for fault in error.errors(include_input=False, include_url=False)
        )
        fields = ", ".join(
            f"{field.alias}{'' if field.is_required() else ' (optional)'}"
            for field in called.request.model_fields.values()
        )
        raise BadUsage(
            f"mend the request: {faults}. {called.name} takes "
            f"{fields or 'no fields'}. Nothing was sent"
        ) from None
    return request


async def _answer_read(
    called: declared.ReadCall[Any, Any], request: models.Request
) -> object:
    async with client.XportcnClient(xportcn.XportcnSettings()) as service:
        return await service.read(called, request)


async def _answer_of_change(
    called: declared.Call[Any, Any], request: models.Request
) -> object:
    """Send a change once, noted in the ledger before it leaves and once answered.

    The order that it names is read by the next run that reads parcels. Raises
    `BadUsage` while an effect or another refund of that order is open.
    """
    digest = sha256(request.body().encode()).hexdigest()[:16]
    async with resources.open_resources(
        settings_now(), xportcn.XportcnSettings(), is_buying=False
    ) as opened:
        ledger = opened.ledger
        refs = _orders_named(ledger, request)
        noted = " ".join([called.name, digest, *refs])
        ledger.marks.note(NOTE, f"sending {noted}")
        ledger.tracking.make_due(refs)
        try:
            answer: object = await opened.client.by_hand(called, request)
        except errors.XportcnError as error:
            ledger.marks.note(NOTE, f"{type(error).__name__} {noted}")
            raise
        ledger.marks.note(NOTE, f"answered {noted}")
    return answer


def _orders_named(ledger: store.Ledger, request: models.Request) -> list[str]:
    """The orders whose id, or a refund's, the request names. Raises `BadUsage` while
    something is open on one.

    A refund that the request itself names may be open.
    """
    ids = set(_values_in(json.loads(request.body())))
    followed = ledger.refunds.in_states(FOLLOWED)
    named = {refund.order_ref for refund in followed if refund.refund_id in ids}
    named |= ledger.orders_with_ids(ids).keys()
    busy = [
        effect.key for effect in ledger.effects_of(named) if effect.status in OPEN
    ] + [
        refund.key
        for refund in followed
        if refund.order_ref in named
        and refund.state in UNDER_WAY
        and refund.refund_id not in ids
    ]
    if busy:
        raise BadUsage(
            f"{busy[0]} is open: wait for its end, or see sourcing todo. Nothing was sent"
        )
    return sorted(named)


def _values_in(document: object) -> Iterator[str]:
    """Every text and number of a JSON document, as text."""
    if isinstance(document, dict):
        document = list(document.values())
    if isinstance(document, list):
        for item in document:
            yield from _values_in(item)
    elif document not in (None, ""):
        yield str(document)
