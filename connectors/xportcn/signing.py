"""The signature of a request (contract 1.3)."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable, Generator

import httpx

from connectors.xportcn.operations import warehouse
from connectors.xportcn.settings import XportcnSettings

LOGISTICS = "/open/pp/logistics/"


def new_nonce() -> str:
    """32 random characters of [A-Za-z0-9]: hex is enough of them, and fast."""
    return secrets.token_hex(16)


def signature(
    *, access_key: str, timestamp: str, nonce: str, access_secret: str
) -> str:
    """MD5 of the four texts joined without separators, in upper-case hex."""
    text = f"{access_key}{timestamp}{nonce}{access_secret}"
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest().upper()


class SignatureAuth(httpx.Auth):
    """Signs every request anew: a nonce is good for one try only.

    Logistics calls repeat two headers in the query: by their path, or by the `call` in
    the request's extensions, wherever an override moves it.
    """

    def __init__(
        self,
        settings: XportcnSettings,
        *,
        clock: Callable[[], float],
        nonces: Callable[[], str] = new_nonce,
    ) -> None:
        self._access_key = settings.access_key
        self._secret = settings.access_secret.get_secret_value()
        self._user_id = settings.user_id
        self._signs_query = settings.logistics_sign == "signature"
        self._per_second = 1000 if settings.timestamp_unit == "ms" else 1
        self._clock = clock
        self._nonces = nonces

    def auth_flow(
        self, request: httpx.Request
    ) -> Generator[httpx.Request, httpx.Response, None]:
        headers = self.headers()
        request.headers.update(headers)
        call = request.extensions.get("call")
        is_logistics = call is not None and call.group == warehouse.LOGISTICS.name
        if self._signs_query and (is_logistics or LOGISTICS in request.url.path):
            request.url = request.url.copy_merge_params(
                {"timestamp": headers["timestamp"], "sign": headers["signature"]}
            )
        yield request

    def headers(self) -> dict[str, str]:
        """The five headers of contract 1.3."""
        timestamp = str(int(self._clock() * self._per_second))
        nonce = self._nonces()
        return {
            "access-key": self._access_key,
            "user-id": self._user_id,
            "timestamp": timestamp,
            "nonce-str": nonce,
            "signature": signature(
                access_key=self._access_key,
                timestamp=timestamp,
                nonce=nonce,
                access_secret=self._secret,
            ),
        }
