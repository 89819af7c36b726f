"""Commands that read the service and compare, and buy nothing: track, reconcile, catalog."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from cli.failures import NEEDS_A_PERSON, ChunkSize, Concurrency, Json, as_usage
from domain.differences import Finding, FindingKind, OrderId
from domain.marketplace import Marketplace
from domain.wording import pluralize
from flows.prefect_ui.remedy_parameters import AnsweredBy

if TYPE_CHECKING:
    from rich.table import Table

    import flows.reconcile
    import flows.sync_tracking
    from flows.prefect_ui.reconcile_artifact import ReconciliationReport
    from flows.sync_catalog import CatalogReport
else:
    from cli.failures import flows

SUMS = ("marketplace", "ledger", "service", "difference")
COLOURS = {FindingKind.STATE_DIFFERS: "yellow", FindingKind.OPEN_QUESTION: "magenta"}


def track(*, chunk_size: ChunkSize = None, concurrency: Concurrency = None, json: Json = False) -> int:
    """Follow the parcels of booked orders and report incoming ones to the warehouse."""
    from cli.running import run_flow
    from cli.terminal import console, print_json, show_orders, show_snapshot, warn

    report = run_flow(lambda: flows.sync_tracking.sync_tracking(chunk_size or 0, concurrency or 0))
    if json:
        print_json(report.to_json())
    else:
        if report.moved:
            show_orders("Moved", report.moved)
        followed, events = pluralize(report.followed, "order"), pluralize(report.new_events, "new event")
        console.print(f"{followed} followed, {len(report.moved):,} moved, {events}")
        for file in (*report.shops, *report.files):
            console.print(f"For a shop: {file}", soft_wrap=True)
        show_snapshot(report.snapshot_id, report.snapshot_root, report.rejected)
    for word, count in report.unknown_words.items():
        warn("not known:", f"{word} ({pluralize(count, 'order')})")
    for trouble in report.troubles:
        warn("not asked about:", trouble)
    for words in report.lacking:
        warn("a shop is not told:", words)
    return NEEDS_A_PERSON if report.troubles or report.lacking or report.rejected else 0


def reconcile(
    *,
    since: Annotated[
        int | None, typer.Option(metavar="DAYS", min=0, help="How far back; 0 is today. Else SOURCING_LOOK_BACK_DAYS.")
    ] = None,
    marketplace: Annotated[
        list[Marketplace] | None, typer.Option(help="Only this one; may be repeated. Else all of them.")
    ] = None,
    wallet_out_cny: Annotated[
        str, typer.Option(help="What left the wallet since then for orders, by the console's statement, in yuan.")
    ] = "",
    not_ours: Annotated[
        list[str] | None,
        typer.Option(
            metavar="MARKETPLACE:ORDER_ID",
            help="An orphan that another program ordered and that is to stay: not listed again. May be repeated.",
        ),
    ] = None,
    ours: Annotated[
        list[str] | None, typer.Option(metavar="MARKETPLACE:ORDER_ID", help="Takes that back; it is listed again.")
    ] = None,
    by: AnsweredBy = "",
    json: Json = False,
) -> int:
    """Compare the ledger with the marketplaces' own lists: orders, payments, shipments. Buys nothing."""
    from cli.running import run_flow
    from cli.terminal import person, print_json, warn
    from flows.prefect_ui.parameters import foreign_orders, wallet_out

    wallet_out(wallet_out_cny, "--wallet-out-cny")
    foreign_orders(not_ours or [], "--not-ours")
    by = by or person()
    _take_back(foreign_orders(ours or [], "--ours"), by)
    days, foreign = -1 if since is None else since, not_ours or []
    report = run_flow(lambda: flows.reconcile.reconcile_ledger(days, wallet_out_cny, marketplace or [], foreign, by))
    if json:
        print_json(report.to_json())
    else:
        _show_differences(report)
    for trouble in report.troubles:
        warn("not compared:", str(trouble))
    for line in report.not_marked:
        warn("not marked:", line)
    return 0 if report.all_fine else NEEDS_A_PERSON


