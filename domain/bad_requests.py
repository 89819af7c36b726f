"""The failure of a request file that can't be used as it is."""

from __future__ import annotations

from collections.abc import Sequence

from domain.request_files import Fault


class BadRequests(Exception):
    """The request file has faults; nothing was sent. The message lists every one."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        listed = "\n".join(f"  {fault}" for fault in faults)
        super().__init__(f"the request file has {len(faults)} faults; nothing was sent:\n{listed}")
        self.faults = tuple(faults)
