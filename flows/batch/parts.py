"""A large batch is bought by several runs, each of which takes a part of its orders.

The runs need one ledger that all workers of the pool reach: PostgreSQL.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self
from zlib import crc32

from prefect.deployments import arun_deployment

from domain.request_remarks import BadInput
from domain.wording import pluralize
from flows.prefect_ui.expected_errors import run_logger

MIN_ORDERS_FOR_PARTS = 5_000
DEFAULT_PARTS = 4


@dataclass(frozen=True, slots=True)
class Part:
    """One of `count` parts of a batch, from 1."""

    number: int
    count: int

    @classmethod
    def read(cls, text: str) -> Self:
        """Read `2/4`. Raises `BadInput`."""
        number, _, count = text.partition("/")
        if number.isdecimal() and count.isdecimal():
            batch_part = cls(int(number), int(count))
            if 1 <= batch_part.number <= batch_part.count:
                return batch_part
        raise BadInput(f"Part: {text!r} is none; give one such as 2/4")

    def take(self, order_refs: Iterable[str]) -> list[str]:
        """Return the orders of this part, by a hash of their references."""
        earlier_count = self.number - 1
        return [
            ref
            for ref in order_refs
            if crc32(ref.encode()) % self.count == earlier_count
        ]


def count_parts(asked: int, orders: int, *, is_postgres: bool, has_pool: bool) -> int:
    """Return in how many parts a batch is bought; `asked` is 0 where a person left it
    open. Raises `BadInput` where it can't be as asked.
    """
    if not (is_postgres and has_pool):
        if asked > 1:
            raise BadInput(
                "Parts: several runs need the ledger on PostgreSQL, and workers of a "
                "pool: leave it empty. Nothing was bought"
            )
        return 1
    return asked or (DEFAULT_PARTS if orders > MIN_ORDERS_FOR_PARTS else 1)


async def buy_in_parts(batch_id: str, parts: int) -> None:
    """Start a run for each part, and wait for all. What a dead one leaves is the
    sweep's.
    """
    runs = await asyncio.gather(
        *(
            arun_deployment(
                "finish-open/finish-open",
                parameters={"batch": batch_id, "part": f"{number}/{parts}"},
                flow_run_name=f"finish {batch_id}: part {number} of {parts}",
                timeout=None,
            )
            for number in range(1, parts + 1)
        )
    )
    unfinished = [run for run in runs if not (run.state and run.state.is_completed())]
    if unfinished:
        run_logger().warning(
            "%s did not end: %s",
            pluralize(len(unfinished), "part"),
            ", ".join(run.name for run in unfinished),
        )
