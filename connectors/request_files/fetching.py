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
from typing import Any

import aiohttp
from yarl import URL

from connectors.http import trusted
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
MOST_REDIRECTS = 10
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
            return await _followed(_url(address))
    except TimeoutError:
        problem = f"did not give the whole file within {LONGEST_S:.0f} seconds: try again, or download it yourself"
    except aiohttp.ClientConnectorCertificateError:
        problem = "has a certificate that is not trusted here"
    except aiohttp.ClientConnectorDNSError:
        problem = "names a host that is not known: check the address"
    except (
        aiohttp.ClientPayloadError,
        aiohttp.ServerDisconnectedError,
        ConnectionResetError,
    ):
        problem = "broke off in the middle: try again"
    except (aiohttp.ClientError, OSError, ValueError) as error:
        problem = f"can't be asked ({_kind(error)}): check the address, or try again"
    raise Unusable(problem)


def _kind(error: BaseException) -> str:
    """The kind of an error, without its message, which names the address."""
    of_system = getattr(error, "os_error", error)
    return getattr(of_system, "strerror", None) or type(error).__name__


def _url(text: str) -> URL:
    if not re.fullmatch(r"https?://[^\s\x00-\x1f\x7f]+", text, re.IGNORECASE):
        raise Unusable("is no https address")
    return URL(text, encoded=text.isascii())


async def _followed(url: URL) -> Fetched:
    """Get the file, following redirects; sheets need that cookies go back to the hosts
    that set them.
    """
    cookies = aiohttp.CookieJar()
    for _ in range(MOST_REDIRECTS + 1):
        door = Door(is_tls=url.scheme == "https")
        connector = aiohttp.TCPConnector(ssl=trusted(), socket_factory=door.socket)
        async with aiohttp.ClientSession(
            connector=connector, cookie_jar=cookies, trust_env=False
        ) as session:
            try:
                async with session.get(
                    url, allow_redirects=False, headers={"user-agent": "sourcing"}
                ) as answer:
                    if location := _leads_to(answer):
                        url = url.join(
                            _url(
                                str(url.join(URL(location, encoded=location.isascii())))
                            )
                        )
                        continue
                    return await _file(answer)
            except aiohttp.ClientError:
                door.raise_if_refused()
                raise
    raise Unusable(f"was redirected more than {MOST_REDIRECTS} times")


class Door:
    """Creates the socket of each connection, unless its address is forbidden."""

    def __init__(self, *, is_tls: bool) -> None:
        self._is_tls = is_tls
        self._refused: list[str] = []

    def socket(self, to: tuple[Any, ...]) -> socket.socket:
        """A socket for aiohttp, which connects it to exactly this address. Raises
        `PermissionError`.
        """
        family, kind, protocol, _, address = to
        if not is_reachable(address[0], is_tls=self._is_tls):
            self._refused.append(address[0])
            raise PermissionError
        return socket.socket(family=family, type=kind, proto=protocol)

    def raise_if_refused(self) -> None:
        """Raise `Unusable` where an address was refused."""
        if not self._refused:
            return
        if not self._is_tls and is_reachable(self._refused[0], is_tls=True):
            raise Unusable("must begin with https")
        raise Unusable(f"leads to {self._refused[0]}, which is not public")


def _leads_to(answer: aiohttp.ClientResponse) -> str:
    """The target of a redirect; empty for other answers. Raises `Unusable` for an
    answer without a file.
    """
    if answer.status in (301, 302, 303, 307, 308) and (
        location := answer.headers.get("location")
    ):
        return location
    if answer.status in (401, 403):
        raise Unusable(
            f"answered {answer.status}: it wants a login; let everybody with the link read"
        )
    if answer.status in (404, 410):
        raise Unusable(
            f"answered {answer.status}: nothing is there any more; check the address"
        )
    if answer.status != HTTPStatus.OK:
        raise Unusable(
            f"answered {answer.status}: try again later, or check the address"
        )
    return ""


async def _file(answer: aiohttp.ClientResponse) -> Fetched:
    if (
        answer.content_length is None
        and "chunked" not in answer.headers.get("transfer-encoding", "").lower()
    ):
        raise Unusable(
            "does not say how long the file is, so it may be cut off unnoticed: download it"
        )
    if (answer.content_length or 0) > MOST_BYTES:
        raise Unusable(too_large(answer.content_length or 0))
    parts, size = [], 0
    async for part in answer.content.iter_chunked(
        PART
    ):  # decompressed, in parts of bounded size
        parts.append(part)
        size += len(part)
        if size > MOST_BYTES:
            raise Unusable(f"has more than {MOST_BYTES // 2**20} MiB: split the file")
    content = b"".join(parts)
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
        (what for begins, what in known.items() if start.startswith(begins)), ""
    )
