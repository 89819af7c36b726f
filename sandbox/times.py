"""Times as the service writes them; inside the sandbox a time is whole milliseconds
since 1970, UTC.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

SECOND = 1_000
HOUR = 3_600 * SECOND
DAY = 24 * HOUR
CHINA = timezone(timedelta(hours=8))


def china_text(at: int) -> str:
    """`yyyy-MM-dd HH:mm:ss` in China time, the form of most answers."""
    return datetime.fromtimestamp(at // SECOND, CHINA).strftime("%Y-%m-%d %H:%M:%S")


def china_text_or_none(at: int | None) -> str | None:
    return None if at is None else china_text(at)


def read_china_text(text: str) -> int:
    """The inverse of `china_text`; raises ValueError on any other form."""
    return (
        int(
            datetime.strptime(text, "%Y-%m-%d %H:%M:%S")
            .replace(tzinfo=CHINA)
            .timestamp()
        )
        * SECOND
    )


def alibaba_text(at: int | None) -> str | None:
    """`yyyyMMddHHmmssSSSZ`, the form of 1688 orders."""
    if at is None:
        return None
    return f"{datetime.fromtimestamp(at // SECOND, CHINA):%Y%m%d%H%M%S}{at % SECOND:03d}+0800"


def iso_text(at: int) -> str:
    """ISO 8601 in UTC, the form of the control endpoints."""
    return datetime.fromtimestamp(at / SECOND, UTC).isoformat(timespec="milliseconds")


def unix_text(at: int) -> str:
    """Unix seconds as text, the form of `rtsTime`."""
    return str(at // SECOND)
