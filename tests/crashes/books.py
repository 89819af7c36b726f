"""What a test reads after crashes: the sandbox's books, the ledger and the snapshot,
and whether they agree.
"""

from __future__ import annotations

from datetime import UTC, datetime

from connectors.ledger.records import EffectRecord, OrderRecord
from connectors.ledger.store import Ledger
from connectors.ledger.verify import verify
from connectors.snapshots.reader import sql
from tests.crashes.light import Job
from tests.history import all_orders, violations
from tests.running import RunningSandbox


def ledger_of(job: Job) -> Ledger:
    """The ledger of a job's runs, in the hands of the test."""
    return Ledger(_url_of(job), clock=lambda: datetime.now(UTC), owner="test")


def _url_of(job: Job) -> str:
    return (
        job.settings.get("SOURCING_LEDGER_URL")
        or f"sqlite:///{job.folder / 'data' / 'ledger.db'}"
    )


def kept(job: Job) -> tuple[dict[str, OrderRecord], list[EffectRecord]]:
    """Every order and effect of the ledger."""
    with ledger_of(job) as ledger:
        orders = all_orders(ledger)
        return orders, ledger.effects_of(orders)


def broken_promises(sandbox: RunningSandbox, job: Job) -> list[str]:
    """What the books, the ledger and the snapshot contradict each other in, and what
    `sourcing ledger verify` finds.

    No run may be at work.
    """
    orders, effects = kept(job)
    query_result = sql(
        job.folder / "data" / "snapshots", "SELECT order_ref, paid_minor FROM orders"
    )
    snapshot = [
        dict(zip(query_result.columns, row, strict=True)) for row in query_result.rows
    ]
    broken = violations(
        sandbox.books(), orders, effects, snapshot=snapshot, at_rest=True
    )
    faults = verify(_url_of(job)).faults
    return [
        *(str(violation) for violation in broken),
        *(f"ledger: {item.table} {item.row} {item.words}" for item in faults),
    ]


def assert_books_are_exact(sandbox: RunningSandbox, job: Job) -> None:
    """No promise is broken; also not in the snapshot. No run may be at work."""
    assert broken_promises(sandbox, job) == []
