"""Who may call, and with which code everybody else is turned away."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from sandbox.auth import Account, SignatureCheck, signature
from sandbox.refusals import Refusal
from tests.sandbox.buyer import Buyer
from tests.sandbox.client import Caller, auth_headers, fresh_nonce

VECTORS = Path(__file__).parents[2] / "docs" / "contract" / "vectors"
PATH = "/open/address/get"
LOGISTICS_PATH = "/open/pp/logistics/orderEstimateFreight"


@pytest.mark.parametrize(
    "vector", json.loads((VECTORS / "signature.json").read_text())["vectors"]
)
def test_signature_vectors(vector: dict[str, str]) -> None:
    """The worked vectors of the contract come out to the letter."""
    built = signature(
        vector["access_key"],
        vector["timestamp"],
        vector["nonce_str"],
        vector["access_secret"],
    )
    assert built == vector["signature"]


async def test_a_signed_call_passes(caller: Caller) -> None:
    """A call with all five headers is answered in envelope A."""
    answer = await caller.get(PATH)
    assert answer.status == 200
    assert list(answer.body) == ["requestId", "code", "developId", "msg", "data"]
    assert (answer.body["code"], answer.body["msg"]) == (200, "成功")
    assert len(answer.body["requestId"]) == 32


async def test_thirteen_digits_are_milliseconds(caller: Caller) -> None:
    """A time-stamp in milliseconds is as good as one in seconds."""
    headers = auth_headers(timestamp=str(int(time.time() * 1000)))
    assert (await caller.send("GET", PATH, headers=headers)).status == 200


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"access-key": "other"}, 40101),
        ({"access-key": ""}, 40101),
        ({"signature": "0" * 32}, 40102),
        ({"signature": ""}, 40102),
        ({"timestamp": "1500000000"}, 40103),
        ({"timestamp": "1500000000000"}, 40103),
        ({"timestamp": "yesterday"}, 40103),
        ({"timestamp": "150000000"}, 40103),
        ({"nonce-str": "short"}, 40104),
        ({"nonce-str": "-" * 32}, 40104),
        ({"user-id": "2100007300002"}, 40105),
        ({"user-id": ""}, 40105),
    ],
)
async def test_each_wrong_header_has_its_code(
    caller: Caller, change: dict[str, str], code: int
) -> None:
    """A wrong or empty header is refused with HTTP 401 and the code that tells which it
    is.
    """
    answer = await caller.send("GET", PATH, headers={**auth_headers(), **change})
    assert answer.refusal == (401, code)
    assert answer.body["data"] is None


async def test_a_missing_header_is_refused_like_a_wrong_one(caller: Caller) -> None:
    """No header may be left out."""
    codes = {}
    for name in auth_headers():
        headers = {key: value for key, value in auth_headers().items() if key != name}
        codes[name] = (await caller.send("GET", PATH, headers=headers)).body["code"]
    assert codes == {
        "access-key": 40101,
        "timestamp": 40103,
        "nonce-str": 40104,
        "user-id": 40105,
        "signature": 40102,
    }


async def test_lower_case_signature_is_wrong(caller: Caller) -> None:
    """The signature is compared as it is, in upper case."""
    headers = auth_headers()
    headers["signature"] = headers["signature"].lower()
    assert (await caller.send("GET", PATH, headers=headers)).refusal == (401, 40102)


@pytest.mark.parametrize(
    ("seconds", "passes"), [(-590, True), (590, True), (-610, False), (610, False)]
)
async def test_six_hundred_seconds_of_skew(
    caller: Caller,
    seconds: int,
    passes: bool,  # noqa: FBT001
) -> None:
    """Up to 600 s from the server's clock are forgiven, in either direction."""
    headers = auth_headers(timestamp=str(int(time.time()) + seconds))
    answer = await caller.send("GET", PATH, headers=headers)
    assert answer.refusal == ((200, 200) if passes else (401, 40103))


async def test_the_movable_clock_does_not_count_for_skew(caller: Caller) -> None:
    """After a day of sandbox time, calls are still signed with the real time."""
    await caller.advance(days=1)
    assert (await caller.get(PATH)).status == 200


