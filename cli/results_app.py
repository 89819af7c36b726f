"""The commands for results, and for erasing a receiver: costs, report, export, diff, forget."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cli.failures import AnsweredBy, BadUsage, Json, explained

app = typer.Typer()


@app.command()
@explained
def costs(
    *,
    since: Annotated[str, typer.Option(metavar="DAY", help="Only orders paid on this day or later: 2026-11-01.")] = "",
    currency: Annotated[str, typer.Option(metavar="CODE", help="Instead of SOURCING_CURRENCY, for this look.")] = "",
    csv: Annotated[Path | None, typer.Option(metavar="FILE", help="Instead of exports/ in the data folder.")] = None,
    xlsx: Annotated[Path | None, typer.Option(metavar="FILE", help="The same for the sheet.")] = None,
    json: Json = False,
) -> None:
    """What every paid order cost in all, line by line: goods, postage, fees, freight, less what came back."""
    from cli.costs import run_costs

    code = run_costs(
        since=since,
        currency=currency,
        csv=str(csv.absolute()) if csv else "",
        xlsx=str(xlsx.absolute()) if xlsx else "",
        as_json=json,
    )
    raise typer.Exit(code)


@app.command()
@explained
def report(
    batch: Annotated[str, typer.Argument(help="Of this batch; without it of everything.")] = "",
    *,
    html: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write it with charts, as one page that needs no network.")
    ] = None,
    json: Json = False,
) -> None:
    """Show states, spend, savings, freight, landed cost, times, and what waits for you."""
    from cli.report import show_report

    raise typer.Exit(show_report(batch, html, as_json=json))


@app.command()
@explained
def export(
    tables: Annotated[list[str] | None, typer.Argument(help="Tables, such as orders; without them all.")] = None,
    *,
    sql: Annotated[str, typer.Option(metavar="QUERY", help="In their place the answer to this query.")] = "",
    csv: Annotated[Path | None, typer.Option(metavar="FILE", help="Write CSV: one table.")] = None,
    xlsx: Annotated[Path | None, typer.Option(metavar="FILE", help="Write a sheet a table.")] = None,
    parquet: Annotated[Path | None, typer.Option(metavar="FILE", help="Write Parquet: one table.")] = None,
    sqlite: Annotated[Path | None, typer.Option(metavar="FILE", help="Write a SQLite database.")] = None,
    shops: Annotated[
        bool, typer.Option("--shops", help="Instead the tracking numbers that shops lack, a file a shop.")
    ] = False,
    json: Json = False,
) -> None:
    """Write tables for other programs: amounts in their currency, times of SOURCING_TIMEZONE, ids as text."""
    from cli.export import run_export, run_shops

    if shops:
        if tables or sql or csv or xlsx or parquet or sqlite:
            raise BadUsage("--shops takes no table, query or file: it names its files itself")
        raise typer.Exit(run_shops(as_json=json))
    files = {"csv": csv, "xlsx": xlsx, "parquet": parquet, "sqlite": sqlite}
    raise typer.Exit(run_export(tables or [], sql, files, as_json=json))


@app.command()
@explained
def forget(
    order_ref: Annotated[list[str], typer.Argument(help="The orders whose receiver asks to be forgotten.")],
    *,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Strike without asking.")] = False,
    by: AnsweredBy = None,
    json: Json = False,
) -> None:
    """Erase a receiver's name, phone, e-mail and address from all that is kept here; the order itself stays."""
    from cli.forget import forget_receivers

    raise typer.Exit(forget_receivers(order_ref, yes=yes, by=by, as_json=json))


@app.command()
@explained
def diff(
    table: Annotated[str, typer.Argument(help="A table of the snapshots, such as offers or orders.")],
    *,
    since: Annotated[
        str,
        typer.Option(
            metavar="WHEN", help="A time such as 06:00, 2026-11-26 or '2026-11-26 06:00', 12h, 7d, or a snapshot."
        ),
    ] = "1d",
    until: Annotated[str, typer.Option(metavar="WHEN", help="The same; without it now.")] = "",
    json: Json = False,
) -> None:
    """What changed in a table: new offers, prices, stock gone and back, states of orders."""
    from cli.diff import show_diff

    raise typer.Exit(show_diff(table, since=since, until=until, as_json=json))
