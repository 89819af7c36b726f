"""A create that takes no field beyond the contract."""

from __future__ import annotations

from sandbox.dialects.dialect import Dialect, Dialects, Mark
from sandbox.fields import Fields
from sandbox.refusals import bad_request

REFUSES_UNKNOWN_FIELDS = Dialect(
    name="refuses-unknown-fields",
    sentence=(
        "A create of 1688 or big_major is refused for a field that the written contract does not have, "
        "such as outOrderId."
    ),
    source="The written contract lists the fields of a create, and outOrderId is none of them.",
    mark=Mark.INFERRED,
)


def check_fields(dialects: Dialects, body: Fields, *documented: str) -> None:
    """Refuse fields beyond the written contract, where the service is that strict."""
    if REFUSES_UNKNOWN_FIELDS in dialects:
        for name in body.raw:
            if name not in documented:
                raise bad_request(body.named(name), "unknown field")
