"""The effects of a remedy, shown before it is carried out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from prefect import runtime

from domain.after_sale import RefundOption
from domain.reasons import Reason
from domain.wording import pluralize
from flows.prefect_ui.artifacts import show_table
from flows.prefect_ui.expected_errors import best_effort, rename_run, run_logger

SWITCH_OFF = "Nothing was sent. To do it, start it again with 'Only show what would happen' switched off"


@dataclass(frozen=True, slots=True, kw_only=True)
class DryRunRow:
    """The effect on one order: what `would` be done, or `why_not`."""

    order_ref: str
    state: str
    would: str = ""
    why_not: Reason | None = None

    @property
    def words(self) -> str:
        return (
            f"{self.order_ref}: would {self.would}" if self.would else f"{self.order_ref}: not possible: {self.why_not}"
        )


async def show_dry_run(rows: Sequence[DryRunRow], choices: Sequence[Mapping[str, str]] = ()) -> None:
    """Show the table of what would happen, and the `choices`, where one is to be made first."""
    for row in rows:
        run_logger().info("%s", row.words)
    run_logger().info("%s", SWITCH_OFF)
    await best_effort("what would happen", _show(rows, choices))


async def _show(rows: Sequence[DryRunRow], choices: Sequence[Mapping[str, str]]) -> None:
    table = [
        {"order": one.order_ref, "would": one.would, "why not": str(one.why_not or ""), "state": one.state}
        for one in rows
    ]
    await show_table("would-happen", table, SWITCH_OFF)
    if choices:
        await show_table("choices", choices, "Choose one of these")
    first_name = str(runtime.flow_run.name or "remedy").split(": ")[0]
    await rename_run(f"{first_name}: {dry_run_summary(rows)}")


def dry_run_summary(rows: Sequence[DryRunRow]) -> str:
    """`only shown: would confirm the receipt`, or of several `only shown: 3 orders, 1 of them not possible`."""
    if len(rows) == 1:
        return f"only shown: {rows[0].words.partition(': ')[2]}"
    cant = sum(1 for row in rows if row.why_not)
    return f"only shown: {pluralize(len(rows), 'order')}{f', {cant:,} of them not possible' if cant else ''}"


def reasons_shown(options: Sequence[RefundOption]) -> list[dict[str, str]]:
    """The reasons that the marketplace takes, a row each."""
    return [
        {
            "reason": str(option.reason_id),
            "words": option.name,
            "from": str(option.least + option.least_postage),
            "up to": str(option.most + option.most_postage),
            "picture": "needed" if option.needs_voucher else "",
        }
        for option in options
    ]