def _take_back(orders: Sequence[OrderId], by: str) -> None:
    """Make these orders findings again that a person declared foreign."""
    from cli.status import open_ledger
    from cli.terminal import warn

    if not orders:
        return
    with open_ledger() as ledger:
        for marketplace, order_id in orders:
            if not ledger.foreign_orders.take_back((marketplace, order_id), by=by):
                warn(f"{marketplace}:{order_id}: it was not marked as not ours")


def _show_differences(report: ReconciliationReport) -> None:
    """Show the sums, what was settled, and every finding with what to do about it."""
    from rich.padding import Padding

    from cli.terminal import MOST_SHOWN, console, show_orders, show_snapshot
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
    console.print(f"Since {report.begins}: {summary_of(report)}", soft_wrap=True)
    show_snapshot(report.snapshot_id, report.snapshot_root, report.rejected)


def _sums(report: ReconciliationReport) -> Table:
    from rich.text import Text

    from cli.terminal import table_of

    gaps = [(one, one.service - one.ledger) for one in report.paid]
    rows = (
        (one.marketplace, str(one.ledger), str(one.service), Text(str(gap), style="red" if gap.minor else "green"))
        for one, gap in gaps
    )
    return table_of(SUMS, rows, title="Paid", right=SUMS[1:], no_wrap=True)


def _show_finding(finding: Finding) -> None:
    from rich.padding import Padding
    from rich.table import Table
    from rich.text import Text

    from cli.terminal import console

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


def catalog(
    marketplaces: Annotated[list[Marketplace], typer.Argument(help="Where to look; several are possible.")],
    *,
    keyword: Annotated[list[str] | None, typer.Option(help="What these words find; may be repeated.")] = None,
    category: Annotated[list[str] | None, typer.Option(metavar="ID", help="All of a category.")] = None,
    shop: Annotated[list[str] | None, typer.Option(metavar="ID", help="All that a seller offers.")] = None,
    item: Annotated[list[str] | None, typer.Option(metavar="ID|URL", help="One item.")] = None,
    everything: Annotated[bool, typer.Option("--everything", help="All that there is.")] = False,
    full: Annotated[bool, typer.Option("--full", help="Fetch and write also what has not changed.")] = False,
    limit: Annotated[int | None, typer.Option(min=1, help="Most items from each keyword, category and shop.")] = None,
    concurrency: Concurrency = None,
    json: Json = False,
) -> int:
    """Bring the table of offers up to date: prices, stock, sellers, pictures. Goes on after a break."""
    from cli.running import run_flow
    from cli.terminal import print_json
    from domain.catalogue import Selection

    with as_usage():
        wanted = [
            Selection(
                marketplace=marketplace,
                keywords=tuple(keyword or ()),
                categories=tuple(category or ()),
                shops=tuple(shop or ()),
                items=tuple(item or ()),
                everything=everything,
            )
            for marketplace in dict.fromkeys(marketplaces)
        ]

    async def flow() -> CatalogReport:
        from flows.prefect_ui.parameters import WantedOffers
        from flows.sync_catalog import sync_catalog

        return await sync_catalog(
            [WantedOffers.model_validate(one) for one in wanted], full, limit or 0, concurrency or 0
        )

    with as_usage():
        report = run_flow(flow)
    print_json(report.to_json()) if json else _show_catalog(report)
    return NEEDS_A_PERSON if report.troubles or report.rejected else 0


def _show_catalog(report: CatalogReport) -> None:
    """The marketplaces listed, the changes, and where the snapshot lies."""
    from cli.terminal import console, show_snapshot, warn

    if report.is_resumed:
        console.print("Went on with a run that was broken off")
    console.print(
        f"{report.items:,} items with {report.skus:,} SKUs: {report.new:,} new, {report.changed:,} changed, "
        f"{report.unchanged:,} as before, {report.gone:,} gone ({report.pages:,} pages and {report.fetched:,} items "
        "read in this run)"
    )
    show_snapshot(report.snapshot_id, report.snapshot_root, report.rejected)
    for trouble in report.troubles:
        warn("not fetched:", str(trouble))
    if report.trouble_count > len(report.troubles):
        warn("not fetched:", f"{report.trouble_count - len(report.troubles):,} more")