async def test_a_nonce_is_good_once(caller: Caller) -> None:
    """The same signed call a second time is refused as a replay."""
    headers = auth_headers()
    assert (await caller.send("GET", PATH, headers=headers)).status == 200
    assert (await caller.send("GET", PATH, headers=headers)).refusal == (401, 40104)


async def test_a_refused_call_does_not_use_up_its_nonce(caller: Caller) -> None:
    """Only calls with a right signature are remembered."""
    nonce = fresh_nonce()
    wrong = {**auth_headers(nonce=nonce), "signature": "0" * 32}
    assert (await caller.send("GET", PATH, headers=wrong)).refusal == (401, 40102)
    assert (
        await caller.send("GET", PATH, headers=auth_headers(nonce=nonce))
    ).status == 200


def test_a_nonce_may_come_back_after_600_seconds() -> None:
    """The memory for nonces ends when their time-stamps do."""
    instant = [1_800_000_000.0]
    breaker = SignatureCheck(
        Account("key", "secret", "user"), wall_clock=lambda: instant[0]
    )
    nonce = fresh_nonce()

    def call() -> None:
        breaker.check(
            auth_headers(
                key="key",
                secret="secret",
                user="user",
                timestamp=str(int(instant[0])),
                nonce=nonce,
            )
        )

    call()
    instant[0] += 599
    with pytest.raises(Refusal, match="nonce-str was used"):
        call()
    instant[0] += 2
    call()


@pytest.mark.parametrize(
    "change", [{"sign": "0" * 32}, {"timestamp": "1500000000"}, {"sign": ""}]
)
async def test_logistics_calls_sign_their_query_too(
    caller: Caller, change: dict[str, str]
) -> None:
    """Query timestamp and sign must equal the headers; the refusal comes in envelope
    B.
    """
    headers = auth_headers()
    query = {"timestamp": headers["timestamp"], "sign": headers["signature"], **change}
    answer = await caller.send(
        "POST", LOGISTICS_PATH, headers=headers, query=query, body={"country": "US"}
    )
    assert answer.status == 401
    assert answer.body == {
        "errorCode": 40106,
        "errorMsg": "query timestamp and sign must equal the headers timestamp and signature",
        "success": False,
        "data": None,
    }


async def test_logistics_calls_without_query_are_refused(caller: Caller) -> None:
    """The headers alone do not do for logistics."""
    answer = await caller.send(
        "POST", LOGISTICS_PATH, headers=auth_headers(), body={"country": "US"}
    )
    assert answer.refusal == (401, 40106)


async def test_a_refused_call_has_no_effect(caller: Caller, buyer: Buyer) -> None:
    """An unsigned create leaves no order."""
    row = (await caller.rows("1688", limit=1))[0]
    body = {**buyer.cargo(row), "flow": "general", "message": "R-1"}
    answer = await caller.send(
        "POST", "/alibaba/order/create", headers=auth_headers(user="1"), body=body
    )
    assert answer.refusal == (401, 40105)
    assert (await caller.books())["orders"] == []


async def test_unknown_paths_and_wrong_methods(caller: Caller) -> None:
    """What the service does not offer is answered with 404 and 405, in the envelope of
    its group.
    """
    assert (await caller.get("/open/nothing")).refusal == (404, 404)
    assert (await caller.get("/open/purchase/pay")).refusal == (405, 405)
    assert (await caller.post("/open/pp/logistics/nothing", {})).body[
        "errorCode"
    ] == 404


async def test_a_body_must_be_a_json_object(caller: Caller) -> None:
    """Anything else than a JSON object with its content type is a bad request."""
    path = "/open/purchase/page"
    assert (await caller.post(path, [1])).body["msg"] == "body: must be a JSON object"
    answer = await caller.send(
        "POST", path, headers={**auth_headers(), "Content-Type": "text/plain"}, body={}
    )
    assert answer.refusal == (400, 40001)
    assert answer.body["msg"] == "Content-Type: must be application/json"
