"""`sourcing`: every command of the product. Heavy parts are imported by the commands that need them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cli.failures import explained
from domain.after_sale import RefundKind
from domain.marketplace import Marketplace
from domain.search import LARGEST_PAGE, Sort

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
    budget_cny: Annotated[
        str | None, typer.Option(help="Most that the batch may cost in yuan: goods and domestic postage, not freight.")
    ] = None,
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
        str | None, typer.Option(metavar="SHIPMENT_ORDER_ID", help="It was booked: the warehouse's order id.")
    ] = None,
    tracking: Annotated[str | None, typer.Option(metavar="NUMBER", help="The international tracking number.")] = None,
    not_booked: Annotated[bool, typer.Option("--not-booked", help="It was not booked; the next run books it.")] = False,
) -> None:
    """Answer what only a person can find out about an order whose booking got no answer."""
    from cli.status import answer_booking

    raise typer.Exit(answer_booking(order_ref, booked=booked, tracking=tracking, not_booked=not_booked))


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
    page: Annotated[int, typer.Option(min=1)] = 1,
    page_size: Annotated[int, typer.Option(min=1, max=LARGEST_PAGE)] = 20,
    json: Json = False,
) -> None:
    """Look for offers by words, image, shop, category or link; buys nothing."""
    from cli.search import ask_marketplace

    raise typer.Exit(
        ask_marketplace(
            marketplace,
            words,
            image=image,
            shop=shop,
            category=category,
            hot=hot,
            tree=tree,
            min_price=min_price,
            max_price=max_price,
            sort=sort,
            page=page,
            page_size=page_size,
            as_json=json,
        )
    )


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

    raise typer.Exit(
        run_catalog(
            marketplaces,
            keywords=keyword or [],
            categories=category or [],
            shops=shop or [],
            items=item or [],
            everything=everything,
            full=full,
            limit=limit,
            concurrency=concurrency,
            as_json=json,
        )
    )


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
def doctor(
    *,
    live: Annotated[
        bool, typer.Option("--live", help="Make every call that changes nothing and compare it with the contract.")
    ] = False,
    samples: Annotated[
        Path | None, typer.Option(metavar="DIR", help="With --live: save what was answered there, redacted.")
    ] = None,
    json: Json = False,
) -> None:
    """Check Python, settings, folders, ledger, clock, reachability and credentials; say the remedy."""
    from cli.doctor import examine

    raise typer.Exit(examine(live=live, samples=samples, as_json=json))


Line = Annotated[int | None, typer.Option(min=1, help="The line of the order, where each has a refund of its own.")]
Vouchers = Annotated[
    list[str] | None,
    typer.Option(metavar="FILE|LINK", help="A picture: on 1688 a JPG below 1 MB, on Taobao a link. Up to 5 times."),
]


@app.command()
@explained
def cancel(
    order_ref: Annotated[list[str], typer.Argument(help="The orders to cancel.")],
    *,
    reason: Annotated[
        str, typer.Option(help="Told to the marketplace; for paid orders one of its own reasons.")
    ] = "不想要了",
    json: Json = False,
) -> None:
    """Cancel orders: unpaid ones are closed, for paid ones that are not shipped the money is asked back."""
    from cli.after_sale import cancel as run_cancel

    raise typer.Exit(run_cancel(order_ref, reason=reason, as_json=json))


@app.command()
@explained
def refund(
    order_ref: str,
    *,
    kind: Annotated[RefundKind, typer.Option(help="Money back alone, or goods back for money.")] = RefundKind.REFUND,
    reason: Annotated[str, typer.Option(help="An id or words of the marketplace's list; without it the list.")] = "",
    amount_cny: Annotated[str | None, typer.Option(help="How much, in yuan; without it the most possible.")] = None,
    line: Annotated[list[int] | None, typer.Option(min=1, help="A line of the order; without it all.")] = None,
    words: Annotated[str, typer.Option(help="What to tell the seller, 2 to 150 characters.")] = "",
    voucher: Vouchers = None,
    json: Json = False,
) -> None:
    """Ask for a refund or a return of a paid order, or anew where the seller refused."""
    from cli.after_sale import ask_refund

    raise typer.Exit(
        ask_refund(
            order_ref,
            kind=kind,
            reason=reason,
            amount_cny=amount_cny,
            lines=line or [],
            words=words,
            vouchers=voucher or [],
            as_json=json,
        )
    )


@app.command(name="return")
@explained
def return_(
    order_ref: str,
    *,
    company: Annotated[str, typer.Option(help="The carrier: its code, such as SF, or its name.")],
    number: Annotated[str, typer.Option(help="The parcel's tracking number.")],
    line: Line = None,
    note: Annotated[str, typer.Option(help="What to tell the seller about the goods.")] = "",
    voucher: Annotated[
        list[str] | None, typer.Option(metavar="LINK", help="A link to a picture. Up to 5 times.")
    ] = None,
    json: Json = False,
) -> None:
    """Name the parcel that brings the goods of an agreed return back to the seller."""
    from cli.after_sale import send_back

    raise typer.Exit(
        send_back(order_ref, company=company, number=number, line=line, note=note, vouchers=voucher or [], as_json=json)
    )


@app.command()
@explained
def refunds(*, json: Json = False) -> None:
    """Follow every refund and return that is not over, and say what waits for you."""
    from cli.after_sale import follow

    raise typer.Exit(follow(as_json=json))


@app.command()
@explained
def withdraw(order_ref: str, *, line: Line = None, json: Json = False) -> None:
    """Take a refund back (Taobao)."""
    from cli.after_sale import withdraw as run_withdraw

    raise typer.Exit(run_withdraw(order_ref, line=line, as_json=json))


@app.command()
@explained
def message(
    order_ref: str,
    words: Annotated[str, typer.Argument(help="Up to 500 characters; the same words are said once.")],
    *,
    line: Line = None,
    voucher: Annotated[
        list[str] | None, typer.Option(metavar="LINK", help="A link to a picture. Up to 5 times.")
    ] = None,
    json: Json = False,
) -> None:
    """Write to the seller about a refund (Taobao)."""
    from cli.after_sale import message as run_message

    raise typer.Exit(run_message(order_ref, words, line=line, vouchers=voucher or [], as_json=json))


@app.command()
@explained
def receive(
    order_ref: Annotated[list[str], typer.Argument(help="The orders whose goods arrived.")], *, json: Json = False
) -> None:
    """Confirm to the marketplace that goods arrived, which lets the seller have the money (1688)."""
    from cli.after_sale import receive as run_receive

    raise typer.Exit(run_receive(order_ref, as_json=json))


cart = typer.Typer(help="Prepare orders by hand in the marketplaces' own carts.", no_args_is_help=True)
app.add_typer(cart, name="cart")


@cart.command("add")
@explained
def cart_add(
    file: Annotated[Path, typer.Argument(help="Request file: CSV, XLSX, JSON or Parquet.")],
    *,
    batch: Annotated[str | None, typer.Option(help="Name of the batch; the same name goes on with it.")] = None,
    json: Json = False,
) -> None:
    """Lay the orders of a request file into the carts; buys nothing."""
    from cli.carts import add

    raise typer.Exit(add(file, batch=batch, as_json=json))


@cart.command("list")
@explained
def cart_list(marketplace: Marketplace, *, json: Json = False) -> None:
    """Show what lies in a marketplace's cart."""
    from cli.carts import show

    raise typer.Exit(show(marketplace, as_json=json))


