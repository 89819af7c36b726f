"""Signing (contract 1.3 and 1.4)."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable, Mapping

from connectors.settings import XportcnSettings

LOGISTICS = "/open/pp/logistics/"


def new_nonce() -> str:
    """32 random characters of [A-Za-z0-9]: hex is enough of them, and fast."""
    return secrets.token_hex(16)


def signature(*, access_key: str, timestamp: str, nonce: str, access_secret: str) -> str:
    """MD5 of the four texts joined without separators, in upper-case hex."""
    text = f"{access_key}{timestamp}{nonce}{access_secret}"
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest().upper()


class SignatureAuth:
    """Signs every request anew: a nonce is good for one try only."""

    def __init__(
        self, settings: XportcnSettings, *, clock: Callable[[], float], nonces: Callable[[], str] = new_nonce
    ) -> None:
        self._access_key, self._secret = settings.access_key, settings.access_secret.get_secret_value()
        self._user_id = settings.user_id
        self._signs_query = settings.logistics_sign == "signature"
        self._per_second = 1000 if settings.timestamp_unit == "ms" else 1
        self._clock = clock
        self._nonces = nonces

    def headers(self) -> dict[str, str]:
        """The five headers of contract 1.3."""
        timestamp, nonce = str(int(self._clock() * self._per_second)), self._nonces()
        return {
            "access-key": self._access_key,
            "user-id": self._user_id,
            "timestamp": timestamp,
            "nonce-str": nonce,
            "signature": signature(
                access_key=self._access_key, timestamp=timestamp, nonce=nonce, access_secret=self._secret
            ),
        }

    def query(self, headers: Mapping[str, str], path: str, *, is_logistics: bool = False) -> dict[str, str]:
        """Headers that the query repeats: only in logistics calls, whose path an override may move."""
        if self._signs_query and (is_logistics or LOGISTICS in path):
            return {"timestamp": headers["timestamp"], "sign": headers["signature"]}
        return {}
