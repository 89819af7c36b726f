"""One reconciliation: settle what can be settled, compare ledger and service, and the
upkeep of every day.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from zoneinfo import ZoneInfo

from connectors.foreign import words_of
from connectors.inbox import delete_old
from connectors.ledger.engine import LedgerUnusable
from connectors.ledger.overview import every_open_effect
from connectors.ledger.records import line_of
from connectors.ledger.store import Ledger
from connectors.settings import SourcingSettings
from connectors.snapshots.files import SnapshotError
from connectors.snapshots.writer import end_history, erase_orders
from connectors.xportcn.errors import ServiceAway, XportcnError
from domain.absence import SEARCH_BACK_DAYS
from domain.differences import Finding, FindingKind, ForeignOrder, LedgerOrder, OrderId
from domain.holds import by_whom, start_of_day
from domain.marketplace import Marketplace
from domain.money import Money
from domain.reconciliation import (
    CNY,
    Comparison,
    Shown,
    compare,
    paid_sums,
    ranked,
    to_look_up,
    wallet_finding,
)
from domain.service_orders import ServiceOrder
from domain.witnessed import FLAWS
from flows.batch.chunks import chunks
from flows.batch.opening import opened
from flows.notify.news import of_findings
from flows.notify.outbox import enqueue
from flows.prefect_ui import parameters as form
from flows.prefect_ui.board import progress_shown
from flows.prefect_ui.events import EventFeed
from flows.prefect_ui.expected_errors import run_logger, sourcing_flow
from flows.prefect_ui.reconcile_artifact import (
    ReconciliationReport,
    log_and_show,
    summary_of,
)
from flows.prefect_ui.remedy_parameters import AnsweredBy
from tasks.effects.kinds import settle_open
from tasks.engine.progress import progress
from tasks.engine.resources import Resources, utc_now
from tasks.reconcile import (
    ListedOrders,
    confirm_what_lists_show,
    facts_about,
    facts_again,
    list_orders,
    look_up,
    reconciliation_rows,
    refs_with_open_effects,
    unknown_refunds,
    unsettled,
)
from tasks.snapshot import rebuild, write_tables

# An unpaid order closes after a day: an order paid since a moment was created no more
# than this before it.
PAYABLE_FOR = timedelta(hours=25)
NONE_FOREIGN: Mapping[OrderId, str] = {}


WALLET_NOT_COMPARED = (
    "the wallet's statement was not compared: not all orders could be read, or were asked "
    "for"
)


class Reconciliation:
    """One reconciliation. `troubles` name what could not be read, `not_marked` what is
    no foreign order.
    """

    def __init__(
        self,
        resources: Resources,
        since_days: int | None,
        marketplaces: Sequence[Marketplace],
    ) -> None:
        days = SEARCH_BACK_DAYS if since_days is None else since_days
        self.resources = resources
        self.marketplaces = list(dict.fromkeys(marketplaces))
        self.now = resources.clock()
        self.since = start_of_day(
            self.now - timedelta(days=days), resources.settings.timezone
        )
        self.whole: list[Marketplace] = []
        self.troubles: list[str] = []
        self.not_marked: list[str] = []

    @property
    def listed_since(self) -> datetime:
        return self.since - PAYABLE_FOR

    async def report(
        self, wallet_out: Money | None, foreign: Mapping[OrderId, str] = NONE_FOREIGN
    ) -> ReconciliationReport:
        ledger = self.resources.ledger
        before = unsettled(self.resources)
        feed = EventFeed(ledger, ledger.each_order(before))
        settled = await self._settle()
        listings = await self._list()
        await confirm_what_lists_show(self.resources, listings)
        await feed.emit(before)
        shown, facts = await self._completed(
            {listing.marketplace: listing.orders for listing in listings}
        )
        seen = await self._seen_twice(facts, shown)
        sums = paid_sums(
            facts, {name: shown[name] for name in self.whole}, since=self.since
        )
        wallet = (
            self._wallet(wallet_finding(sums, wallet_out))
            if wallet_out is not None
            else None
        )
        unknown_here = self._without(seen.findings, foreign)
        refunds, unread = await self._unknown_refunds()
        findings = ranked([*unknown_here, *refunds, *([wallet] if wallet else [])])
        report = ReconciliationReport(
            since=self.since.astimezone(ZoneInfo(self.resources.settings.timezone)),
            compared=seen.compared,
            in_hand=seen.in_hand,
            settled=[line_of(order) for order in ledger.orders(settled).values()],
            findings=findings,
            paid=sums,
            wallet_out=wallet_out,
            troubles=self.troubles,
            not_marked=self.not_marked,
            notes=(*seen.notes, *unread),
            snapshot_id="",
            snapshot_root=str(self.resources.settings.snapshot_root.absolute()),
        )
        rows = reconciliation_rows(
            findings, since=self.since, summary=summary_of(report)
        )
        snapshot_id = await write_tables(
            self.resources, "reconciliation", {"reconciliation": rows}
        )
        return replace(report, snapshot_id=snapshot_id or "")

    async def _settle(self) -> list[str]:
        """Settle open effects by reading; answers the orders that have none open any
        more.
        """
        listener = progress.get()
        opened = refs_with_open_effects(self.resources)
        mine = {
            name: refs for name, refs in opened.items() if name in self.marketplaces
        }
        listener.start("settle", sum(map(len, mine.values())))
        for marketplace, refs in mine.items():
            for _, chunk in chunks(refs, self.resources.settings.chunk_size):
                try:
                    await settle_open(self.resources, chunk)
                except XportcnError as error:
                    self.troubles.append(
                        f"{marketplace}: what is open there can't be asked about "
                        f"({error.message})"
                    )
                listener.advance("settle", len(chunk))
        still = {
            effect.order_ref for effect in every_open_effect(self.resources.ledger)
        }
        return [ref for ref in _all(mine) if ref not in still]

    async def _list(self) -> list[ListedOrders]:
        """The lists that could be read. Raises the first error when none could."""
        listener = progress.get()
        listener.start("list orders", len(self.marketplaces))

        async def listed(marketplace: Marketplace) -> ListedOrders:
            try:
                listing = await list_orders(marketplace, since=self.listed_since)
            except ServiceAway as error:
                listing = ListedOrders(marketplace=marketplace, error=error)
            listener.advance("list orders", 1)
            return listing

        listings = await asyncio.gather(*map(listed, self.marketplaces))
        failed = [
            (listing.marketplace, listing.error)
            for listing in listings
            if listing.error is not None
        ]
        if len(failed) == len(listings):
            raise failed[0][1]
        self.troubles += [
            f"{name}: its orders could not be listed ({error.message})"
            for name, error in failed
        ]
        self.troubles += [
            f"{one.marketplace}: {FLAWS[one.lacks]}, so what it does not show, missing or "
            "unknown here, stays open"
            for one in listings
            if one.lacks
        ]
        read = [listing for listing in listings if listing.error is None]
        self.whole = [listing.marketplace for listing in read if not listing.lacks]
        return read

    async def _completed(self, shown: Shown) -> tuple[Shown, list[LedgerOrder]]:
        """The lists with orders that only single readings show, and the ledger without
        unreadable orders.
        """
        known = facts_about(self.resources, shown, since=self.listed_since)
        facts = [order for order in known if order.marketplace in self.marketplaces]
        wanted = to_look_up(facts, shown, since=self.listed_since)
        found, troubles = await look_up(
            self.resources, [(order.marketplace, order.order_id) for order in wanted]
        )
        self.troubles += troubles
        unread = {
            order.order_ref
            for order in wanted
            if (order.marketplace, order.order_id) not in found
        }
        return _with(shown, found), [
            order for order in facts if order.order_ref not in unread
        ]

    async def _seen_twice(
        self, facts: Sequence[LedgerOrder], shown: Shown
    ) -> Comparison:
        """The findings that a second reading of both sides confirms: orders change
        while their lists are read.
        """
        foreign = self.resources.ledger.foreign_orders.standing()
        compared = partial(
            compare,
            whole=self.whole,
            since=self.listed_since,
            now=self.now,
            foreign=foreign,
        )
        first = compared(facts, shown)
        doubtful = [
            (finding.marketplace, finding.order_id)
            for finding in first.findings
            if finding.marketplace is not None
            and finding.marketplace in shown
            and finding.order_id
            and _in_cny(finding)
        ]
        if not first.findings:
            return first
        found, _ = await look_up(self.resources, doubtful)
        again = facts_again(self.resources, [order.order_ref for order in facts])
        second = compared(again, _with(shown, found))
        both = {finding.identity for finding in first.findings}
        confirmed = tuple(
            finding for finding in second.findings if finding.identity in both
        )
        return Comparison(
            findings=confirmed,
            notes=second.notes,
            compared=second.compared,
            in_hand=second.in_hand,
        )

    async def _unknown_refunds(self) -> tuple[list[Finding], list[str]]:
        """Refunds that this ledger does not know, and notes on what could not be
        listed.
        """
        found = list[Finding]()
        notes = list[str]()
        for marketplace in self.marketplaces:
            try:
                found += await unknown_refunds(self.resources, marketplace, self.since)
            except XportcnError as error:
                notes.append(
                    f"{marketplace}: refunds of others were not looked for ({error.message})"
                )
        return found, notes

    def _without(
        self, findings: Sequence[Finding], foreign: Mapping[OrderId, str]
    ) -> list[Finding]:
        """Record the orphans of this run that a person calls foreign; answers the
        findings that are left.
        """
        ledger = self.resources.ledger
        unknown = self._unknown_here(findings)
        said = [
            ForeignOrder(
                marketplace=order[0],
                order_id=order[1],
                amount=amount,
                by=by,
                at=self.now,
            )
            for order, by in foreign.items()
            if order in unknown and (amount := unknown[order].seen_amount)
        ]
        ledger.foreign_orders.record(said)
        self.not_marked = [
            f"{name}:{order_id} was not found as an orphan without an order of ours: nothing was noted about it"
            for name, order_id in sorted(
                foreign.keys() - ledger.foreign_orders.standing().keys()
            )
        ]
        taken = [unknown[one.identity] for one in said]
        return [finding for finding in findings if finding not in taken]

    def _unknown_here(self, findings: Sequence[Finding]) -> dict[OrderId, Finding]:
        """The orphans under whose reference the ledger has no order."""
        orphans = [
            (one.marketplace, one)
            for one in findings
            if one.kind is FindingKind.ORPHAN and one.marketplace
        ]
        ours = self.resources.ledger.orders(
            [one.order_ref for _, one in orphans if one.order_ref]
        )
        return {
            (name, one.order_id): one
            for name, one in orphans
            if one.order_ref not in ours or ours[one.order_ref].marketplace is not name
        }

    def _wallet(self, finding: Finding | None) -> Finding | None:
        """The finding about the wallet; None unless all orders were read, since only
        the whole sum proves it.
        """
        if self.troubles or set(self.marketplaces) != set(Marketplace):
            self.troubles.append(WALLET_NOT_COMPARED)
            return None
        return finding


def _all(refs: Mapping[Marketplace, Sequence[str]]) -> list[str]:
    return [ref for listed in refs.values() for ref in listed]


def _with(
    shown: Shown, found: Mapping[tuple[Marketplace, str], ServiceOrder | None]
) -> Shown:
    """The lists with these orders as they were read one by one; what was not there is
    taken out.
    """
    lists = {
        name: {order.order_id: order for order in orders}
        for name, orders in shown.items()
    }
    for (marketplace, order_id), order in found.items():
        if order is None:
            lists[marketplace].pop(order_id, None)
        else:
            lists[marketplace][order_id] = order
    return {name: list(orders.values()) for name, orders in lists.items()}


def _in_cny(finding: Finding) -> bool:
    """Whether the order can be read by itself: orders in other currencies can only be
    listed.
    """
    return finding.seen_amount is None or finding.seen_amount.currency == CNY


def end_personal_data() -> None:
    """Delete copies whose time is over, and history of forgotten receivers that was put
    back.
    """
    settings = SourcingSettings()
    try:
        delete_old(settings, utc_now())
        with Ledger(settings.ledger_url, clock=utc_now, owner="upkeep") as ledger:
            forgotten = ledger.forgotten.every()
            if forgotten and erase_orders(settings.snapshot_root, forgotten):
                rebuild(ledger, settings)
    except (OSError, SnapshotError, LedgerUnusable) as error:
        run_logger().warning(
            "Personal data whose time is over stays until tomorrow: %s", words_of(error)
        )


def end_old_history() -> None:
    """Delete the history of the tables whose time is over."""
    settings = SourcingSettings()
    try:
        end_history(settings.snapshot_root, utc_now(), settings.history_days)
    except (OSError, SnapshotError) as error:
        run_logger().warning(
            "The history of past days stays until tomorrow: %s",
            words_of(error),
        )


EVERY_MARKETPLACE: list[Marketplace] = []
NONE_GIVEN: list[str] = []


@sourcing_flow("reconcile")
async def reconcile_ledger(
    since_days: form.SinceDays = form.AS_SET,
    wallet_out_cny: form.WalletOutCny = "",
    marketplaces: form.Marketplaces = EVERY_MARKETPLACE,
    not_ours: form.ForeignLines = NONE_GIVEN,
    said_by: AnsweredBy = "",
) -> ReconciliationReport:
    """Compare the ledger with the marketplaces' own lists: orders, payments, shipments.
    Buys, pays and cancels nothing.

    Effects without an answer are settled by reading first, and the results recorded.
    The service has no operation for what left the wallet: give the sum of the console's
    statement, to have it compared too. Orders that other people made in the same
    account are found every time until you say that they are not ours.
    """
    left_wallet = form.wallet_out(wallet_out_cny)
    foreign_ids = form.foreign_orders(not_ours)
    asked = marketplaces or list(Marketplace)
    days = None if since_days == form.AS_SET else since_days
    async with (
        opened() as resources
    ):  # which proves the clock: one that is far ahead would end all that is kept
        await asyncio.to_thread(end_personal_data)
        await asyncio.to_thread(end_old_history)
        run = Reconciliation(resources, days, asked)
        async with progress_shown("reconciliation"):
            report = await run.report(
                left_wallet, dict.fromkeys(foreign_ids, by_whom(said_by))
            )
        await enqueue(
            resources.ledger, *of_findings(report.findings, summary_of(report))
        )
    await log_and_show(report)
    return report
