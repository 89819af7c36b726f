"""Lists that hide every reference of ours."""

from __future__ import annotations

from sandbox.dialects.dialect import Dialect, Dialects, Mark
from sandbox.dialects.list_without_message import LIST_WITHOUT_MESSAGE

LIST_WITHOUT_REFERENCE = Dialect(
    name="list-without-reference",
    sentence="The order lists of 1688 and big_major show neither message nor outOrderId.",
    source="outOrderId is 1688's word; that the service keeps it, in lists too, is on none of its pages.",
    mark=Mark.INFERRED,
)


def hidden_in_lists(dialects: Dialects) -> tuple[str, ...]:
    """The fields that order lists of 1688 and big_major leave empty, by their names in
    a create.
    """
    if LIST_WITHOUT_REFERENCE in dialects:
        return "message", "outOrderId"
    return ("message",) if LIST_WITHOUT_MESSAGE in dialects else ()
