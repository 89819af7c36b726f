"""One artifact with all that waits for a person, kept current: each with its reason,
and the form that leads on.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import fields
from datetime import UTC, datetime
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from prefect.client.orchestration import PrefectClient, get_client
from prefect.client.schemas.actions import ArtifactCreate, ArtifactUpdate
from prefect.client.schemas.filters import (
    ArtifactCollectionFilter,
    ArtifactCollectionFilterKey,
)
from prefect.client.schemas.objects import ArtifactCollection
from prefect.exceptions import ObjectNotFound

from connectors.foreign import prefect_errors
from connectors.ledger.store import Ledger
from connectors.settings import SourcingSettings
from connectors.ui_pages import WHAT_WAITS, run_form
from domain.holds import PAUSED, Pause
from domain.reasons import Explained
from domain.report import BatchReport, ReportLine
from domain.states import BEGUN, NEEDS_A_PERSON, OrderState
from domain.wording import counted, pluralize, shorten
from flows.answers.todo import ToDo, alike, shared_commands, to_do
from flows.prefect_ui.markdown import inert
from flows.report.sections import Leads, Link

MOST_ROWS = 1_000
NEVER = datetime.min.replace(tzinfo=UTC)
BEGIN_HERE = "begin-here"
MOST_NAMED_IN_A_LINK = 20
RESUME = "resume-buying"
FORMS = {
    "approve": ("approve-batch", "approve or refuse"),
    "run": ("buy-from-file", "run it again"),
    "resolve": ("resolve-order", "answer"),
    "refunds": ("finish-open", "read what is due"),
    "refund": ("request-refund", "ask for the money"),
    "return": ("return-parcel", "name the parcel"),
    "cancel": ("cancel-orders", "cancel it"),
    "confirm": ("confirm-marketplace", "confirm the marketplace"),
}
"""The deployment whose form replaces a command, and the text of its link."""
AGAIN = {"buy-from-file": "change or drop its line, then run it again"}


async def refresh(client: PrefectClient, ledger: Ledger) -> bool:
    """Update the artifact if what waits has changed; return whether it was written.

    Raises the errors of Prefect's client and of the ledger.
    """
    text, summary = await what_waits(client, ledger)
    return await _put(client, WHAT_WAITS, text, summary)


async def what_waits(client: PrefectClient, ledger: Ledger) -> tuple[str, str]:
    """The artifact's text (Markdown) as it is now, and a summary of it in one line."""
    settings = SourcingSettings()
    to_dos = await asyncio.to_thread(to_do, ledger, settings)
    forms = {
        deployment.name: deployment.id for deployment in await client.read_deployments()
    }
    shown = alike(to_dos)[:MOST_ROWS]
    hidden_count = len(to_dos) - sum(len(those) for those, _ in shown)
    rows = [row_of(those, reason, forms, settings.timezone) for those, reason in shown]
    kinds = [to_do.kind for to_do in to_dos]
    pause = await asyncio.to_thread(ledger.buying_paused)
    head = f"{_pause_words(pause, forms)}\n\n" if pause else ""
    paused = f"{PAUSED[:1].upper()}{PAUSED[1:]}. " if pause else ""
    return head + as_markdown(
        rows, kinds, hidden_count, settings.timezone
    ), paused + summary_of(kinds)


def _pause_words(pause: Pause, forms: Mapping[str, UUID]) -> str:
    """The first words: while buying is paused, all that waits for a run waits for its
    resumption.
    """
    link = run_form(forms[RESUME]) if RESUME in forms else ""
    return f"**{inert(pause.notice)}**" + (
        f" · [resume buying]({link})" if link else ""
    )


async def show_beginning(address: str) -> None:
    """The artifact that leads to the page of its own."""
    text = f"**[Begin here]({address})**: what waits, orders, reports, files in and out, and links to each form."
    async with get_client() as client:
        await _put(client, BEGIN_HERE, text, f"Begin at {address}")


async def _put(client: PrefectClient, key: str, text: str, summary: str) -> bool:
    """Overwrite the newest artifact, so that its page has no history of thousands;
    create it where there is none.
    """
    newest = await _newest(client, key)
    if newest is not None and (newest.data, newest.description) == (text, summary):
        return False
    if newest is not None:
        try:
            await client.update_artifact(
                newest.latest_id, ArtifactUpdate(data=text, description=summary)
            )
        except ObjectNotFound:  # it was pruned with the run that made it
            pass
        else:
            return True
    await client.create_artifact(
        ArtifactCreate(key=key, type="markdown", data=text, description=summary)
    )
    return True


async def _newest(client: PrefectClient, key: str) -> ArtifactCollection | None:
    artifact_filter = ArtifactCollectionFilter(
        key=ArtifactCollectionFilterKey(any_=[key])
    )
    artifact_collections = await client.read_latest_artifacts(
        artifact_filter=artifact_filter, limit=1
    )
    return artifact_collections[0] if artifact_collections else None


def summary_of(kinds: Sequence[str]) -> str:
    """`12 things wait for you: 7 held, 5 unknown`."""
    if not kinds:
        return "Nothing waits for you"
    verb = "waits" if len(kinds) == 1 else "wait"
    return f"{pluralize(len(kinds), 'thing')} {verb} for you: {counted(kinds)}"


