"""The ping by which a watcher elsewhere knows that the nights run."""

from __future__ import annotations

import asyncio
from urllib.parse import urlsplit

import httpx

from connectors.foreign import words_of

LONGEST_S = 5.0


async def ping_watcher(url: str, *, well: bool) -> str:
    """Ping the watcher; returns why the ping may be lost, or nothing. Raises nothing
    and takes at most five seconds.
    """
    try:
        async with (
            asyncio.timeout(LONGEST_S),
            httpx.AsyncClient(follow_redirects=True) as client,
        ):
            answer = await client.get(address_of(url, well=well))
    except TimeoutError:
        return "it did not answer in time"
    except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
        return words_of(error)
    return "" if answer.is_success else f"it answered {answer.status_code}"


def address_of(url: str, *, well: bool) -> str:
    """The address to get: a query stays behind the path."""
    parts = urlsplit(url)
    return (
        url if well else parts._replace(path=f"{parts.path.rstrip('/')}/fail").geturl()
    )
