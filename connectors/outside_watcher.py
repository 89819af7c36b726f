"""Pings a dead man's switch elsewhere every night, which alerts people when a ping is missing (`SOURCING_PING_URL`).

One GET: the address itself reports success, `/fail` behind its path a failure, as at healthchecks.io. The address is a
secret: with it anyone can report success.
"""

from __future__ import annotations

import asyncio
import threading
from http.client import HTTPException
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

from connectors.foreign import words_of

LONGEST_S = 5.0


async def ping_watcher(url: str, *, well: bool) -> str:
    """Ping the watcher; returns why the ping may be lost, or nothing. Raises nothing and takes at most five seconds."""
    failures = ["it did not answer in time"]

    def ping() -> None:
        failures[0] = _pinged(url, well=well)

    # a daemon thread: neither a name server nor an answer in drips delays the end of a process
    teller = threading.Thread(target=ping, daemon=True)
    teller.start()
    await asyncio.to_thread(teller.join, LONGEST_S)
    return failures[0]


def address_of(url: str, *, well: bool) -> str:
    """The address to get: a query stays behind the path."""
    parts = urlsplit(url)
    return url if well else parts._replace(path=f"{parts.path.rstrip('/')}/fail").geturl()


def _pinged(url: str, *, well: bool) -> str:
    """Why a ping failed, without the address; empty for success."""
    try:
        request = Request(address_of(url, well=well), headers={"User-Agent": "sourcing"})
        with urlopen(request, timeout=LONGEST_S):
            return ""
    except HTTPError as error:
        error.close()
        return f"it answered {error.code}"
    except URLError as error:
        return words_of(error)
    except (OSError, HTTPException, ValueError) as error:
        return type(error).__name__
