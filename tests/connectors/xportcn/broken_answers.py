"""Answers that are broken in every way a wire, a proxy and a web server know, each with
a receiver's words in it.
"""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Mapping

NAME = "Ploverstone"
PHONE = "5087719342"
STREET = "77 Sparrowhawk Lane"
WORDS = f"{NAME} {PHONE} {STREET}"
PLANTED = ("ploverstone", PHONE, "sparrowhawk")
SAID = json.dumps(
    {"code": 200, "msg": WORDS, "data": {"receiver": WORDS, "itemId": "7"}}
).encode()
AT = WORDS.encode()


def head(*lines: str, status: str = "200 OK") -> bytes:
    return "\r\n".join([f"HTTP/1.1 {status}", *lines, "", ""]).encode()


def whole(body: bytes, *lines: str, status: str = "200 OK") -> bytes:
    return head(f"Content-Length: {len(body)}", *lines, status=status) + body


def chunked(*parts: bytes) -> bytes:
    return head("Transfer-Encoding: chunked") + b"".join(parts)


def chunk(body: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(body), body)


BROKEN: Mapping[str, bytes] = {
    "longer than it said": head("Content-Length: 20") + SAID,
    "longer than it said, and closed": head("Content-Length: 20", "Connection: close")
    + SAID,
    "longer by a byte": head(f"Content-Length: {len(SAID) - 1}", "Connection: close")
    + SAID,
    "nothing said, all sent": head("Content-Length: 0") + SAID,
    "shorter than it said": head(f"Content-Length: {len(SAID) + 90}") + SAID,
    "cut in the body": whole(SAID)[:-40],
    "cut in a header": head(f"X-Receiver: {WORDS}")[:-10],
    "a second answer unasked": whole(b"{}") + whole(SAID),
    "no empty body where there is none": head(status="204 No Content") + SAID,
    "a chunk whose size is words": chunked(AT + b"\r\n" + SAID + b"\r\n0\r\n\r\n"),
    "a chunk longer than it said": chunked(b"5\r\n" + SAID + b"\r\n0\r\n\r\n"),
    "a chunk shorter than it said": chunked(b"fff\r\n" + SAID + b"\r\n0\r\n\r\n"),
    "a chunk of a negative size": chunked(b"-5\r\n" + SAID + b"\r\n"),
    "a chunk with words behind its size": chunked(
        b"%x;" % len(SAID) + AT + b"\r\n" + SAID + b"\r\n"
    ),
    "a chunk without an end": chunked(chunk(SAID)),
    "a trailer that is none": chunked(chunk(b"{}"), b"0\r\n", AT, b"\r\n\r\n"),
    "latin-1 for utf-8": whole(
        SAID[:-2] + b"\xe9\xff" + AT, "Content-Type: application/json; charset=utf-8"
    ),
    "utf-16": whole(SAID.decode().encode("utf-16"), "Content-Type: application/json"),
    "a charset that is a name": whole(
        SAID[:-1], f"Content-Type: application/json; charset={NAME}"
    ),
    "half a character": whole(b'{"code": 200, "data": "\\ud800 ' + AT + b'"}'),
    "plain text": whole(AT, "Content-Type: text/plain"),
    "a page": whole(b"<html><title>" + AT + b"</title>", "Content-Type: text/html"),
    "json and more": whole(SAID + AT),
    "json cut short": whole(SAID[:-5]),
    "a name twice": whole(b'{"code": 200, "code": 200, "' + AT + b'": 1}'),
    "not a number of json": whole(b'{"code": 200, "data": NaN, "msg": "' + AT + b'"}'),
    "a list": whole(json.dumps([WORDS]).encode()),
    "a code of words": whole(
        json.dumps({"code": {"is": WORDS}, "data": WORDS}).encode()
    ),
    "data of words": whole(json.dumps({"code": 200, "data": WORDS}).encode()),
    "words where a number belongs": whole(
        json.dumps(
            {
                "code": 200,
                "data": {"itemId": [WORDS], "price": WORDS, "status": {WORDS: WORDS}},
            }
        ).encode()
    ),
    "a status line of words": f"HTTP/1.1 {WORDS}\r\n\r\n".encode(),
    "another protocol": f"{NAME}/9.9 200 {PHONE}\r\n\r\n".encode() + SAID,
    "no status line": SAID,
    "a header without a colon": head(WORDS) + SAID,
    "a header without an end": head(f"X-Receiver: {WORDS}{NAME * 2000}") + SAID,
    "a zero byte in a header": head("X-Receiver: \0" + WORDS) + SAID,
    "a line break in a header": head(f"X-Receiver: a\n\r {WORDS}", "Content-Length: 2")
    + SAID,
    "two lengths": head("Content-Length: 5", f"Content-Length: {len(SAID)}") + SAID,
    "a length of words": head(f"Content-Length: {WORDS}") + SAID,
    "a transfer of words": head(f"Transfer-Encoding: {WORDS}") + SAID,
    "a packing of words": whole(SAID, f"Content-Encoding: {NAME}"),
    "packed, as it says": whole(SAID, "Content-Encoding: gzip"),
    "packed and cut": whole(gzip.compress(SAID)[:-9], "Content-Encoding: gzip"),
    "packed with words behind": whole(
        zlib.compress(SAID) + AT, "Content-Encoding: deflate"
    ),
    "sent elsewhere": whole(
        b"", f"Location: http://{NAME}.example/{PHONE}", status="302 Found"
    ),
    "a fault in words": whole(AT, status="500 Internal Server Error"),
    "a proxy's page": whole(b"<html>" + AT, status="502 Bad Gateway"),
    "a refusal in words": whole(AT, status="403 Forbidden"),
    "an account in words": whole(AT, status="401 Unauthorized"),
    "too many, in words": whole(
        AT, f"Retry-After: {WORDS}", status="429 Too Many Requests"
    ),
    "a date of words": whole(SAID[:-3], f"Date: {WORDS}"),
    "cookies": whole(
        SAID[:-3], f"Set-Cookie: receiver={NAME}; Domain={NAME}; Expires={WORDS}"
    ),
    "go on, with words": head(f"X-Receiver: {WORDS}", status="100 Continue")
    + whole(SAID[:-3]),
    "another connection": head(
        "Upgrade: websocket", "Connection: upgrade", status="101 Switching Protocols"
    )
    + SAID,
}
"""The bytes that come in place of an answer; then the connection is cut."""
