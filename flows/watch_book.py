"""The flow that looks every night whether the rows of the SKU book can still be
bought.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from prefect import flow

from connectors.book_file import read_book
from connectors.crawl_files import CrawlBusy, CrawlFiles, Item
from connectors.settings import SourcingSettings
from connectors.xportcn.errors import XportcnError
from connectors.xportcn.settings import XportcnSettings
from domain.catalogue import Selection
from domain.decisions import match_sku
from domain.money import Money
from domain.offers import Offer, Sku
from domain.reasons import Reason
from domain.sku_book import BookRow
from domain.spares import CAUSE, BookNews, judge_least, news_of, notified_by
from domain.wording import pluralize
from flows.notify.news import of_book
from flows.notify.outbox import enqueue
from flows.prefect_ui.artifacts import show_table
from flows.prefect_ui.expected_errors import (
    best_effort,
    rename_run,
    report_expected_errors,
    run_logger,
)
from flows.report.price_moves import price_history
from flows.sync_catalog import Crawl
from tasks.engine.resources import Resources, open_resources

NO_BOOK = "SOURCING_BOOK names no SKU book: nothing to watch"
MOST_PRICES = 5
Judged = Mapping[BookRow, Reason | None]


@flow(flow_run_name="watch the SKU book", persist_result=False)
@report_expected_errors(CrawlBusy)
async def watch_book() -> str:
    """Look up each item of the SKU book, and tell once what is above its limit, sold
    out or gone, or back again.

    It buys nothing. What could not be looked up is no news. Prices go into the table
    `offers`. Raises the first failure of a marketplace when the others' news are sent.
    """
    settings = SourcingSettings()
    book = await read_book(settings)
    if book is None or not book.rows:
        run_logger().info(NO_BOOK)
        return NO_BOOK
    async with open_resources(
        settings, XportcnSettings(), is_buying=False
    ) as resources:
        offers, troubles = await offers_of(resources, book.rows)
        why = judged(book.rows, offers)
        news = await notify(resources, book.rows, why)
    summary = summary_of(book.rows, why, news)
    run_logger().info(summary)
    prices = await asyncio.to_thread(
        price_history, settings.snapshot_root, [one.component.item for one in why]
    )
    await best_effort(
        "the table",
        show_table(
            "sku-book", [*_rows(why, offers, prices)], summary, rest="the SKU book"
        ),
    )
    await best_effort("the run's name", rename_run(summary))
    if troubles:
        raise troubles[0]
    return summary


async def offers_of(
    resources: Resources, rows: Sequence[BookRow]
) -> tuple[Mapping[Item, Offer | None], Sequence[XportcnError]]:
    """The offers of these rows, None where there is none, and what ended a
    marketplace's look-ups; changes are written.

    Failed look-ups are left out.
    """
    offers, troubles = dict[Item, Offer | None](), list[XportcnError]()
    folder = resources.settings.data_dir / "catalogue"
    for at in dict.fromkeys(row.marketplace for row in rows):
        wanted = Selection(
            marketplace=at,
            items=tuple(row.component.item for row in rows if row.marketplace is at),
        )
        with CrawlFiles.open(
            folder, f"watch-book-{at}", resources.clock(), anew=True
        ) as files:
            try:
                await Crawl(resources, files, offers=offers).run([wanted])
            except XportcnError as error:
                troubles.append(error)
    return offers, troubles


def judged(rows: Sequence[BookRow], offers: Mapping[Item, Offer | None]) -> Judged:
    """Why each row whose item was looked up can't be bought, None where it can."""
    keys = ((row, (row.marketplace, row.component.item)) for row in rows)
    return {row: judge_least(row, offers[key]) for row, key in keys if key in offers}


async def notify(
    resources: Resources, rows: Sequence[BookRow], why: Judged
) -> list[BookNews]:
    """What has changed since the last message, with the message of it in the outbox."""
    known = notified_by(
        await asyncio.to_thread(resources.ledger.outbox.causes_after, CAUSE)
    )
    news = news_of(rows, why, known)
    await enqueue(resources.ledger, *of_book(news))
    return news


def summary_of(rows: Sequence[BookRow], why: Judged, news: Sequence[BookNews]) -> str:
    """`812 rows of the SKU book: 3 can't be bought, 1 not looked up; new: 1 above your
    limit`.
    """
    counts = {
        "can't be bought": sum(one is not None for one in why.values()),
        "not looked up": len(rows) - len(why),
    }
    parts = (
        ", ".join(f"{count:,} {what}" for what, count in counts.items() if count)
        or "all can be bought"
    )
    fresh = ", ".join(
        f"{count:,} {words}"
        for words, count in Counter(one.state.words for one in news).items()
    )
    return f"{pluralize(len(rows), 'row')} of the SKU book: {parts}{f'; new: {fresh}' if fresh else ''}"


def _rows(
    why: Judged,
    offers: Mapping[Item, Offer | None],
    prices: Mapping[tuple[str, ...], Sequence[Money]],
) -> Iterator[dict[str, str]]:
    """A row of the table for each of the SKU book, those that can't be bought first."""
    for row, reason in sorted(
        why.items(), key=lambda one: (one[1] is None, one[0].row)
    ):
        item, offer = row.component.item, offers[row.marketplace, row.component.item]
        sku = match_sku(offer, row.component.sku) if offer else None
        prices_seen = (
            prices.get((row.marketplace, item, sku.sku_id), ())
            if isinstance(sku, Sku)
            else ()
        )
        yield {
            "own SKU": row.own_sku,
            "country": row.country,
            "rank": str(row.rank),
            "can't be bought": str(reason or ""),
            "limit": str(row.component.max_unit_price or ""),
            "price history": " → ".join(map(str, prices_seen[-MOST_PRICES:])),
            "item": f"{row.marketplace} {item}",
        }
