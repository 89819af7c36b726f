"""How long to wait before a read is tried again."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from connectors.xportcn.failures import Meaning

BASE_S = 0.2
MOST_S = 8.0
MOST_RETRY_AFTER_S = 30.0
LONGEST_RETRY_AFTER_S = 365 * 86_400.0


def wait_before_retry(
    meaning: Meaning, *, tried: int, retries: int, retry_after_s: float | None, luck: float
) -> float | None:
    """Seconds to wait before the next try of a read, None to give up.

    `tried` counts the tries so far, `luck` is a random number of [0, 1): full jitter, so that many callers that failed
    together don't come back together. When the service asks for more than `MOST_RETRY_AFTER_S`, the caller decides.
    """
    if tried > retries or meaning not in (Meaning.RETRY_NOW, Meaning.RETRY_LATER):
        return None
    if retry_after_s is None:
        return luck * min(MOST_S, BASE_S * 2.0 ** (tried - 1))
    return retry_after_s if retry_after_s <= MOST_RETRY_AFTER_S else None


def retry_after_s(headers: Mapping[str, str], now: float) -> float | None:
    """The wait of `Retry-After`, in seconds from `now` (unix), a year at most; the header gives seconds or a date."""
    text = headers.get("retry-after", "").strip()
    if text.isascii() and text.isdigit():
        return min(float(text), LONGEST_RETRY_AFTER_S)
    moment = _http_date(text)
    return min(max(0.0, moment.timestamp() - now), LONGEST_RETRY_AFTER_S) if moment else None


def skew_s(headers: Mapping[str, str], now: float) -> int | None:
    """How many seconds our clock is ahead of the service's `Date` (negative: behind), None without one."""
    moment = _http_date(headers.get("date", ""))
    return round(now - moment.timestamp()) if moment else None


def _http_date(text: str) -> datetime | None:
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
