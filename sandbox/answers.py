"""The two envelopes, and the HTTP answers they travel in."""

from __future__ import annotations

import os
from typing import Any

import orjson
from aiohttp import web

from sandbox.operations import Envelope
from sandbox.refusals import Refusal

DEVELOP_ID = "1800000000000472885"
SUCCESS = "成功"


def success(envelope: Envelope, data: Any) -> web.Response:
    if envelope is Envelope.B:
        return as_json(
            {"errorCode": 200, "errorMsg": None, "success": True, "data": data}
        )
    if envelope is Envelope.BARE:
        return as_json({"code": 200, "msg": SUCCESS})
    return as_json(_general(200, SUCCESS, data))


def refused(envelope: Envelope, refusal: Refusal) -> web.Response:
    return failure(envelope, refusal.status, refusal.code, refusal.message)


def failure(
    envelope: Envelope, status: int, code: int | str, message: str
) -> web.Response:
    if envelope is Envelope.B:
        return as_json(
            {"errorCode": code, "errorMsg": message, "success": False, "data": None},
            status,
        )
    return as_json(_general(code, message, None), status)


def server_fault(envelope: Envelope) -> web.Response:
    return failure(envelope, 500, 500, "系统异常")


def too_many(envelope: Envelope) -> web.Response:
    answer = failure(envelope, 429, 429, "too many requests")
    answer.headers["Retry-After"] = "1"
    return answer


def throttled(envelope: Envelope) -> web.Response:
    """The answer to too many calls in 1688's form, with HTTP 200 (upstream)."""
    return failure(
        envelope, 200, "gw.QosAppFrequencyLimit", "App request frequency limit"
    )


def token_expired(envelope: Envelope) -> web.Response:
    """The answer of Taobao Global where the service's own token has expired, with HTTP
    200 (upstream).
    """
    return failure(
        envelope,
        200,
        "IllegalAccessToken",
        "The specified access token is invalid or expired",
    )


def garbage(_: Envelope) -> web.Response:
    return web.Response(
        body=b"<html><body>upstream timed out", content_type="text/html"
    )


def as_json(body: Any, status: int = 200) -> web.Response:
    return web.Response(
        body=orjson.dumps(body), status=status, content_type="application/json"
    )


def _general(code: int | str, message: str, data: Any) -> dict[str, Any]:
    return {
        "requestId": os.urandom(16).hex(),
        "code": code,
        "developId": DEVELOP_ID,
        "msg": message,
        "data": data,
    }
