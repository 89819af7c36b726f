"""Which order each own SKU of a request went to: decided once, so that a changed SKU book buys nothing twice."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from sqlalchemy import select

from connectors.ledger.engine import chunked, one_of
from connectors.ledger.schema import orders, parts
from connectors.ledger.spending import BEGUN
from connectors.ledger.transactions import LedgerRows, repeating

Parts = dict[str, dict[str, str]]
_OF = select(parts).where(one_of(parts.c.part_of, "refs"))
_WHOLES = select(parts.c.order_ref, parts.c.part_of).where(one_of(parts.c.order_ref, "refs")).distinct()
_ORDERED = select(orders.c.order_ref).where(one_of(orders.c.order_ref, "refs"), orders.c.order_id.is_not(None))


class PartRows(LedgerRows):
    """The rows of the table `parts`."""

    def of(self, order_refs: Iterable[str]) -> Parts:
        """The standing order of each own SKU, by the request's name."""
        found: Parts = {}
        for some in chunked(order_refs):
            for row in self._ledger.rows(_OF, {"refs": some}):
                found.setdefault(row["part_of"], {})[row["own_sku"]] = row["order_ref"]
        return found

    def wholes(self, order_refs: Iterable[str]) -> dict[str, str]:
        """The name of the request that each of these orders is a part of."""
        found = (row for some in chunked(order_refs) for row in self._ledger.rows(_WHOLES, {"refs": some}))
        return {row["order_ref"]: row["part_of"] for row in found}

    def begun(self, order_refs: Iterable[str]) -> set[str]:
        """Those of these orders of which something may have happened."""
        asked = ((which, some) for some in chunked(order_refs) for which in (BEGUN, _ORDERED))
        return {row["order_ref"] for which, some in asked for row in self._ledger.rows(which, {"refs": some})}

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
