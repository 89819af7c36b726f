"""The failure of a request file that can't be used as it is."""

from __future__ import annotations

from collections.abc import Sequence

from domain.request_remarks import Fault
from domain.wording import pluralize

MOST_LISTED = 50


class BadRequests(Exception):
    """The request file has faults; nothing was sent. The message lists the first of them, `faults` has every one."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        listed = [f"  {fault}" for fault in faults[:MOST_LISTED]]
        self.unlisted = len(faults) - len(listed)
        listed += [f"  and {self.unlisted:,} more"] if self.unlisted else []
        head = f"the request file has {pluralize(len(faults), 'fault')}; nothing was sent:"
        super().__init__("\n".join([head, *listed]))
        self.faults = tuple(faults)