@cart.command("set")
@explained
def cart_set(marketplace: Marketplace, row: str, quantity: int, *, json: Json = False) -> None:
    """Change how many pieces a row holds."""
    from cli.carts import change

    raise typer.Exit(change(marketplace, quantities={row: quantity}, delete=[], as_json=json))


@cart.command("delete")
@explained
def cart_delete(marketplace: Marketplace, row: list[str], *, json: Json = False) -> None:
    """Take rows out of a cart."""
    from cli.carts import change

    raise typer.Exit(change(marketplace, quantities={}, delete=row, as_json=json))


@cart.command("preview")
@explained
def cart_preview(
    order_ref: Annotated[list[str], typer.Argument(help="Orders that lie in a cart.")], *, json: Json = False
) -> None:
    """Show what ordering would cost, with the quantities that lie in the cart now."""
    from cli.carts import order

    raise typer.Exit(order(order_ref, dry_run=True, yes=False, budget_cny=None, as_json=json))


@cart.command("order")
@explained
def cart_order(
    order_ref: Annotated[list[str], typer.Argument(help="Orders that lie in a cart.")],
    *,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Approve without asking.")] = False,
    budget_cny: Annotated[str | None, typer.Option(help="Most that the orders may cost, in yuan.")] = None,
    json: Json = False,
) -> None:
    """Order what lies in the carts, then pay, book and ship it like any other order."""
    from cli.carts import order

    raise typer.Exit(order(order_ref, dry_run=False, yes=yes, budget_cny=budget_cny, as_json=json))


def main() -> None:
    """The console script."""
    app()


if __name__ == "__main__":
    main()
