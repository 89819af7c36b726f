"""Fetches a request file from an https address, such as a published sheet.

The address may hold a token, so no message quotes it. A sheet is served through
redirects to other hosts, with any name or none and any content type. So its bytes
decide the kind of file.
"""

from __future__ import annotations

import asyncio
import re
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from ipaddress import (
    IPv4Address,
    IPv6Address,
    ip_address,
    ip_network,
)

import httpx

from connectors.answer_bodies import HEADERS, Unreadable, read_body
from connectors.foreign import words_of
from connectors.request_files.decoding import MOST_BYTES, Unusable, too_large
from connectors.request_files.xlsx_file import LOCKED_OR_OLD, OLE

Address = IPv4Address | IPv6Address
UNICAST = ip_network(
    "2000::/3"
)  # Python's `is_global` includes more: fec0::, ::127.0.0.1
CARRIERS = (ip_network("64:ff9b::/96"), ip_network("::/96"))
DOCUMENTS = ip_network(
    "3fff::/20"
)  # reserved for examples (RFC 9637); Python 3.11 takes it for public
ISATAP = (0x00005EFE, 0x02005EFE)
"""Above the last 32 bits, which are an IPv4 address (RFC 5214)."""
PLATFORMS = (ip_network("168.63.129.16/32"), ip_network("192.0.0.0/24"))
"""Metadata services of Azure and Oracle; other clouds have theirs at link-local
addresses.
"""


def is_reachable(text: str, *, is_tls: bool) -> bool:
    """Whether this address may be connected to: a public one, by TLS."""
    return is_tls and _is_public(_led_to(ip_address(text)))


def _led_to(address: Address) -> Address:
    """The IPv4 address that an IPv6 one leads to: mapped, 6to4, Teredo, NAT64,
    ISATAP.
    """
    if isinstance(address, IPv4Address):
        return address
    if int(address) >> 32 & 0xFFFFFFFF in ISATAP:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    if address != IPv6Address(1) and any(address in network for network in CARRIERS):
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return (
        address.ipv4_mapped
        or address.sixtofour
        or (address.teredo or (None, None))[1]
        or address
    )


def _is_public(address: Address) -> bool:
    is_unicast = (
        address in UNICAST
        if isinstance(address, IPv6Address)
        else not address.is_multicast
    )
    return (
        is_unicast
        and address.is_global
        and not any(address in network for network in (*PLATFORMS, DOCUMENTS))
    )


LONGEST_S = 60.0
CONNECTED_WITHIN = {"connect": 5.0}
MOST_REDIRECTS = 10
UNTRUSTED = "CERTIFICATE_VERIFY_FAILED"
PART = 1 << 16
STARTS = {b"PK\x03\x04": ".xlsx", b"PAR1": ".parquet", b"[": ".json", b"{": ".json"}
OTHERS = {
    b"<": "answered a web page, such as a login, instead of a file: give the link that downloads the file itself, and "
    "let everybody who has it read the sheet (Google: File, Share, Publish to web, CSV)",
    b"%PDF": "answered a PDF: export the table as CSV or XLSX",
    OLE: f"answered {LOCKED_OR_OLD}",
}


@dataclass(frozen=True, slots=True)
class Fetched:
    """A whole file; `suffix` selects its reader."""

    content: bytes
    suffix: str


async def fetch(address: str) -> Fetched:
    """The file at a public address. Raises `Unusable`, without the address in its
    message. No proxy is used.
    """
    try:
        async with asyncio.timeout(LONGEST_S):
            return await _follow(_url(address))
    except TimeoutError:
        problem = f"did not give the whole file within {LONGEST_S:.0f} seconds: try again, or download it yourself"
    except socket.gaierror:
        problem = "names a host that is not known: check the address"
    except (httpx.ReadError, httpx.RemoteProtocolError):
        problem = "broke off in the middle: try again"
    except Unreadable as error:
        problem = f"can't be read: {error}"
    except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError) as error:
        message = words_of(error)
        problem = f"can't be asked ({message}): check the address, or try again"
        if UNTRUSTED in message:
            problem = "has a certificate that is not trusted here"
    raise Unusable(problem)


