"""A caller's id that may be used once."""

from __future__ import annotations

from sandbox.dialects.dialect import Dialect, Mark

REFUSES_DUPLICATES = Dialect(
    name="refuses-duplicates",
    sentence=(
        "A second create under the same caller's id (outOrderId included) is refused, also with the same lines."
    ),
    source="1688's manual recommends outOrderId against repeats; what a repeat is answered with is on no page.",
    mark=Mark.UPSTREAM,
)
