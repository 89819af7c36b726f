"""A run at a service that is slow with some answers, against what a perfect scheduler
would need for the same calls.
"""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

from benchmarks.calls import longest_chain
from benchmarks.record import Recorded, read_record
from benchmarks.ways import Buyer

BOOKING = "orderBookingFreight"
TIMEOUT_S = 30.0
"""The client's: it waits no longer for one call."""


def straggling(buyer: Buyer) -> dict[str, Any]:
    """Seconds, what became of the orders, and the two floors under any scheduler: the
    chain and the connections.
    """
    measured = buyer.run()
    report = json.loads(buyer.output.read_text())
    calls = read_record(buyer.record)
    slow_s = buyer.weather.stragglers[0]
    slow = [call for call in calls if call.delay_s >= slow_s]
    chain = longest_chain(calls, TIMEOUT_S)
    work = sum(min(call.delay_s, TIMEOUT_S) for call in calls)
    perfect = max(chain, work / buyer.at_once)
    return {
        "orders": buyer.orders,
        "at once": buyer.at_once,
        "seconds": round(measured.seconds, 1),
        "states": report["counts"],
        "questions": sum(order["state"] == "unknown" for order in report["orders"]),
        "calls": len(calls),
        "slow calls": len(slow),
        "slow by kind": dict(Counter(_kind(call) for call in slow).most_common()),
        "slow bookings": sum(_kind(call) == BOOKING for call in slow),
        "longest chain, s": round(chain, 1),
        "all delays / connections, s": round(work / buyer.at_once, 1),
        "times what a perfect scheduler needs": round(measured.seconds / perfect, 2)
        if perfect
        else None,
    }


def _kind(call: Recorded) -> str:
    return call.path.rpartition("/")[2]
