"""`sourcing`: every command of the product. Heavy parts are imported by the commands that need them."""

from __future__ import annotations

import re
import sys
from itertools import pairwise
from pathlib import Path
from typing import Annotated

import typer

from cli import after_sale, book, callbacks, carts, ledger, results, snapshots
from cli.answers import confirm, resolve
from cli.failures import (
    BatchName,
    ChunkSize,
    Concurrency,
    DoneBy,
    Encoding,
    Json,
    Wait,
    amount_of,
    as_usage,
    command,
)
from cli.pause import pause, resume
from cli.reading import catalog, reconcile, track
from domain.marketplace import Marketplace
from domain.offers import LARGEST_PAGE, Sort

app = typer.Typer(
    name="sourcing",
    help="Buy on Chinese marketplaces through the Xportcn OpenAPI and ship abroad: nothing twice, nothing unapproved.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


def show_version(wanted: bool) -> None:  # noqa: FBT001 - Typer's own form
    """Print it, and do nothing else."""
    if wanted:
        from sourcing.version import version

        typer.echo(f"sourcing {version()}")
        raise typer.Exit


@app.callback()
def common(
    *,
    version: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=show_version, help="Show the version, then end.")
    ] = False,
) -> None:
    """Options that go before a command."""


@command(app)
def run(  # noqa: PLR0913 - the options of the main job
    file: Annotated[str, typer.Argument(help="Request file: CSV, XLSX, JSON or Parquet; a path or an https address.")],
    *,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Plan only: prices, stock, freight. Buys nothing.")
    ] = False,
    yes: Annotated[
        bool, typer.Option("--yes", "-y", help="Approve the plan without asking, but for what a person has declined.")
    ] = False,
    budget_cny: Annotated[
        str | None, typer.Option(help="Most that the batch may cost in yuan: goods and domestic postage, not freight.")
    ] = None,
    done_by: DoneBy = "",
    batch: BatchName = None,
    encoding: Encoding = "",
    chunk_size: ChunkSize = None,
    concurrency: Concurrency = None,
    helpers: Annotated[
        int | None,
        typer.Option(min=1, max=64, help="So many further runs share the work; they need a ledger on PostgreSQL."),
    ] = None,
    wait: Wait = False,
    json: Json = False,
) -> int:
    """Buy and ship what a request file asks for: plan, ask, create, pay, book, snapshot."""
    from cli.run import RunOptions, run_batch

    options = RunOptions(
        file=file,
        dry_run=dry_run,
        yes=yes,
        budget_cny=amount_of("--budget-cny", budget_cny),
        done_by=done_by,
        batch=batch,
        encoding=encoding,
        chunk_size=chunk_size or 0,
        concurrency=concurrency or 0,
        helpers=helpers or 0,
        wait=wait,
    )
    return run_batch(options, as_json=json)


command(app)(track)
command(app)(reconcile)


@command(app)
def status(
    order_ref: Annotated[str | None, typer.Argument(help="One order, with its history.")] = None,
    *,
    reason: Annotated[
        str, typer.Option(metavar="CODE", help="Only orders that stand as they do for this reason (docs/reasons.md).")
    ] = "",
    every: Annotated[bool, typer.Option("--all", help="All orders, not only the 200 that changed last.")] = False,
) -> int:
    """Show the orders that changed last, or everything known of one."""
    from cli.status import MOST_ORDERS, show_status

    return show_status(order_ref, reason, None if every else MOST_ORDERS)


command(app)(resolve)


@command(app)
def sql(
    query: Annotated[str, typer.Argument(help='A query, such as "select state, count(*) from orders group by all".')],
    *,
    seconds: Annotated[float, typer.Option(min=0.1, help="How long the query may take.")] = 60,
    memory_mb: Annotated[int, typer.Option(min=64, help="How much memory it may need.")] = 1_024,
    csv: Annotated[bool, typer.Option("--csv", help="Print CSV, as export writes it.")] = False,
    json: Json = False,
) -> int:
    """Ask the snapshots: a view per table with the newest row of each key, and <table>_history."""
    from cli.export import run_sql

    return run_sql(query, seconds=seconds, memory_mb=memory_mb, as_csv=csv, as_json=json)


