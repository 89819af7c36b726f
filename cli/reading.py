"""Commands that read the service and compare, and buy nothing: track, reconcile,
catalog.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import typer

from cli.failures import NEEDS_A_PERSON, Json, as_usage
from cli.lazily import lazily
from domain.absence import SEARCH_BACK_DAYS
from domain.catalogue import Selection
from domain.findings import OrderId
from domain.marketplace import Marketplace
from domain.wording import pluralize

with lazily():
    from cli import running, status, terminal
    from flows import reconcile as reconciling
    from flows import sync_catalog, sync_tracking
    from flows.prefect_ui import parameters, reconcile_artifact


def track(*, json: Json = False) -> int:
    """Follow the parcels of booked orders and report incoming ones to the warehouse."""
    # loaded while the server starts
    report = running.run_flow(lambda: sync_tracking.sync_tracking())  # noqa: PLW0108
    if json:
        terminal.print_json(report.to_json())
    else:
        if report.moved:
            terminal.show_orders("Moved", report.moved)
        followed = pluralize(report.followed, "order")
        events = pluralize(report.new_events, "new event")
        terminal.console.print(
            f"{followed} followed, {len(report.moved):,} moved, {events}"
        )
        for file in report.files:
            terminal.console.print(f"For a shop: {file}", soft_wrap=True)
        terminal.show_snapshot(report.snapshot_id, report.snapshot_root)
    for text, count in report.unknown_words.items():
        terminal.warn("not known:", f"{text} ({pluralize(count, 'order')})")
    for trouble in report.troubles:
        terminal.warn("not asked about:", trouble)
    return NEEDS_A_PERSON if report.troubles else 0


def reconcile(
    *,
    since: Annotated[
        int,
        typer.Option(metavar="DAYS", min=0, help="How far back; 0 is today."),
    ] = SEARCH_BACK_DAYS,
    marketplace: Annotated[
        list[Marketplace] | None,
        typer.Option(help="Only this one; may be repeated. Else all of them."),
    ] = None,
    not_ours: Annotated[
        list[str] | None,
        typer.Option(
            metavar="MARKETPLACE:ORDER_ID",
            help="An orphan that another program ordered and that is to stay: not listed again. May be repeated.",
        ),
    ] = None,
    ours: Annotated[
        list[str] | None,
        typer.Option(
            metavar="MARKETPLACE:ORDER_ID", help="Takes that back; it is listed again."
        ),
    ] = None,
    json: Json = False,
) -> int:
    """Compare the ledger with the marketplaces' own lists: orders, payments, shipments.
    Buys nothing.
    """
    parameters.foreign_orders(not_ours or [], "--not-ours")
    by = terminal.person()
    _take_back(parameters.foreign_orders(ours or [], "--ours"), by)
    foreign = not_ours or []
    report = running.run_flow(
        lambda: reconciling.reconcile_ledger(since, marketplace or [], foreign, by)
    )
    if json:
        terminal.print_json(report.to_json())
    else:
        _show_differences(report)
    return 0 if report.all_fine else NEEDS_A_PERSON


def _take_back(orders: Sequence[OrderId], by: str) -> None:
    """Make these orders findings again that a person declared foreign."""
    if not orders:
        return
    with status.open_ledger() as ledger:
        for marketplace, order_id in orders:
            if not ledger.foreign_orders.take_back((marketplace, order_id), by=by):
                terminal.warn(
                    f"{marketplace}:{order_id}: it was not marked as not ours"
                )


def _show_differences(report: reconcile_artifact.ReconciliationReport) -> None:
    """Show what was settled, and each finding with its remedy."""
    if report.settled:
        terminal.show_orders("Settled by reading", report.settled)
    terminal.show_markdown(reconcile_artifact.markdown(report))
    terminal.console.print(reconcile_artifact.summary_of(report), soft_wrap=True)


def catalog(
    marketplaces: Annotated[
        list[Marketplace], typer.Argument(help="Where to look; several are possible.")
    ],
    *,
    keyword: Annotated[
        list[str] | None, typer.Option(help="What these words find; may be repeated.")
    ] = None,
    category: Annotated[
        list[str] | None, typer.Option(metavar="ID", help="All of a category.")
    ] = None,
    shop: Annotated[
        list[str] | None, typer.Option(metavar="ID", help="All that a seller offers.")
    ] = None,
    item: Annotated[
        list[str] | None, typer.Option(metavar="ID|URL", help="One item.")
    ] = None,
    everything: Annotated[
        bool, typer.Option("--everything", help="All that there is.")
    ] = False,
    full: Annotated[
        bool, typer.Option("--full", help="Write also what has not changed.")
    ] = False,
    limit: Annotated[
        int | None,
        typer.Option(min=1, help="Most items from each keyword, category and shop."),
    ] = None,
    json: Json = False,
) -> int:
    """Bring the table of offers up to date: prices, stock, sellers, pictures."""
    with as_usage():
        selections = [
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

    async def flow() -> sync_catalog.CatalogReport:
        return await sync_catalog.sync_catalog(
            [parameters.WantedOffers.model_validate(one) for one in selections],
            full,
            limit or 0,
        )

    with as_usage():
        report = running.run_flow(flow)
    terminal.print_json(report.to_json()) if json else _show_catalog(report)
    return NEEDS_A_PERSON if report.troubles else 0


def _show_catalog(report: sync_catalog.CatalogReport) -> None:
    """What changed, where the snapshot lies, and what could not be fetched."""
    terminal.console.print(report.summary)
    terminal.show_snapshot(report.snapshot_id, report.snapshot_root)
    for trouble in report.troubles:
        terminal.warn("not fetched:", str(trouble))
    if report.trouble_count > len(report.troubles):
        terminal.warn(
            "not fetched:", f"{report.trouble_count - len(report.troubles):,} more"
        )
