"""The open resources of a run: the client, the ledger, its send log, the
marketplaces.
"""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Collection, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path

from connectors.concurrently import Slots
from connectors.crash_points import BEFORE_FIRST_BYTE, BEFORE_SEND, reach
from connectors.ledger.engine import LedgerUnusable
from connectors.ledger.evidence import notice_put_back
from connectors.ledger.group_commit import GroupCommit
from connectors.ledger.guard import LedgerReplaced, as_replaced, explain_replaced
from connectors.ledger.records import EffectRecord
from connectors.ledger.send_log import SendLog, is_dead, never_sent, prune
from connectors.ledger.store import Ledger
from connectors.ledger.transactions import repeating
from connectors.marketplaces import Offering, offering_of
from connectors.marketplaces.freight import Addresses, addresses_of, warehouse_of
from connectors.marketplaces.protocol import Warehouse
from connectors.settings import SourcingSettings
from connectors.snapshots.files import require_place
from connectors.xportcn.breaker import CircuitBreaker, breaker_of
from connectors.xportcn.client import XportcnClient
from connectors.xportcn.errors import NEVER_S, NotSent
from connectors.xportcn.permits import DailyCalls, Permits
from connectors.xportcn.settings import XportcnSettings
from domain.decisions import FINE, Verdict
from domain.effects import Claim
from domain.holds import Pause
from domain.marketplace import Marketplace, Pictures
from domain.messages import UnknownWord
from tasks.engine.progress import notify_listeners

Clock = Callable[[], datetime]
last_replaced: ContextVar[list[str] | None] = ContextVar("last_replaced", default=None)
"""Where to leave the account of a run whose ledger was replaced, for a caller that
Prefect's server can't reach.
"""
log = logging.getLogger("sourcing")


def utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass(eq=False)
class UnitCheck:
    """What is known in a run of the unit of a marketplace's amounts, `with_order` being
    the order that was compared.
    """

    with_order: str = ""
    is_confirmed: bool = False
    verdict: Verdict = FINE
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)


@dataclass(eq=False)
class Resources:
    """Open for one run; everything a task needs to act.

    `noted` are the keys of effects that this run may have sent, None where they are not
    kept, and `leave` notes one; `in_hand` are the slots of those that it is about to
    claim, has on the wire or has yet to record. `paused` is the pause of all buying
    that it has met, `unknown` has the orders of each word without a meaning here. From
    `done_by` on it begins nothing more.
    """

    settings: SourcingSettings
    client: XportcnClient
    ledger: Ledger
    group_commit: GroupCommit
    send_logs: Path
    clock: Clock
    offerings: dict[Marketplace, Offering]
    concurrency: int
    noted: Collection[int] | None = None
    leave: Callable[[Claim], None] = lambda _claim: None
    calls: DailyCalls | None = None
    done_by: datetime | None = None
    in_hand: set[str] = field(default_factory=set)
    paused: Pause | None = None
    unknown: defaultdict[UnknownWord, set[str]] = field(
        default_factory=lambda: defaultdict(set)
    )
    unit_checks: defaultdict[Marketplace, UnitCheck] = field(
        default_factory=lambda: defaultdict(UnitCheck)
    )
    _addresses: Addresses | None = None
    _lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    @property
    def lease(self) -> timedelta:
        return timedelta(seconds=self.settings.lease_s)

    async def addresses(self) -> Addresses:
        """The account's addresses in China, asked once a run."""
        async with self._lock:
            if self._addresses is None:
                self._addresses = await addresses_of(self.client)
            return self._addresses

    async def warehouse(self) -> Warehouse:
        """The address in China that sellers send to. Raises `Misconfigured` where no
        one address is that.
        """
        return warehouse_of(await self.addresses())

    @cached_property
    def slots(self) -> Slots:
        """How many effects may be claimed at once: as many as calls can leave now,
        since leases run.
        """
        return Slots(lambda: self.breaker.size)

    @property
    def pictures(self) -> Pictures:
        return self.client.settings.pictures

    @property
    def breaker(self) -> CircuitBreaker:
        """Where calls wait while the service is away or throttles."""
        return self.client.breaker

    def heed(self, pause: Pause | None) -> bool:
        """Keep to the switch as it was just seen; a change is logged. Answers whether
        buying is paused.
        """
        if pause is not None and pause != self.paused:
            log.warning("%s", pause.notice)
        self.paused = pause
        return pause is not None

    def never_left(self, effect: EffectRecord) -> bool:
        """Whether an effect that is not in hand was provably never sent: by a run that
        ended, or by this one.
        """
        if self.noted is not None and effect.sender == self.ledger.owner:
            return hash(effect.key) not in self.noted
        return never_sent(self.send_logs, effect.sender, effect.key)

    def dead_owners(self, order_refs: list[str]) -> set[str]:
        """Runs that hold leases on these orders and have provably ended."""
        return {
            owner
            for owner in self.ledger.owners_at_work(order_refs)
            if is_dead(self.send_logs, owner)
        }