@command(app)
def search(  # noqa: PLR0913 - one option a filter
    marketplace: Annotated[Marketplace, typer.Argument(help="Where to look.")],
    words: Annotated[str, typer.Argument(help="Words, a product link, or an item id.")] = "",
    *,
    image: Annotated[str, typer.Option(metavar="FILE|URL", help="What looks like this image.")] = "",
    shop: Annotated[str, typer.Option(metavar="ID", help="What this seller offers.")] = "",
    category: Annotated[str, typer.Option(metavar="ID", help="Only in this category, or all of it.")] = "",
    hot: Annotated[bool, typer.Option("--hot", help="What sells best.")] = False,
    tree: Annotated[bool, typer.Option("--tree", help="The categories (below --category).")] = False,
    min_price: Annotated[str | None, typer.Option(help="Lowest price in yuan.")] = None,
    max_price: Annotated[str | None, typer.Option(help="Highest price in yuan.")] = None,
    sort: Annotated[Sort, typer.Option(help="The order of the hits.")] = Sort.RELEVANCE,
    page: Annotated[int, typer.Option(min=1, help="Which page of the hits.")] = 1,
    page_size: Annotated[int, typer.Option(min=1, max=LARGEST_PAGE, help="Hits on a page.")] = 20,
    json: Json = False,
) -> int:
    """Look for offers by words, image, shop, category or link; buys nothing."""
    from cli.search import Question, run_search
    from domain.money import Money
    from domain.offers import Filters

    with as_usage():
        filters = Filters(
            sort=sort,
            min_price=Money.parse(min_price) if min_price else None,
            max_price=Money.parse(max_price) if max_price else None,
            category_id=category,
            page=page,
            page_size=page_size,
        )
    question = Question(
        marketplace=marketplace, filters=filters, words=words.strip(), image=image, shop=shop, hot=hot, tree=tree
    )
    return run_search(question, as_json=json)


command(app)(catalog)


@command(app)
def endpoints(
    *,
    everything: Annotated[
        bool, typer.Option("--all", help="Also operations that have no number in the manual.")
    ] = False,
    json: Json = False,
) -> int:
    """List the API operations with path and provenance."""
    from cli.live import list_endpoints

    return list_endpoints(everything=everything, as_json=json)


@command(app)
def sandbox(
    *,
    host: Annotated[str, typer.Option(help="Where it listens.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="0 is any free one.")] = 8790,
    seed: Annotated[int, typer.Option(help="Another seed is another catalogue.")] = 7,
    state: Annotated[
        Path | None, typer.Option(help="Keep the books in this file; without it they live in memory.")
    ] = None,
    dialect: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="Deviate from the written contract as this dialect says; may be repeated."),
    ] = None,
    callbacks: Annotated[str, typer.Option(metavar="URL", help="Post the service's messages to this address.")] = "",
    dialects: Annotated[bool, typer.Option("--dialects", help="List the dialects, then end.")] = False,
) -> None:
    """Run a stand-in for the Xportcn service, with its own books."""
    from sandbox.server import list_dialects, serve

    if dialects:
        list_dialects()
    else:
        serve(host, port, seed, state, dialect or (), callbacks)


@command(app)
def serve(
    *,
    port: Annotated[int, typer.Option(min=1, max=65535, help="Where the Prefect UI is.")] = 4200,
    postgres: Annotated[
        str | None,
        typer.Option(
            metavar="URL", help="Keep Prefect's records and the ledger in this database, at later starts too."
        ),
    ] = None,
    redis: Annotated[
        str | None, typer.Option(metavar="URL", help="Pass the Prefect server's messages through this Redis.")
    ] = None,
    helpers: Annotated[
        int,
        typer.Option(min=0, max=64, help="So many more workers, for helpers of large batches; see docs/scaling.md."),
    ] = 0,
    host: Annotated[str, typer.Option(help="Another address needs a password; see docs/deploying.md.")] = "127.0.0.1",
    no_sandbox: Annotated[
        bool, typer.Option("--no-sandbox", help="Start no sandbox, wherever the service is.")
    ] = False,
) -> None:
    """Run everything on this machine: Prefect server, worker, schedules, automations, and for a try-out the sandbox."""
    from cli.serve import run_installation

    run_installation(
        host=host, port=port, postgres_url=postgres, redis_url=redis, helpers=helpers, with_sandbox=not no_sandbox
    )


