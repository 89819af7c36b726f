"""A payment by a channel that leaves the wallet as it is."""

from __future__ import annotations

from sandbox.dialects.dialect import Dialect, Mark

PAY_BY_CREDIT = Dialect(
    name="pay-by-credit",
    sentence="A payment is made by buy-now-pay-later: the order is paid, and the wallet stays as it is.",
    source="Buy-now-pay-later is the first payment channel of 1688 in the console, and payment calls name none.",
    mark=Mark.INFERRED,
)
