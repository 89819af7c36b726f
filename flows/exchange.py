"""The flows that exchange files and orders with other programs: tables, tracking
numbers for shops, orders of shops.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from prefect import flow
from prefect.artifacts import acreate_link_artifact

from connectors.export_formats import ExportFormat
from connectors.exports import export
from connectors.foreign import words_of
from connectors.ledger.order_mover import reopen
from connectors.ledger.overview import not_begun_of_shop
from connectors.ledger.plans import THE_SHOP, drop, ended_in_shop
from connectors.ledger.store import Ledger
from connectors.settings import SourcingSettings
from connectors.shops import connected, opened_shop
from connectors.shops.protocol import THROTTLED, Shop, WaitingOrder
from connectors.shops.requests import left_out, parts_of, unknown_orders, write_requests
from connectors.snapshots.reader import QueryBounds
from connectors.tracking_files import TrackingFile, waiting_words, write_tracking
from connectors.xportcn.errors import NotSent, Refused, Unanswered, XportcnError
from domain.request_remarks import BadInput
from domain.wording import pluralize
from flows.notify.news import of_shop
from flows.notify.outbox import enqueue
from flows.prefect_ui.expected_errors import (
    best_effort,
    rename_run,
    report_expected_errors,
    run_logger,
)
from flows.prefect_ui.parameters import (
    ExportedFile,
    ExportedFormat,
    ExportedQuery,
    ExportedTables,
    InboxFolder,
    in_words,
)
from flows.prefect_ui.remedy_parameters import NO_TEXTS
from tasks.engine.resources import utc_now


@flow(flow_run_name="export of tables", persist_result=False)
@report_expected_errors()
async def export_tables(
    tables: ExportedTables = NO_TEXTS,
    query: ExportedQuery = "",
    kind: ExportedFormat = ExportFormat.XLSX,
    file: ExportedFile = "",
) -> str:
    """Write tables of the snapshots, or the answer to a query, into a file on the
    worker's machine.

    Amounts are in their currency, times in SOURCING_TIMEZONE, ids are text. Asks the
    service nothing.
    """

    settings = SourcingSettings()
    target = settings.data_dir / "exports" / file if file else None

    def write() -> tuple[Path, dict[str, int]]:
        return export(
            settings, kind, target, tables=tables, query=query, bounds=QueryBounds()
        )

    path, counts = await asyncio.to_thread(in_words, "What to export", write)
    words = ", ".join(
        f"{name}: {pluralize(count, 'row')}" for name, count in counts.items()
    )
    await _link(path.absolute(), f"{path}: {words}")
    await rename_run(f"export: {path.name}")
    return str(path)


@flow(flow_run_name="tracking numbers for shops", persist_result=False)
@report_expected_errors()
async def export_tracking() -> list[str]:
    """Write the tracking numbers that shops lack, a file a shop, as each tracking run
    does.

    Asks the service nothing.
    """
    settings = SourcingSettings()

    def write() -> tuple[list[TrackingFile], list[str]]:
        with Ledger(settings.ledger_url, clock=utc_now, owner="export") as ledger:
            return write_tracking(settings, ledger), waiting_words(settings, ledger)

    files, waiting = await asyncio.to_thread(write)
    for words in waiting:
        run_logger().info("%s", words)
    for file in files:
        await _link(file.path, str(file))
    await rename_run(
        f"tracking numbers for shops: {sum(file.numbers for file in files):,}"
    )
    return [str(file.path) for file in files]


async def _link(path: Path, words: str) -> None:
    run_logger().info("%s", words)
    link = acreate_link_artifact(
        path.as_uri(), path.name, key="export", description=words
    )
    await best_effort("the link", link)


@flow(flow_run_name="orders of shops", persist_result=False)
@report_expected_errors()
async def shop_orders(inbox: InboxFolder = "inbox") -> dict[str, int]:
    """Read the paid orders of which nothing was sent, and lay those that the ledger
    does not know into the inbox.

    Buys nothing: buy-from-inbox takes the files. Answers how many orders are in the
    file of each shop. An order that can't be bought as it is is left out, and notified
    once. Raises the first failure of a shop when others are read.
    """
    settings = SourcingSettings()
    names = connected(settings)
    if not names:
        raise BadInput(
            "no shop is connected: set SOURCING_SHOPIFY or SOURCING_WOOCOMMERCE"
        )
    if not inbox.strip():
        raise BadInput("Inbox: name the folder of request files")
    counts, troubles = dict[str, int](), list[XportcnError]()
    with Ledger(settings.ledger_url, clock=utc_now, owner="shop-orders") as ledger:
        ledger.marks.require_in_use()
        for name in names:
            try:
                counts[name] = await _read(settings, ledger, Path(inbox), name)
            except XportcnError as error:
                troubles.append(error)
                run_logger().error(
                    "%s: not read, the next run tries again: %s", name, words_of(error)
                )
    await rename_run(
        f"orders of shops: {', '.join(f'{name} {count:,}' for name, count in counts.items())}"
    )
    if troubles:
        raise troubles[0]
    return counts


async def _read(
    settings: SourcingSettings, ledger: Ledger, inbox: Path, name: str
) -> int:
    """Answers how many orders of a shop are in its file."""
    async with opened_shop(settings, name) as shop:
        waiting = await _lay_aside(
            ledger, settings.data_dir, shop, name, await shop.waiting()
        )
        found = await asyncio.to_thread(
            unknown_orders, ledger, settings.data_dir, name, waiting
        )
        orders = await _judged(shop, [*found.values()])
    left = await asyncio.to_thread(
        write_requests, settings.data_dir, inbox, name, orders
    )
    await asyncio.to_thread(
        _reopen, ledger, [ref for ref, one in found.items() if one.name not in left]
    )
    for order, why in left.items():
        run_logger().warning("%s: order %s is left out: %s", name, order, why)
    await enqueue(ledger, *of_shop(name, left))
    count = len(orders) - len(left)
    run_logger().info("%s: %s for the inbox", name, pluralize(count, "order"))
    return count


def _reopen(ledger: Ledger, order_refs: Collection[str]) -> None:
    """Let orders be bought that were closed for what their shop showed before, now that
    it shows them so.
    """
    known = ledger.orders(set[str]().union(*parts_of(ledger, order_refs).values()))
    reopen(
        ledger,
        {ref: one.why for ref, one in known.items() if ended_in_shop(one) and one.why},
        by=THE_SHOP,
    )


async def _lay_aside(
    ledger: Ledger,
    data_dir: Path,
    shop: Shop,
    name: str,
    waiting: Sequence[WaitingOrder],
) -> Sequence[WaitingOrder]:
    """Close orders of which nothing was begun and that are not to be bought as their
    shop shows them, until it does.

    What was sent of an order under numbers of its other parts alone is none of that.
    The message goes out first. Answers those that wait, without these.
    """
    known = await asyncio.to_thread(not_begun_of_shop, ledger, name, by=THE_SHOP)
    names = {*known.values()}
    there = {one.name: one for one in waiting if one.name in names}
    asked = sorted(ref for ref in names if ref not in there or not there[ref].why)
    ended = [
        _ended(shop, shop.sent if ref in there else shop.over, ref) for ref in asked
    ]
    whys = dict(zip(asked, await asyncio.gather(*ended), strict=True))
    left = await asyncio.to_thread(left_out, data_dir, name, [*there.values()])
    sent = {
        ref for ref in there if there[ref].sent or (whys.get(ref) and ref not in left)
    }
    whys |= left
    ours = await asyncio.to_thread(
        _numbers_beside, ledger, {ref: of for ref, of in known.items() if of in sent}
    )
    whys |= {
        ref: "" for ref, numbers in ours.items() if await _has_only(shop, ref, numbers)
    }
    over = {shop_ref: why for shop_ref, why in whys.items() if why}
    await enqueue(ledger, *of_shop(name, over))
    for ref, shop_ref in known.items():
        if why := over.get(shop_ref):
            stays = await asyncio.to_thread(drop, ledger, [ref], by=THE_SHOP, note=why)
            run_logger().warning(
                "%s: order %s: %s there; %s",
                name,
                shop_ref,
                why,
                stays.get(ref, "no longer bought"),
            )
    return [one for one in waiting if one.name not in over]


def _numbers_beside(ledger: Ledger, known: Mapping[str, str]) -> dict[str, set[str]]:
    """The numbers of the other parts of these orders, by their shop's name, where there
    are any.
    """
    found, wholes = dict[str, set[str]](), ledger.parts.wholes(known)
    parts = parts_of(ledger, {*wholes.values()})
    for ref, whole in wholes.items():
        if numbers := {
            one
            for part in ledger.orders(parts[whole]).values()
            for one in part.tracking_numbers
        }:
            found[known[ref]] = numbers
    return found


async def _has_only(shop: Shop, shop_ref: str, numbers: Collection[str]) -> bool:
    """Whether all that its shop knows to be sent of an order has these numbers; also
    where it does not say.
    """
    try:
        shown = await shop.patiently(shop.read, shop_ref)
    except XportcnError as error:
        run_logger().info(
            "Order %s: not known what was sent of it: %s", shop_ref, words_of(error)
        )
        return True
    return bool(shown.numbers) and shown.numbers <= {*numbers}


async def _ended(
    shop: Shop, read: Callable[[str], Awaitable[str]], shop_ref: str
) -> str:
    """Why an order is over in its shop; empty for one that is not, or that the shop
    does not show.
    """
    try:
        return await shop.patiently(read, shop_ref)
    except (
        XportcnError
    ) as error:  # the shop itself was read before, and its new orders wait
        run_logger().info(
            "Order %s: not known whether it ended in its shop: %s",
            shop_ref,
            words_of(error),
        )
        return ""


async def _judged(shop: Shop, orders: Sequence[WaitingOrder]) -> list[WaitingOrder]:
    """The orders, with why they are not bought where their shop shows more of them
    alone.

    Raises the failure where it is one of all that the shop is asked about: then it is
    none of an order.
    """

    async def sent(order: WaitingOrder) -> str | XportcnError:
        try:
            return order.why or await shop.patiently(shop.sent, order.name)
        except (
            Refused,
            Unanswered,
            NotSent,
        ) as error:  # as where a plugin fails, or hangs, at this one
            if error.code == THROTTLED:
                raise
            return error

    whys = await asyncio.gather(*map(sent, orders))
    failures = [why for why in whys if isinstance(why, XportcnError)]
    if len(failures) > 1 and len(failures) == sum(1 for one in orders if not one.why):
        raise failures[0]
    return [
        replace(
            one,
            why=why
            if isinstance(why, str)
            else "the shop does not show what was sent of it",
        )
        for one, why in zip(orders, whys, strict=True)
    ]
