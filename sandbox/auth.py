"""Authentication: access key, user id, time-stamp, signature, nonce, and the query
`sign` of the logistics calls.
"""

from __future__ import annotations

import re
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hashlib import md5

from sandbox import refusals
from sandbox.refusals import Refusal

SKEW_S = 600
NONCE_SHAPE = re.compile(r"[A-Za-z0-9]{32}\Z")
TIMESTAMP_SHAPE = re.compile(r"(?:[0-9]{10}|[0-9]{13})\Z")


@dataclass(frozen=True)
class Account:
    access_key: str
    access_secret: str
    user_id: str


SANDBOX_ACCOUNT = Account(
    "sandbox-access-key", "sandbox-access-secret", "2100007300001"
)


def signature(access_key: str, timestamp: str, nonce: str, access_secret: str) -> str:
    """MD5 of the four texts joined without separators, in upper-case hex (contract
    1.4).
    """
    return (
        md5(f"{access_key}{timestamp}{nonce}{access_secret}".encode())
        .hexdigest()
        .upper()
    )


class SignatureCheck:
    """Checks every call against one account; remembers nonces as long as their
    time-stamps are valid.
    """

    def __init__(
        self,
        account: Account = SANDBOX_ACCOUNT,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        self._account = account
        self._wall_clock = wall_clock
        self._nonces: set[str] = set()
        self._nonces_by_age: deque[tuple[float, str]] = deque()

    def check(
        self,
        headers: Mapping[str, str],
        logistics_query: Mapping[str, str] | None = None,
    ) -> None:
        """Raise a Refusal (HTTP 401) unless the call is signed; `logistics_query` only
        for logistics calls.
        """
        timestamp, given = headers.get("timestamp", ""), headers.get("signature", "")
        nonce = headers.get("nonce-str", "")
        now = self._wall_clock()
        self._check_account(headers)
        _check_timestamp(timestamp, now)
        if not NONCE_SHAPE.match(nonce):
            raise _refused(
                refusals.NONCE_REUSED,
                "nonce-str must be 32 characters of A-Z, a-z, 0-9",
            )
        if given != signature(
            self._account.access_key, timestamp, nonce, self._account.access_secret
        ):
            raise _refused(refusals.WRONG_SIGNATURE, "signature is wrong")
        if logistics_query is not None:
            _check_logistics_sign(logistics_query, timestamp, given)
        self._use_up(nonce, now)

    def _check_account(self, headers: Mapping[str, str]) -> None:
        if headers.get("access-key") != self._account.access_key:
            raise _refused(refusals.UNKNOWN_ACCESS_KEY, "access-key is unknown")
        if headers.get("user-id") != self._account.user_id:
            raise _refused(refusals.UNKNOWN_USER, "user-id is unknown")

    def _use_up(self, nonce: str, now: float) -> None:
        while self._nonces_by_age and self._nonces_by_age[0][0] < now - SKEW_S:
            self._nonces.discard(self._nonces_by_age.popleft()[1])
        if nonce in self._nonces:
            raise _refused(
                refusals.NONCE_REUSED,
                f"nonce-str was used within the last {SKEW_S} seconds",
            )
        self._nonces.add(nonce)
        self._nonces_by_age.append((now, nonce))


def _check_timestamp(timestamp: str, now: float) -> None:
    if not TIMESTAMP_SHAPE.match(timestamp):
        raise _refused(
            refusals.STALE_TIMESTAMP,
            "timestamp must be 10 digits (seconds) or 13 (milliseconds)",
        )
    seconds = int(timestamp) if len(timestamp) == 10 else int(timestamp) / 1000
    if abs(now - seconds) > SKEW_S:
        raise _refused(
            refusals.STALE_TIMESTAMP,
            f"timestamp is more than {SKEW_S} seconds from the server's clock",
        )


def _check_logistics_sign(query: Mapping[str, str], timestamp: str, given: str) -> None:
    if query.get("timestamp") != timestamp or query.get("sign") != given:
        message = (
            "query timestamp and sign must equal the headers timestamp and signature"
        )
        raise _refused(refusals.WRONG_LOGISTICS_SIGN, message)


def _refused(code: int, message: str) -> Refusal:
    return Refusal(code, message, status=401)
