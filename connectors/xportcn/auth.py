"""Signing (contract 1.3 and 1.4)."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable, Generator

import httpx

from connectors.settings import XportcnSettings

LOGISTICS = "/open/pp/logistics/"


def new_nonce() -> str:
    """32 random characters of [A-Za-z0-9]: hex is enough of them, and fast."""
    return secrets.token_hex(16)


def signature(*, access_key: str, timestamp: str, nonce: str, access_secret: str) -> str:
    """MD5 of the four texts joined without separators, in upper-case hex: what the service asks for."""
    text = f"{access_key}{timestamp}{nonce}{access_secret}"
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest().upper()


class SignatureAuth(httpx.Auth):
    """Signs every request afresh: a nonce is good for one try only."""

    def __init__(
        self, settings: XportcnSettings, *, clock: Callable[[], float], nonces: Callable[[], str] = new_nonce
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._nonces = nonces

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        timestamp = self._timestamp()
        nonce = self._nonces()
        signed = signature(
            access_key=self._settings.access_key,
            timestamp=timestamp,
            nonce=nonce,
            access_secret=self._settings.access_secret.get_secret_value(),
        )
        request.headers["access-key"] = self._settings.access_key
        request.headers["user-id"] = self._settings.user_id
        request.headers["timestamp"] = timestamp
        request.headers["nonce-str"] = nonce
        request.headers["signature"] = signed
        logistics = LOGISTICS in request.url.path or request.extensions.get("logistics")  # an override moves paths
        if logistics and self._settings.logistics_sign == "signature":
            request.url = request.url.copy_merge_params({"timestamp": timestamp, "sign": signed})
        yield request

    def _timestamp(self) -> str:
        now = self._clock()
        return str(int(now * 1000)) if self._settings.timestamp_unit == "ms" else str(int(now))
