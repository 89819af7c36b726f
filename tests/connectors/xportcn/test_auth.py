"""Signing, against the contract's vectors."""

from __future__ import annotations

import json
import re
from itertools import count
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from connectors.xportcn.operations.operation import Operation
from connectors.xportcn.operations.taobao_product import PRODUCT
from connectors.xportcn.operations.warehouse import BOOK
from connectors.xportcn.settings import XportcnSettings
from connectors.xportcn.signing import SignatureAuth, new_nonce, signature

CONTRACT = Path(__file__).parents[3] / "docs" / "contract"
VECTORS = json.loads((CONTRACT / "vectors" / "signature.json").read_text())["vectors"]
URL = "https://service.example/api"


def signed(
    operation: Operation, *, now: float = 1767225600.9, **changes: Any
) -> httpx.Request:
    vector = VECTORS[0]
    settings = XportcnSettings(
        _env_file=None,
        base_url=URL,
        access_key=vector["access_key"],
        access_secret=SecretStr(vector["access_secret"]),
        user_id="2100007300001",
        **changes,
    )
    auth = SignatureAuth(
        settings, clock=lambda: now, nonces=lambda: vector["nonce_str"]
    )
    request = httpx.Request("POST", f"{URL}{operation.path}?a=1")
    return next(auth.auth_flow(request))


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["timestamp"])
def test_the_signature_is_the_contracts(vector: dict[str, str]) -> None:
    """Both worked vectors come out as printed."""
    assert (
        signature(
            access_key=vector["access_key"],
            timestamp=vector["timestamp"],
            nonce=vector["nonce_str"],
            access_secret=vector["access_secret"],
        )
        == vector["signature"]
    )


@pytest.mark.parametrize(
    ("unit", "now", "vector"),
    [("s", 1767225600.9, VECTORS[0]), ("ms", 1767225600.0, VECTORS[1])],
)
def test_the_time_stamp_unit_is_a_setting(
    unit: str, now: float, vector: dict[str, str]
) -> None:
    """Seconds or milliseconds, never rounded up, and signed as they are sent."""
    headers = signed(PRODUCT, now=now, timestamp_unit=unit).headers
    assert headers["timestamp"] == vector["timestamp"]
    assert headers["signature"] == vector["signature"]


def test_all_five_headers_are_sent_and_the_secret_is_not() -> None:
    """Every header of contract 1.3 is there; the secret appears nowhere in the
    request.
    """
    request = signed(PRODUCT)
    assert request.headers["access-key"] == "demo-access-key-0001"
    assert request.headers["user-id"] == "2100007300001"
    assert request.headers["nonce-str"] == VECTORS[0]["nonce_str"]
    assert "demo-access-secret-0001" not in str(request.url) + str(request.headers.raw)


def test_logistics_calls_repeat_time_stamp_and_signature_in_the_query() -> None:
    """`timestamp` and `sign` equal the headers, beside the parameters that are there
    already.
    """
    request = signed(BOOK)
    assert dict(request.url.params) == {
        "a": "1",
        "timestamp": request.headers["timestamp"],
        "sign": request.headers["signature"],
    }


@pytest.mark.parametrize(
    ("operation", "sign"), [(BOOK, "none"), (PRODUCT, "signature")]
)
def test_other_calls_carry_no_sign(operation: Operation, sign: str) -> None:
    """No `sign` outside the logistics calls, and none at all when the setting says
    so.
    """
    assert dict(signed(operation, logistics_sign=sign).url.params) == {"a": "1"}


@pytest.mark.parametrize(("call", "is_signed"), [(BOOK, True), (PRODUCT, False)])
def test_a_logistics_call_is_known_wherever_an_override_moves_it(
    call: Operation, *, is_signed: bool
) -> None:
    settings = XportcnSettings(_env_file=None, base_url="http://127.0.0.1:1")
    auth = SignatureAuth(settings, clock=lambda: 1.0)
    moved = httpx.Request("POST", f"{URL}/moved", extensions={"call": call})
    assert ("sign" in next(auth.auth_flow(moved)).url.params) == is_signed


async def test_a_client_of_httpx_signs_with_it() -> None:
    """The signature is an `httpx.Auth`, so a script of a user's own may use it."""
    settings = XportcnSettings(_env_file=None, base_url="http://127.0.0.1:1")
    auth = SignatureAuth(settings, clock=lambda: 1.0, nonces=lambda: "n1")
    received: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        received.append(request)
        return httpx.Response(200)

    transport = httpx.MockTransport(answer)
    async with httpx.AsyncClient(transport=transport, auth=auth) as client:
        await client.get(f"{URL}{PRODUCT.path}")
    assert received[0].headers["nonce-str"] == "n1"


def test_every_try_gets_a_fresh_nonce() -> None:
    """The nonce is drawn for each request that leaves."""
    numbers = count(1)
    settings = XportcnSettings(_env_file=None, base_url="http://127.0.0.1:1")
    auth = SignatureAuth(
        settings, clock=lambda: 1.0, nonces=lambda: f"n{next(numbers)}"
    )
    assert [auth.headers()["nonce-str"] for _ in range(3)] == ["n1", "n2", "n3"]


def test_a_nonce_is_32_letters_and_digits() -> None:
    """Shape as the contract wants it; two in a row differ."""
    first = new_nonce()
    second = new_nonce()
    assert re.fullmatch(r"[A-Za-z0-9]{32}", first)
    assert first != second