def _url(text: str) -> httpx.URL:
    if not re.fullmatch(r"https?://[^\s\x00-\x1f\x7f]+", text, re.IGNORECASE):
        raise Unusable("is no https address")
    return httpx.URL(text)


async def _follow(url: httpx.URL) -> Fetched:
    """Get the file, following redirects; sheets need that cookies go back to the hosts
    that set them. httpx's client is not used: it logs addresses.
    """
    cookies = httpx.Cookies()
    for _ in range(MOST_REDIRECTS + 1):
        request = httpx.Request("GET", url, headers=HEADERS, cookies=cookies)
        async with httpx.AsyncHTTPTransport() as transport:
            response = await _ask(transport, request)
            try:
                cookies.extract_cookies(response)
                if location := _leads_to(response):
                    url = _url(str(url.join(location)))
                else:
                    return await _file(response)
            finally:
                await response.aclose()
    raise Unusable(f"was redirected more than {MOST_REDIRECTS} times")


async def _ask(
    transport: httpx.AsyncBaseTransport, request: httpx.Request
) -> httpx.Response:
    """The answer from the first of the host's addresses that can be connected to. Only
    addresses that were checked are connected to: the name is not looked up again.
    """
    failure: httpx.TransportError | None = None
    for address in await _reachable_addresses(request.url):
        pinned = httpx.Request(
            request.method,
            request.url.copy_with(host=address),
            headers=request.headers,
            extensions={
                "sni_hostname": request.url.raw_host.decode(),
                "timeout": CONNECTED_WITHIN,
            },
        )
        try:
            response = await transport.handle_async_request(pinned)
        except (httpx.ConnectError, httpx.ConnectTimeout) as error:
            failure = error
        else:
            response.request = request
            return response
    assert failure is not None
    raise failure


async def _reachable_addresses(url: httpx.URL) -> list[str]:
    """The addresses of the host that may be connected to. Raises `Unusable` where there
    is none.
    """
    is_tls = url.scheme == "https"
    answers = await asyncio.get_running_loop().getaddrinfo(
        url.raw_host.decode(), url.port, type=socket.SOCK_STREAM
    )
    addresses = [str(address[0]) for *_, address in answers]
    reachable = [text for text in addresses if is_reachable(text, is_tls=is_tls)]
    if reachable:
        return reachable
    if not is_tls and is_reachable(addresses[0], is_tls=True):
        raise Unusable("must begin with https")
    raise Unusable(f"leads to {addresses[0]}, which is not public")


def _leads_to(answer: httpx.Response) -> str:
    """The target of a redirect; empty for other answers. Raises `Unusable` for an
    answer without a file.
    """
    status = answer.status_code
    if answer.has_redirect_location:
        return answer.headers["location"]
    if status in (401, 403):
        raise Unusable(
            f"answered {status}: it wants a login; let everybody with the link read"
        )
    if status in (404, 410):
        raise Unusable(
            f"answered {status}: nothing is there any more; check the address"
        )
    if status != HTTPStatus.OK:
        raise Unusable(f"answered {status}: try again later, or check the address")
    return ""


async def _file(answer: httpx.Response) -> Fetched:
    length = answer.headers.get("content-length")
    if length is None and "transfer-encoding" not in answer.headers:
        raise Unusable(
            "does not say how long the file is, so it may be cut off unnoticed: download it"
        )
    if int(length or 0) > MOST_BYTES:
        raise Unusable(too_large(int(length or 0)))
    content = await read_body(answer, MOST_BYTES)
    return Fetched(content, suffix_of(content))


def suffix_of(content: bytes) -> str:
    """The suffix of a file by its first bytes; text that is no JSON is CSV. Raises
    `Unusable` for other files.
    """
    start = content[:PART].lstrip(b"\xef\xbb\xbf \t\r\n")
    if problem := _by_start(start, OTHERS):
        raise Unusable(problem)
    return _by_start(start, STARTS) or ".csv"


def _by_start(start: bytes, known: Mapping[bytes, str]) -> str:
    return next(
        (header for begins, header in known.items() if start.startswith(begins)), ""
    )
