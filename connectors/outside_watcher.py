"""A watcher elsewhere, a dead man's switch, that misses what is not told to it every night (`SOURCING_PING_URL`).

One GET: the address itself says that all is well, `/fail` behind its path that something failed, as at healthchecks.io.
The address is a secret: who knows it can say that all is well.
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
    """Tell the watcher; why it may not have heard, or nothing. Raises nothing and takes no longer than five seconds."""
    failures = ["it did not answer in time"]

    def ping() -> None:
        failures[0] = _pinged(url, well=well)

    # a thread that nobody waits for: neither a name server nor an answer in drips holds up the end of a process
    teller = threading.Thread(target=ping, daemon=True)
    teller.start()
    await asyncio.to_thread(teller.join, LONGEST_S)
    return failures[0]


def address_of(url: str, *, well: bool) -> str:
    """What is asked for: a query stays behind the path."""
    parts = urlsplit(url)
    return url if well else parts._replace(path=f"{parts.path.rstrip('/')}/fail").geturl()


def _pinged(url: str, *, well: bool) -> str:
    """Why it was not told, in words that do not quote the address."""
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
