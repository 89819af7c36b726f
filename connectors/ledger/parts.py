"""Which order each own SKU of a request went to: decided once, so that a changed SKU book buys nothing twice."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from sqlalchemy import select

from connectors.ledger.many import chunked, one_of
from connectors.ledger.schema import parts
from connectors.ledger.transactions import LedgerRows, repeating

Parts = dict[str, dict[str, str]]
_OF = select(parts).where(one_of(parts.c.part_of, "refs"))


class PartRows(LedgerRows):
    """The rows of the table `parts`."""

    def of(self, order_refs: Iterable[str]) -> Parts:
        """The standing order of each own SKU, by the request's name."""
        found: Parts = {}
        for some in chunked(order_refs):
            for row in self._ledger.rows(_OF, {"refs": some}):
                found.setdefault(row["part_of"], {})[row["own_sku"]] = row["order_ref"]
        return found

    @repeating
    def keep(self, wanted: Mapping[str, Mapping[str, str]]) -> Parts:
        """Store the orders of requests that have none yet; answers those that stand: a run that was faster wins."""
        rows = [
            {"part_of": ref, "own_sku": own_sku, "order_ref": order_ref}
            for ref in sorted(wanted)
            for own_sku, order_ref in sorted(wanted[ref].items())
        ]
        with self._ledger.transaction(()) as connection:
            for some in chunked(rows):
                connection.execute(self._ledger.insert(parts).on_conflict_do_nothing(), some)
        return self.of(wanted)
