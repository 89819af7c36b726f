"""What a replay is told to send; in a module that imports nothing, since the replay's
process should be as lean.
"""

from __future__ import annotations

from dataclasses import dataclass, field

Place = tuple[str | int, ...]


@dataclass(slots=True)
class Step:
    """One call to be sent again.

    `target` and `body` are pieces of text, of which every second one is an id to be
    exchanged. `gives` says where in the answer which id will be. `needs` are the places
    of other steps; `is_planned` waits for the whole plan too.
    """

    method: str
    target: tuple[str, ...]
    body: tuple[str, ...]
    signs_query: bool
    is_plan: bool
    waits_for_plan: bool
    needs: list[int]
    gives: list[tuple[str, Place]] = field(default_factory=list)
