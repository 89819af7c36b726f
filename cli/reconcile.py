"""`sourcing reconcile`: compare ledger and service at a terminal."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from cli.failures import NEEDS_A_PERSON, BadUsage
from cli.running import run_flow
from cli.status import open_ledger
from cli.terminal import MOST_SHOWN, console, person, print_json, show_orders, show_snapshot, table_of, warn
from domain.differences import Finding, FindingKind
from domain.marketplace import Marketplace

if TYPE_CHECKING:
    from flows.prefect_ui.reconcile_artifact import ReconciliationReport

ORDER = re.compile(rf"({'|'.join(Marketplace)}):[^:\s]+")
AMOUNT = re.compile(r"[0-9]{1,12}(\.[0-9]{1,2})?")
SUMS = ("marketplace", "ledger", "service", "difference")
COLOURS = {FindingKind.STATE_DIFFERS: "yellow", FindingKind.OPEN_QUESTION: "magenta"}


def run_reconciliation(
    *,
    since_days: int | None,
    wallet_out_cny: str | None,
    marketplaces: list[Marketplace],
    not_ours: list[str],
    ours: list[str],
    by: str | None,
    as_json: bool,
) -> int:
    """Run the flow and print what differs; answers the exit code."""
    if wallet_out_cny and not AMOUNT.fullmatch(wallet_out_cny):
        raise BadUsage(f"--wallet-out-cny {wallet_out_cny}: not an amount in yuan, such as 15 or 99.50")
    for line in [*not_ours, *ours]:
        if not ORDER.fullmatch(line):
            raise BadUsage(f"{line}: give marketplace and order id, such as taobao:4050118801")
    by = by or person()
    _take_back(ours, by)

    async def flow() -> ReconciliationReport:
        from flows.reconcile import reconcile_ledger

        days = -1 if since_days is None else since_days
        return await reconcile_ledger(days, wallet_out_cny or "", marketplaces, not_ours, by)

    report = run_flow(flow)
    if as_json:
        print_json(report.to_json())
    else:
        show(report)
    for trouble in report.troubles:
        warn("not compared:", str(trouble))
    for line in report.not_marked:
        warn("not marked:", line)
    return 0 if report.all_fine else NEEDS_A_PERSON


def _take_back(lines: list[str], by: str) -> None:
    """Make these orders findings again that a person declared foreign."""
    if not lines:
        return
    with open_ledger() as ledger:
        for line in lines:
            name, order_id = line.split(":", 1)
            if not ledger.foreign_orders.take_back((Marketplace(name), order_id), by=by):
                warn(f"{line}: it was not marked as not ours")


def show(report: ReconciliationReport) -> None:
    """Show the sums, what was settled, and every finding with what to do about it."""
    from flows.prefect_ui.reconcile_artifact import summary_of

    if report.settled:
        show_orders("Settled by reading", report.settled)
    if report.paid:
        console.print(Padding(_sums(report), (0, 0, 1, 0)))
    for finding in report.findings[:MOST_SHOWN]:
        _show_finding(finding)
    if len(report.findings) > MOST_SHOWN:
        console.print(f"and {len(report.findings) - MOST_SHOWN:,} more: see them with --json, or sourcing sql")
    for note in report.notes:
        console.print(f"Note: {note}", soft_wrap=True)
    console.print(f"Since {report.since:%Y-%m-%d}: {summary_of(report)}", soft_wrap=True)
    show_snapshot(report.snapshot_id, report.snapshot_root, report.rejected)


def _sums(report: ReconciliationReport) -> Table:
    gaps = [(one, one.service - one.ledger) for one in report.paid]
    rows = (
        (one.marketplace, str(one.ledger), str(one.service), Text(str(gap), style="red" if gap.minor else "green"))
        for one, gap in gaps
    )
    return table_of(SUMS, rows, title="Paid", right=SUMS[1:], no_wrap=True)


def _show_finding(finding: Finding) -> None:
    head = Text.assemble(
        (finding.kind.replace("_", " "), f"bold {COLOURS.get(finding.kind, 'red')}"),
        *(f"  {part}" for part in (finding.marketplace, finding.order_ref, finding.order_id) if part),
    )
    console.print(head, soft_wrap=True)
    sides = ("orders", "wallet") if finding.kind is FindingKind.WALLET_DIFFERS else ("ledger", "service")
    grid = Table.grid(padding=(0, 2))
    for name, words in zip((*sides, "to do"), (finding.expected, finding.seen, finding.remedy), strict=True):
        grid.add_row(Text(name, style="dim"), words)
    console.print(Padding(grid, (0, 0, 1, 2)))
