"""The failure of a request file that can't be used as it is."""

from __future__ import annotations

from collections.abc import Sequence

from domain.request_remarks import Fault
from domain.wording import number_of

MOST_TOLD = 50


class BadRequests(Exception):
    """The request file has faults; nothing was sent. The message lists the first of them, `faults` has every one."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        listed = [f"  {fault}" for fault in faults[:MOST_TOLD]]
        self.untold = len(faults) - len(listed)
        listed += [f"  and {self.untold:,} more"] if self.untold else []
        head = f"the request file has {number_of(len(faults), 'fault')}; nothing was sent:"
        super().__init__("\n".join([head, *listed]))
        self.faults = tuple(faults)