_current: ContextVar[Resources] = ContextVar("current_resources")


def current_resources() -> Resources:
    """The resources that the run of this task has opened."""
    return _current.get()


@contextmanager
def as_current(resources: Resources) -> Iterator[Resources]:
    """The tasks called in the block act with these resources."""
    token = _current.set(resources)
    try:
        yield resources
    finally:
        _current.reset(token)


@asynccontextmanager
async def open_resources(
    settings: SourcingSettings,
    xportcn: XportcnSettings,
    *,
    clock: Clock = utc_now,
    is_buying: bool = True,
) -> AsyncIterator[Resources]:
    """Open everything for the tasks called in the block, or raise what is missing;
    closes it cleanly. A database server that restarts is waited for.

    Of the day's calls a part is kept for runs that serve buying (`is_buying`).
    """
    xportcn.require_account()
    send_logs = settings.data_dir / "sends"
    require_place(settings.snapshot_root)
    with (
        SendLog(send_logs) as log,
        repeating(Ledger)(
            settings.ledger_url,
            clock=clock,
            owner=log.owner,
            asks_first=xportcn.asks_first,
        ) as ledger,
        _explaining_replaced(ledger),
        ExitStack() as ending,
    ):
        ledger.since = clock()
        ledger.guard.watch(settings.data_dir, log.path)
        ledger.require_sound()
        ledger.belong_to(xportcn.account_name)
        if (
            not ledger.is_new()
        ):  # the logs may be all that is left of a ledger that was lost
            notice_put_back(ledger, send_logs)
            prune(
                send_logs,
                needed=ledger.senders_in_doubt(),
                before=clock() - settings.arrives_within,
            )

        at_once = settings.concurrency
        leave = _leave_of(ledger, log, clock)
        breaker = _breaker(settings, xportcn, at_once)
        calls = DailyCalls(
            ledger.pace, most=xportcn.calls_a_day, is_buying=is_buying, clock=clock
        )
        ending.callback(calls.close)
        async with (
            XportcnClient(
                xportcn, on_send=leave, breaker=breaker, at_once=at_once, calls=calls
            ) as client,
            client.breaker.at_rate(
                Permits(
                    xportcn.requests_per_second, ledger.pace, clock=client.breaker.now
                )
            ),
        ):
            resources = Resources(
                settings=settings,
                client=client,
                ledger=ledger,
                group_commit=GroupCommit(ledger),
                send_logs=send_logs,
                clock=clock,
                offerings={
                    marketplace: offering_of(marketplace, client)
                    for marketplace in Marketplace
                },
                concurrency=at_once,
                noted=log.noted,
                leave=leave,
                calls=calls,
            )
            with as_current(resources):
                yield resources
        ledger.guard.require_files()
        if not log.noted and log.owner not in ledger.senders_in_doubt():
            log.discard()


def _leave_of(ledger: Ledger, log: SendLog, clock: Clock) -> Callable[[Claim], None]:
    """The check right before an effect's first byte leaves; it raises `NotSent` where
    it must not.
    """

    def leave(claim: Claim) -> None:
        reach(BEFORE_SEND, claim.action)
        if clock() >= claim.lease_until:
            raise NotSent(f"{claim.key}: the lease ran out before it was sent")
        try:
            ledger.guard.require_files()
            log.note(claim)
        except LedgerReplaced as error:
            raise NotSent(f"{claim.key}: {error}", retry_after_s=NEVER_S) from error
        except OSError as error:
            words = f"{claim.key}: the send log can't be written ({error.strerror})"
            raise NotSent(words, retry_after_s=NEVER_S) from error
        reach(BEFORE_FIRST_BYTE, claim.action)

    return leave


def _breaker(
    settings: SourcingSettings, xportcn: XportcnSettings, at_once: int
) -> CircuitBreaker:
    """This process's circuit breaker; listeners get what it waits for."""
    breaker = breaker_of(
        xportcn.base_url,
        at_once=at_once,
        patience_s=settings.patience_s,
        per_second=xportcn.requests_per_second,
    )
    breaker.listener = notify_listeners
    return breaker


@contextmanager
def _explaining_replaced(ledger: Ledger) -> Iterator[None]:
    """A run whose ledger or data folder goes away ends with an account of its effects,
    and with what can be saved.
    """
    try:
        yield
    except LedgerUnusable as error:
        if (lost := as_replaced(error, ledger.url)) is None:
            raise
        told = explain_replaced(lost, ledger.owner, ledger.guard.rescue(ledger.clock()))
        if (losses := last_replaced.get()) is not None:
            losses.append(told)
        raise LedgerUnusable(told) from error