def as_markdown(
    rows: Sequence[str], kinds: Sequence[str], more: int, timezone: str
) -> str:
    """The list, and the number of waiting things that it leaves out (`more`)."""
    if not kinds:
        return "**Nothing waits for you.** No order is held, refused, unknown or bought in part."
    remaining = (
        [
            f"\n**And {more:,} more**, which can wait longer. All of them: `sourcing todo --json`"
        ]
        if more
        else []
    )
    head = [
        f"**{summary_of(kinds)}.** The most urgent first, then the oldest; times in {timezone}.",
        "",
    ]
    return "\n".join([*head, *rows, *remaining])


def row_of(
    those: Sequence[ToDo], reason: str, forms: Mapping[str, UUID], timezone: str
) -> str:
    """Things that wait with one `reason`, with links to the forms of the registered
    deployments.
    """
    to_do, refs = those[0], shorten([to_do.order_ref for to_do in those])
    todo = [f"[{name}]({address})" for name, address in links_of(those, forms)]
    by_hand = [
        *([inert(to_do.advice)] if to_do.advice else []),
        *map(_code, shared_commands(those)),
    ]
    name = inert(refs if len(those) == 1 else f"{refs} of {to_do.batch_id}")
    since = min(to_do.since for to_do in those)
    return _item(
        name, to_do.state, since, [inert(reason), *by_hand], todo, timezone=timezone
    )


def links_of(those: Sequence[ToDo], forms: Mapping[str, UUID]) -> list[tuple[str, str]]:
    """The texts and addresses of the forms that lead on; none without a known UI."""
    to_do = those[0]
    remedies = [
        *_remedies(to_do),
        *(
            [("drop-orders", "not wanted", _dropping(those))]
            if to_do.is_dispensable
            else []
        ),
    ]
    if to_do.state == OrderState.REFUSED:
        remedies = [
            (form, AGAIN.get(form, name), filled) for form, name, filled in remedies
        ]
    if len(those) > 1:
        remedies = [
            remedy for remedy in remedies if "order_ref" not in remedy[2]
        ]  # it names one of them alone
    named = [
        (name, run_form(forms[form], filled))
        for form, name, filled in remedies
        if form in forms
    ]
    return named if run_form("any") else []


async def links_from(report: BatchReport) -> Leads:
    """The links of the forms that lead on from orders of a report; none while Prefect's
    server does not answer.
    """
    forms: dict[str, UUID] = {}
    if (
        run_form("any")
        and not report.dry_run
        and any(line.state in NEEDS_A_PERSON for line in report.orders)
    ):
        with suppress(*prefect_errors()):
            async with get_client() as client:
                forms = {
                    deployment.name: deployment.id
                    for deployment in await client.read_deployments()
                }

    def leads(lines: Sequence[ReportLine]) -> list[Link]:
        those = [_waiting(line, report.batch_id) for line in lines]
        return [Link(name, address) for name, address in links_of(those, forms)]

    return leads


def _waiting(line: ReportLine, batch_id: str) -> ToDo:
    row = {field.name: getattr(line, field.name) for field in fields(Explained)}
    return ToDo(
        **row,
        order_ref=line.order_ref,
        batch_id=batch_id,
        marketplace=line.marketplace,
        since=NEVER,
    )


def _dropping(those: Sequence[ToDo]) -> dict[str, Any]:
    """The values of the form that lays these aside: of many the batch alone, for all
    that is held of it.
    """
    if len(those) <= MOST_NAMED_IN_A_LINK:
        return {"order_refs": [to_do.order_ref for to_do in those]}
    return {"batch": those[0].batch_id}


def _remedies(to_do: ToDo) -> Iterable[tuple[str, str, dict[str, Any]]]:
    """Deployment, text of the link, values to fill in: never a value that only a person
    can know.
    """
    command_names = [command.split()[1] for command in to_do.commands]
    command_names += (
        to_do.reason_code.words.command.split() if to_do.reason_code else []
    )
    is_open = bool(to_do.batch_id) and to_do.state in (OrderState.UNKNOWN, *BEGUN)
    for command_word in dict.fromkeys(command_names):
        if command_word in FORMS and not (
            command_word == "run" and (is_open or not to_do.file)
        ):
            yield *FORMS[command_word], _filled(command_word, to_do)
    if is_open:  # that run needs no file and no approval
        yield "finish-open", "read its batch again", {"batch": to_do.batch_id}


def _filled(command_word: str, to_do: ToDo) -> dict[str, Any]:
    if command_word == "approve":
        return {
            "batch": to_do.batch_id,
            "plan_hash": to_do.reason_facts.get("plan", ""),
        }
    if command_word == "cancel":
        return {"order_refs": [to_do.order_ref]}
    if command_word == "confirm":
        return {"marketplace": to_do.marketplace}
    if command_word == "run":
        return {"requests": {"file": to_do.file}}
    if command_word == "refund":
        form_values = {
            name: fact
            for name, fact in to_do.reason_facts.items()
            if name in ("kind", "lines", "amount_cny")
        }
        return {"order_ref": to_do.order_ref, **form_values}
    return (
        {"order_ref": to_do.order_ref} if command_word in ("return", "resolve") else {}
    )


def _item(
    name: str,
    state: str,
    since: datetime,
    about: Sequence[str],
    todo: Sequence[str],
    *,
    timezone: str,
) -> str:
    """An item of the list: on a phone what leads on stands above the reason, and
    nothing beside it.
    """
    at = f"since {since.astimezone(ZoneInfo(timezone)):%Y-%m-%d %H:%M}"
    return (
        f"- {' · '.join([f'**{name}**', state, *todo])}<br>{' · '.join([*about, at])}"
    )


def _code(command: str) -> str:
    """A command as code, which ends at a backtick."""
    return f"`{command.replace('`', chr(39))}`"
