"""A receiver anywhere."""

from __future__ import annotations

from sandbox.dialects.dialect import Dialect, Mark

RECEIVER_ANY = Dialect(
    name="receiver-any",
    sentence="Taobao's receiver may be the customer abroad or the warehouse in China.",
    source="A reseller's manual says that the receiver may be the warehouse.",
    mark=Mark.RESELLER,
)
