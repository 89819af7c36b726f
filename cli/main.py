"""`sourcing`: every command of the product. Heavy parts are imported by the commands that need them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cli import after_sale_app, book_app, callbacks_app, cart_app, ledger, results_app, snapshot_app
from cli.failures import (
    AnsweredBy,
    BatchName,
    ChunkSize,
    Concurrency,
    DoneBy,
    Encoding,
    Json,
    Wait,
    amount_of,
    as_usage,
    explained,
)
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


@app.command()
@explained
def run(  # noqa: PLR0913 - the options of the main job
    file: Annotated[str, typer.Argument(help="Request file: CSV, XLSX, JSON or Parquet; a path or an https address.")],
    *,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Plan only: prices, stock, freight. Buys nothing.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Approve the plan without asking.")] = False,
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
) -> None:
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
    raise typer.Exit(run_batch(options, as_json=json))


@app.command()
@explained
def track(*, chunk_size: ChunkSize = None, concurrency: Concurrency = None, json: Json = False) -> None:
    """Follow the parcels of booked orders and report incoming ones to the warehouse."""
    from cli.track import run_tracking

    raise typer.Exit(run_tracking(chunk_size=chunk_size, concurrency=concurrency, as_json=json))


@app.command()
@explained
def reconcile(
    *,
    since: Annotated[
        int | None, typer.Option(metavar="DAYS", min=0, help="How far back; 0 is today. Else SOURCING_LOOK_BACK_DAYS.")
    ] = None,
    marketplace: Annotated[
        list[Marketplace] | None, typer.Option(help="Only this one; may be repeated. Else all of them.")
    ] = None,
    wallet_out_cny: Annotated[
        str | None,
        typer.Option(help="What left the wallet since then for orders, by the console's statement, in yuan."),
    ] = None,
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
    by: AnsweredBy = None,
    json: Json = False,
) -> None:
    """Compare the ledger with the marketplaces' own lists: orders, payments, shipments. Buys nothing."""
    from cli.reconcile import run_reconciliation

    raise typer.Exit(
        run_reconciliation(
            since_days=since,
            wallet_out_cny=wallet_out_cny,
            marketplaces=marketplace or [],
            not_ours=not_ours or [],
            ours=ours or [],
            by=by,
            as_json=json,
        )
    )


@app.command()
@explained
def status(
    order_ref: Annotated[str | None, typer.Argument(help="One order, with its history.")] = None,
    *,
    reason: Annotated[
        str, typer.Option(metavar="CODE", help="Only orders that stand as they do for this reason (docs/reasons.md).")
    ] = "",
    every: Annotated[bool, typer.Option("--all", help="All orders, not only the 200 that changed last.")] = False,
) -> None:
    """Show the orders that changed last, or everything known of one."""
    from cli.status import MOST_ORDERS, show_status

    raise typer.Exit(show_status(order_ref, reason, None if every else MOST_ORDERS))


@app.command()
@explained
def resolve(  # noqa: PLR0913 - one option an answer
    order_ref: str,
    *,
    ordered: Annotated[
        str | None, typer.Option(metavar="ORDER_ID", help="It was ordered: the marketplace's order id.")
    ] = None,
    up_to: Annotated[
        str | None, typer.Option(metavar="AMOUNT_CNY", help="With --ordered: what it may cost, if nothing is approved.")
    ] = None,
    not_ordered: Annotated[bool, typer.Option("--not-ordered", help="It was not; the next run orders it.")] = False,
    paid: Annotated[
        str | None, typer.Option(metavar="AMOUNT_CNY", help="It was paid: how much left the wallet, in yuan.")
    ] = None,
    not_paid: Annotated[bool, typer.Option("--not-paid", help="No money left; the next run pays it.")] = False,
    booked: Annotated[
        str | None, typer.Option(metavar="SHIPMENT_ORDER_ID", help="It was booked: the warehouse's order id.")
    ] = None,
    tracking: Annotated[
        list[str] | None,
        typer.Option(metavar="NUMBER", help="With --booked: the international tracking number; one for each parcel."),
    ] = None,
    not_booked: Annotated[bool, typer.Option("--not-booked", help="It was not booked; the next run books it.")] = False,
    cancelled: Annotated[bool, typer.Option("--cancelled", help="The order is closed.")] = False,
    not_cancelled: Annotated[bool, typer.Option("--not-cancelled", help="The order is not closed.")] = False,
    refund_asked: Annotated[
        str | None, typer.Option(metavar="REFUND_ID", help="The refund was asked for: its id.")
    ] = None,
    not_refunded: Annotated[bool, typer.Option("--not-refunded", help="The refund was not asked for.")] = False,
    done: Annotated[
        str | None, typer.Option(metavar="EFFECT", help="Any other effect, by its key: it happened.")
    ] = None,
    not_done: Annotated[str | None, typer.Option(metavar="EFFECT", help="It did not happen.")] = None,
    by: AnsweredBy = None,
) -> None:
    """Answer what only a person can find out about an order; without an answer show what is asked."""
    from cli.resolve import resolve_order
    from domain.effects import ResolutionKind

    given: dict[ResolutionKind, str | bool | None] = {
        ResolutionKind.ORDERED: ordered,
        ResolutionKind.NOT_ORDERED: not_ordered,
        ResolutionKind.PAID: paid,
        ResolutionKind.NOT_PAID: not_paid,
        ResolutionKind.BOOKED: booked,
        ResolutionKind.NOT_BOOKED: not_booked,
        ResolutionKind.CANCELLED: cancelled,
        ResolutionKind.NOT_CANCELLED: not_cancelled,
        ResolutionKind.REFUND_ASKED: refund_asked,
        ResolutionKind.NOT_REFUNDED: not_refunded,
        ResolutionKind.DONE: done,
        ResolutionKind.NOT_DONE: not_done,
    }
    raise typer.Exit(resolve_order(order_ref, by=by, tracking=tracking or [], up_to=up_to, given=given))


