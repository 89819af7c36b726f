"""An error code for an order without a parcel."""

from __future__ import annotations

from sandbox.dialects.dialect import Dialect, Mark

TRACKING_404 = Dialect(
    name="tracking-404",
    sentence="Tracking an order of 1688 or big_major that has no parcel yet is answered with code 404.",
    source="1688's manual of the trace interface.",
    mark=Mark.UPSTREAM,
)
