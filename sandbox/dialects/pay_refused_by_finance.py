"""A submitted payment that finance refuses."""

from __future__ import annotations

from sandbox.dialects.dialect import Dialect, Mark

PAY_REFUSED_BY_FINANCE = Dialect(
    name="pay-refused-by-finance",
    sentence=(
        "A payment call debits the wallet and submits the order; 4 hours later finance refuses it and the money comes "
        "back: state 3 on Taobao, unpaid elsewhere."
    ),
    source="The console has a tab of failed payments for Taobao and 1688; the written contract has state 3 of Taobao.",
    mark=Mark.INFERRED,
)