@app.command()
@explained
def sql(
    query: Annotated[str, typer.Argument(help='A query, such as "select state, count(*) from orders group by all".')],
    *,
    seconds: Annotated[float, typer.Option(min=0.1, help="How long the query may take.")] = 60,
    memory_mb: Annotated[int, typer.Option(min=64, help="How much memory it may need.")] = 1_024,
    csv: Annotated[bool, typer.Option("--csv", help="Print CSV, as export writes it.")] = False,
    json: Json = False,
) -> None:
    """Ask the snapshots: a view per table with the newest row of each key, and <table>_history."""
    from cli.sql import run_sql

    raise typer.Exit(run_sql(query, seconds=seconds, memory_mb=memory_mb, as_csv=csv, as_json=json))


@app.command()
@explained
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
) -> None:
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
    raise typer.Exit(run_search(question, as_json=json))


@app.command()
@explained
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
) -> None:
    """Bring the table of offers up to date: prices, stock, sellers, pictures. Goes on after a break."""
    from cli.catalog import run_catalog
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
    raise typer.Exit(run_catalog(wanted, full=full, limit=limit, concurrency=concurrency, as_json=json))


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
    from cli.live import list_endpoints

    raise typer.Exit(list_endpoints(everything=everything, as_json=json))


@app.command()
@explained
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


@app.command()
@explained
def serve(
    *,
    port: Annotated[int, typer.Option(min=1, max=65535, help="Where the Prefect UI is.")] = 4200,
    postgres: Annotated[
        str | None, typer.Option(metavar="URL", help="Keep Prefect's records and the ledger in this database.")
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


@app.command()
@explained
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


@app.command()
@explained
def notify(
    *,
    test: Annotated[bool, typer.Option("--test", help="Send a test message to each address, now.")] = False,
    watch: Annotated[
        bool,
        typer.Option("--watch", help="Stay: send what becomes due, and watch Prefect's server. serve does it too."),
    ] = False,
    json: Json = False,
) -> None:
    """Send the messages that are due to the addresses in SOURCING_NOTIFY, and say what did not arrive."""
    from cli.notify import send_messages, send_test

    if watch:
        from deployments.post_office import main as stay

        stay()
        return
    raise typer.Exit(send_test(as_json=json) if test else send_messages(as_json=json))


@app.command()
@explained
def confirm(
    marketplace: Annotated[Marketplace, typer.Argument(help="Which one you have checked in the console.")],
    *,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="All is as it should be: don't ask.")] = False,
    channel: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="What the first order was paid by; any other than balance holds it."),
    ] = None,
    otherwise: Annotated[
        str, typer.Option(metavar="WORDS", help="How the first payment differs from what is asked: holds it.")
    ] = "",
    by: AnsweredBy = None,
) -> None:
    """Answer all that is open about a marketplace: its first payment, amounts that differ, orders of unknown origin."""
    from cli.confirm import confirm_marketplace

    raise typer.Exit(confirm_marketplace(marketplace, yes=yes, channel=channel, otherwise=otherwise, by=by))


@app.command()
@explained
def todo(
    *,
    refused_days: Annotated[
        int, typer.Option(min=0, help="List orders that were refused in the last so many days.")
    ] = 7,
    json: Json = False,
) -> None:
    """List everything that waits for you, over all batches, the most urgent first: why, and what to do."""
    from cli.todo import show_to_do

    raise typer.Exit(show_to_do(refused_days, as_json=json))


@app.command()
@explained
def pause(
    *,
    why: Annotated[str, typer.Option(metavar="TEXT", help="Shown with every order that waits for it.")] = "",
    by: AnsweredBy = None,
    json: Json = False,
) -> None:
    """Stop everything that buys, in all runs; ends when nothing that was begun before can leave any more."""
    from cli.pause import pause_buying

    raise typer.Exit(pause_buying(why, by, as_json=json))


@app.command()
@explained
def resume(
    *,
    by: AnsweredBy = None,
    json: Json = False,
) -> None:
    """Allow buying again; what was approved and waits goes on."""
    from cli.pause import resume_buying

    raise typer.Exit(resume_buying(by, as_json=json))


@app.command()
@explained
def template(
    file: Annotated[Path, typer.Argument(help="Where to write it: .xlsx or .csv.")] = Path("requests.xlsx"),
) -> None:
    """Write an empty request file with an example row."""
    from cli.template import make_template

    raise typer.Exit(make_template(file))


@app.command()
@explained
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
) -> None:
    """Check Python, settings, folders, ledger, clock, reachability and credentials; say the remedy."""
    if replay:
        from cli.live import replay_recorded

        raise typer.Exit(replay_recorded(replay, write=write, as_json=json))
    from cli.doctor import examine

    raise typer.Exit(examine(live=live, record=record, write=write, as_json=json))


app.add_typer(after_sale_app.app)
app.add_typer(results_app.app)
app.add_typer(cart_app.app, name="cart")
app.add_typer(book_app.app, name="book")
app.add_typer(callbacks_app.app, name="callbacks")
app.add_typer(snapshot_app.app, name="snapshot")
app.add_typer(ledger.app, name="ledger")


def main() -> None:
    """The console script."""
    app()


if __name__ == "__main__":
    main()
