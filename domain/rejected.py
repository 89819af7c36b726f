"""Rows that a snapshot left out of their tables because they can't be right."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from domain.wording import pluralize

LISTED = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class RejectedRow:
    """A row left out: the table and key it would have, the rule that it breaks, and how."""

    table: str
    key: str
    rule: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejected:
    """How many rows one snapshot rejected, and the first of them; false for none."""

    count: int = 0
    rows: Sequence[RejectedRow] = ()

    def __bool__(self) -> bool:
        return self.count > 0

    @property
    def counted(self) -> str:
        """`2 rows rejected`."""
        return f"{pluralize(self.count, 'row')} rejected"

    @property
    def lines(self) -> list[str]:
        """`orders A-1 (state): state is 'lost', …`: the first of them, and how many more there are."""
        told = [f"{row.table} {row.key} ({row.rule}): {row.message}" for row in self.rows[:LISTED]]
        more = self.count - len(told)
        return [*told, f"and {more:,} more: sourcing snapshot show, or the table rejected_rows"] if more > 0 else told

    @property
    def words(self) -> str:
        """The meaning for a person, and what to do; empty for none."""
        if not self:
            return ""
        return (
            f"{pluralize(self.count, 'row')} of this snapshot can't be right and went into the table rejected_rows "
            f"instead; the ledger has everything. {'; '.join(self.lines)}. Once the cause is mended, "
            "`sourcing snapshot rebuild` or the next run writes them well"
        )


def all_rejected(some: Iterable[Rejected]) -> Rejected:
    """The rejected rows of several snapshots."""
    parts = list(some)
    return Rejected(count=sum(part.count for part in parts), rows=[row for part in parts for row in part.rows])


NONE_REJECTED = Rejected()
