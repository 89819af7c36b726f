"""`python -m tests.connectors.xportcn.peak_memory`: reads answers of all sizes, and
prints how each ended.

The last line is what they took of memory at the peak, in MiB beyond a small answer.
"""

from __future__ import annotations

import asyncio
import gzip
import json
import resource
import threading
import zlib
from collections.abc import Callable, Iterator

from connectors.xportcn.client import XportcnClient
from connectors.xportcn.errors import XportcnError
from connectors.xportcn.operations import taobao_order, taobao_product
from connectors.xportcn.settings import XportcnSettings
from domain.effects import Action
from tests.connectors.xportcn.orders import claim

MEGABYTE = b" " * (1 << 20)
SMALL = b'{"code": 200, "data": {"itemId": 1}}'
Parts = Callable[[], Iterator[bytes]]


def head(*lines: bytes) -> bytes:
    return b"\r\n".join((b"HTTP/1.1 200 OK", *lines, b"", b""))


def bomb(window: int) -> bytes:
    """300 MB of blanks, packed without ever holding them."""
    packing = zlib.compressobj(1, zlib.DEFLATED, window)
    return b"".join(
        [*(packing.compress(MEGABYTE) for _ in range(300)), packing.flush()]
    )


def whole(body: bytes, *lines: bytes) -> Parts:
    return lambda: iter((head(b"Content-Length: %d" % len(body), *lines), body))


def plain() -> Iterator[bytes]:
    yield head()
    yield from [MEGABYTE] * 500


def chunked() -> Iterator[bytes]:
    yield head(b"Transfer-Encoding: chunked")
    yield from [b"100000\r\n" + MEGABYTE + b"\r\n"] * 500


def headers() -> Iterator[bytes]:
    yield b"HTTP/1.1 200 OK\r\n"
    yield from (b"X-%d: %s\r\n" % (index, b"x" * 4_000) for index in range(50_000))


def one_header() -> Iterator[bytes]:
    yield b"HTTP/1.1 200 OK\r\nX: "
    yield from [MEGABYTE] * 200


CASES: dict[str, Parts] = {
    "small": whole(SMALL),
    "plain": plain,
    "chunked": chunked,
    "gzip": whole(bomb(31), b"Content-Encoding: gzip"),
    "deflate": whole(bomb(15), b"Content-Encoding: deflate"),
    "gzip in gzip": whole(gzip.compress(bomb(31)), b"Content-Encoding: gzip, gzip"),
    "brotli": whole(SMALL, b"Content-Encoding: br"),
    "many headers": headers,
    "one header": one_header,
    "deep": whole(b'{"code": 200, "data": ' + b"[" * 5_000_000),
    "huge number": whole(
        b'{"code": 200, "data": {"itemId": ' + b"9" * 5_000_000 + b"}}"
    ),
    "huge text": whole(
        json.dumps(
            {"code": 200, "data": {"itemId": 1, "title": "x" * 10_000_000}}
        ).encode()
    ),
}


def serve(parts: Parts, ready: Callable[[int], None]) -> None:
    """A server in a thread of its own, that writes what it has to whoever asks."""

    async def answer(
        reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        try:
            await reader.readuntil(b"\r\n\r\n")
            for piece in parts():
                writer.write(piece)
                await writer.drain()
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    async def forever() -> None:
        server = await asyncio.start_server(answer, "127.0.0.1", 0)
        ready(server.sockets[0].getsockname()[1])
        await asyncio.Event().wait()

    asyncio.run(forever())


async def ended(port: int) -> str:
    """How a read and an effect end."""
    settings = XportcnSettings(
        base_url=f"http://127.0.0.1:{port}", retries=0, timeout_s=60
    )
    text: list[str] = []
    async with XportcnClient(settings) as client:
        for action in (Action.NOTIFY, Action.PAY):
            try:
                if action is Action.PAY:
                    request = taobao_order.PayRequest(purchase_order_id_list=("7",))
                    await client.effect(taobao_order.PAY, request, claim=claim(action))
                else:
                    await client.read(
                        taobao_product.PRODUCT,
                        taobao_product.ProductRequest(item_id="1"),
                    )
                text.append("read")
            except XportcnError as error:
                text.append(type(error).__name__)
    return " ".join(text)


def peak_mib() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10


def main() -> None:
    base = 0
    for name, pieces in CASES.items():
        ports: list[int] = []
        listening = threading.Event()
        is_ready = lambda port, ports=ports, listening=listening: (  # noqa: E731
            ports.append(port),
            listening.set(),
        )
        threading.Thread(target=serve, args=(pieces, is_ready), daemon=True).start()
        listening.wait()
        print(f"{name}: {asyncio.run(ended(ports[0]))}")
        base = base or peak_mib()
    print(peak_mib() - base)


if __name__ == "__main__":
    main()