@command(app)
def page(
    *,
    port: Annotated[
        int | None, typer.Option(min=0, max=65535, help="Instead of SOURCING_PAGE_PORT; 0 is any free one.")
    ] = None,
    host: Annotated[str, typer.Option(help="Another address needs SOURCING_PAGE_PASSWORD.")] = "127.0.0.1",
) -> None:
    """Show orders, what waits, reports and downloads in the browser, and take request files. `serve` does it too."""
    from cli.serve import show_page

    show_page(host, port)


@command(app)
def notify(
    *,
    test: Annotated[bool, typer.Option("--test", help="Send a test message to each address, now.")] = False,
    watch: Annotated[
        bool,
        typer.Option("--watch", help="Stay: send what becomes due, and watch Prefect's server. serve does it too."),
    ] = False,
    json: Json = False,
) -> int:
    """Send the messages that are due to the addresses in SOURCING_NOTIFY, and say what did not arrive."""
    from cli.notify import send_messages, send_test

    if watch:
        from deployments.post_office import main as stay

        stay()
        return 0
    return send_test(as_json=json) if test else send_messages(as_json=json)


command(app)(confirm)


@command(app)
def todo(
    *,
    refused_days: Annotated[
        int, typer.Option(min=0, help="List orders that were refused in the last so many days.")
    ] = 7,
    json: Json = False,
) -> int:
    """List everything that waits for you, over all batches, the most urgent first: why, and what to do."""
    from cli.status import show_to_do

    return show_to_do(refused_days, as_json=json)


command(app)(pause)
command(app)(resume)


@command(app)
def template(
    file: Annotated[Path, typer.Argument(help="Where to write it: .xlsx or .csv.")] = Path("requests.xlsx"),
) -> None:
    """Write an empty request file with an example row."""
    from cli.terminal import console
    from connectors.request_files.template import write_template

    with as_usage():
        write_template(file)
    words = f"Wrote {file}: write your lines over the example row, then: sourcing run {file} --dry-run"
    console.print(words, soft_wrap=True)


@command(app)
def doctor(
    *,
    live: Annotated[
        bool, typer.Option("--live", help="Make every call that changes nothing and compare it with the contract.")
    ] = False,
    record: Annotated[
        Path | None,
        typer.Option(
            "--record", "--samples", metavar="DIR", help="With --live: save what was answered there, redacted."
        ),
    ] = None,
    replay: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Read such a folder as a run would, without network.")
    ] = None,
    write: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="With --live or --replay: add the settings that mend values to it, as .env."),
    ] = None,
    json: Json = False,
) -> int:
    """Check settings, folders, ledger, clock, reachability and credentials; say the remedy."""
    if replay:
        from cli.live import replay_recorded

        return replay_recorded(replay, write=write, as_json=json)
    from cli.doctor import examine

    return examine(live=live, record=record, write=write, as_json=json)


app.add_typer(after_sale.app)
app.add_typer(results.app)
app.add_typer(carts.app, name="cart")
app.add_typer(book.app, name="book")
app.add_typer(callbacks.app, name="callbacks")
app.add_typer(snapshots.app, name="snapshot")
app.add_typer(ledger.app, name="ledger")


def main() -> None:
    """The console script."""
    app(refs_last(sys.argv[1:]))


def refs_last(arguments: list[str]) -> list[str]:
    """The arguments with references such as `-1001` behind a `--`, unless they are the value of an option.

    What follows one, up to an option, goes with it: it may be another argument of the command.
    """
    kept, last, is_last = arguments[:1], list[str](), False
    for before, one in [] if "--" in arguments else pairwise(arguments):
        is_ref = re.fullmatch("-[0-9][A-Za-z0-9._-]*", one) and not before.startswith("--")
        is_last = bool(is_ref) or (is_last and not one.startswith("-"))
        (last if is_last else kept).append(one)
    return [*kept, "--", *last] if last else arguments


if __name__ == "__main__":
    main()
