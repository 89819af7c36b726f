"""`sourcing`: every command of the product. Heavy parts are imported by the commands that need them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cli.failures import explained

app = typer.Typer(
    name="sourcing",
    help="Buy on Chinese marketplaces through the Xportcn OpenAPI and ship abroad: nothing twice, nothing unapproved.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document to stdout and nothing else there.")]
ChunkSize = Annotated[int | None, typer.Option(min=1, max=1000, help="Orders per task run.")]
Concurrency = Annotated[int | None, typer.Option(min=1, max=200, help="Calls to the service at once.")]


@app.command()
@explained
def run(
    file: Annotated[Path, typer.Argument(help="Request file: CSV, XLSX, JSON or Parquet.")],
    *,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Plan only: prices, stock, freight. Buys nothing.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Approve the plan without asking.")] = False,
    budget_cny: Annotated[str | None, typer.Option(help="Most that the batch may cost, in yuan.")] = None,
    batch: Annotated[str | None, typer.Option(help="Name of the batch; the same name goes on with it.")] = None,
    chunk_size: ChunkSize = None,
    concurrency: Concurrency = None,
    json: Json = False,
) -> None:
    """Buy and ship what a request file asks for: plan, ask, create, pay, book, snapshot."""
    from cli.run import run_batch

    raise typer.Exit(
        run_batch(
            file,
            batch=batch,
            dry_run=dry_run,
            yes=yes,
            budget_cny=budget_cny,
            chunk_size=chunk_size,
            concurrency=concurrency,
            as_json=json,
        )
    )


@app.command()
@explained
def track(*, chunk_size: ChunkSize = None, concurrency: Concurrency = None, json: Json = False) -> None:
    """Follow the parcels of booked orders and tell the warehouse what is coming."""
    from cli.track import run_tracking

    raise typer.Exit(run_tracking(chunk_size=chunk_size, concurrency=concurrency, as_json=json))


@app.command()
@explained
def status(order_ref: Annotated[str | None, typer.Argument(help="One order, with its history.")] = None) -> None:
    """Show all orders, or everything known of one."""
    from cli.status import show_status

    raise typer.Exit(show_status(order_ref))


@app.command()
@explained
def resolve(
    order_ref: str,
    *,
    booked: Annotated[
        str | None, typer.Option(metavar="NUMBER", help="It was booked: the international tracking number.")
    ] = None,
    not_booked: Annotated[bool, typer.Option("--not-booked", help="It was not booked; the next run books it.")] = False,
) -> None:
    """Answer what only a person can find out about an order whose booking got no answer."""
    from cli.status import answer_booking

    raise typer.Exit(answer_booking(order_ref, booked=booked, not_booked=not_booked))


@app.command()
@explained
def sql(
    query: Annotated[str, typer.Argument(help='A query, such as "select state, count(*) from orders group by all".')],
    *,
    json: Json = False,
) -> None:
    """Ask the snapshots: a view per table with the newest row of each key, and <table>_history."""
    from cli.sql import run_sql

    raise typer.Exit(run_sql(query, as_json=json))


@app.command()
@explained
def endpoints(
    *,
    everything: Annotated[
        bool, typer.Option("--all", help="Also operations that have no number in the manual.")
    ] = False,
    json: Json = False,
) -> None:
    """List the API operations with path and provenance."""
    from cli.endpoints import list_endpoints

    raise typer.Exit(list_endpoints(everything=everything, as_json=json))


@app.command()
@explained
def sandbox(
    *,
    host: str = "127.0.0.1",
    port: int = 8790,
    seed: Annotated[int, typer.Option(help="Another seed is another catalogue.")] = 7,
    state: Annotated[
        Path | None, typer.Option(help="Keep the books in this file; without it they live in memory.")
    ] = None,
) -> None:
    """Run a stand-in for the Xportcn service, with its own books."""
    from sandbox.server import serve

    serve(host, port, seed, state)


@app.command()
@explained
def doctor(*, json: Json = False) -> None:
    """Check Python, settings, folders, ledger, clock, reachability and credentials; say the remedy."""
    from cli.doctor import examine

    raise typer.Exit(examine(as_json=json))


def main() -> None:
    """The console script."""
    app()


if __name__ == "__main__":
    main()
