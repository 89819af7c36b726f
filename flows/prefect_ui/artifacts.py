"""Artifacts of a run in the Prefect UI, and of what a remedy would do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from prefect.artifacts import acreate_table_artifact

from connectors.ui_pages import WHAT_WAITS, artifact_page
from domain.after_sale import RefundOption, reason_ids
from domain.money import Money
from domain.report import BatchReport
from domain.request_remarks import Fault
from domain.wording import pluralize
from flows.prefect_ui.expected_errors import best_effort
from flows.prefect_ui.markdown import inert
from flows.report.sections import urgent

MOST_ROWS = 1_000
"""Rows of a table: Prefect keeps each three times, and a browser draws all of them. All
rows are in the snapshot.
"""


async def show_table(
    key: str,
    rows: Sequence[Mapping[str, object]],
    words: str,
    *,
    rest: str = "the snapshot",
    of: int = 0,
) -> None:
    """A table of the run, no longer than a browser bears; give the rows that wait for a
    person first.

    A table shows links as they are written, so no cell holds one. `rest` is where all
    rows are, `of` how many.
    """
    first, description = of_many(rows, words, rest, of=of)
    await acreate_table_artifact(key=key, table=first, description=description)


def of_many(
    rows: Sequence[Mapping[str, object]],
    words: str,
    rest: str = "the snapshot",
    *,
    of: int = 0,
) -> tuple[list[dict[str, object]], str]:
    """The first of many rows, foreign text inert, and the words with the count of the
    rest.
    """
    hidden_count = max(of, len(rows)) - MOST_ROWS
    first = [
        {name: _cell(value) for name, value in row.items()} for row in rows[:MOST_ROWS]
    ]
    return (
        first,
        f"{words} ({hidden_count:,} more: see {rest})" if hidden_count > 0 else words,
    )


def _cell(value: object) -> object:
    return inert(value) if isinstance(value, str) else value


async def show_faults(name: str, faults: Sequence[Fault]) -> None:
    """Show the faults of a request file, cell by cell."""
    rows = [
        {"row": fault.row, "column": fault.column, "fault": fault.message}
        for fault in faults
    ]
    message = f"{pluralize(len(faults), 'fault')} in {name}; nothing was sent"
    table = show_table(
        f"faults-{artifact_key(name)}", rows, message, rest="the run's log"
    )
    await best_effort("the faults", table)


def outcome_rows(report: BatchReport) -> list[dict[str, str]]:
    """The rows that are shown, one an order, as text; those that wait for a person
    first.

    Wide tables are seen from the left.
    """
    return [
        {
            "order": line.order_ref,
            "state": str(line.state),
            "reason": line.reason,
            "paid": str(Money(line.paid_fen)) if line.paid_fen is not None else "",
            "freight": str(line.freight or ""),
            "tracking": ", ".join(line.tracking_numbers),
            "order id": line.order_id or "",
            "marketplace": line.marketplace,
        }
        for line in urgent(report)[:MOST_ROWS]
    ]


def links_of(report: BatchReport) -> str:
    """Links to the other pages of a batch, as Markdown; empty where no UI is known."""
    key = artifact_key(report.batch_id)
    pages = {} if report.dry_run else {f"outcome-{key}": "Every order"}
    asks = [f"**[Approve or refuse]({report.approval})**"] * bool(report.approval)
    if asks:
        pages[f"approval-{key}"] = "The plan that waits"
    links = markdown_links(pages | {WHAT_WAITS: "What waits for you"})
    return " · ".join(filter(None, [*asks, links]))


def with_what_waits(text: str, between: str = "\n\n") -> str:
    """A report with the link to all that waits for a person, where a UI is known."""
    return between.join(
        filter(None, [text, markdown_links({WHAT_WAITS: "What waits for you"})])
    )


def markdown_links(pages: Mapping[str, str]) -> str:
    """Links to artifacts by their keys, with these words."""
    return " · ".join(
        f"[{words}]({page})"
        for key, words in pages.items()
        if (page := artifact_page(key))
    )


def artifact_key(text: str) -> str:
    """Prefect's keys are lower-case letters, digits and dashes."""
    return (
        "-".join(
            "".join(
                c if c.isascii() and c.isalnum() else " " for c in text.lower()
            ).split()
        )
        or "batch"
    )


async def show_choices(choices: Sequence[Mapping[str, str]]) -> None:
    """Show what is to be chosen from before anything is done."""
    await best_effort(
        "the choices", show_table("choices", choices, "Choose one of these")
    )


ENGLISH = {
    "不想要了": "not wanted any more",
    "卖家缺货": "the seller has none",
    "未收到货": "did not arrive",
    "质量问题": "poor quality",
    "少件": "pieces are missing",
    "少货": "pieces are missing",
    "与描述不符": "not as described",
}
"""Reasons of the marketplaces."""


def reasons_shown(options: Sequence[RefundOption]) -> list[dict[str, str]]:
    """The reasons that the marketplace takes, a row each."""
    return [
        {
            "reason": named,
            "words": option.name,
            "in English": ENGLISH.get(option.name, ""),
            "from": str(option.least + option.least_postage),
            "up to": str(option.most + option.most_postage),
            "picture": "needed" if option.needs_voucher else "",
        }
        for named, option in zip(reason_ids(options), options, strict=True)
    ]
