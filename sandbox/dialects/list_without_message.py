"""Lists that hide the buyer's message."""

from __future__ import annotations

from sandbox.dialects.dialect import Dialect, Mark

LIST_WITHOUT_MESSAGE = Dialect(
    name="list-without-message",
    sentence="The order lists of 1688 and big_major do not show the buyer's message.",
    source="The written contract shows no answer of these lists; 1688's sample of its list lacks the field.",
    mark=Mark.UPSTREAM,
)
