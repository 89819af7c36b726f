"""Redis between the processes of one Prefect server, as Prefect documents it: events, leases, background work.

messaging.env has the settings for servers that `sourcing serve` does not start. An API without services and a server
with them must not share a Redis: the first takes background work that it does not know, and drops it for good.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from connectors.foreign import words_of

FILE = Path(__file__).with_suffix(".env")


class MessagingUnusable(Exception):
    """Redis can't be reached, or Prefect can't use it; the message names the remedy."""


def require_messaging(url: str) -> None:
    """Raise `MessagingUnusable` unless Redis answers at this address and what Prefect needs for it is installed."""
    if find_spec("prefect_redis") is None:
        raise MessagingUnusable("--redis needs prefect-redis: pip install prefect-redis")
    from redis import Redis
    from redis.exceptions import RedisError

    try:
        with Redis.from_url(url, socket_connect_timeout=5, socket_timeout=5) as redis:
            redis.ping()
    except ValueError:  # it may quote a password
        raise MessagingUnusable("--redis wants an address such as redis://user:password@host:6379/0") from None
    except RedisError as error:
        raise MessagingUnusable(
            f"no Redis answers at the address of --redis ({words_of(error)}): start it, or correct it"
        ) from None


def server_settings(url: str) -> dict[str, str]:
    """The settings with which Prefect's server keeps its messages and its leases there."""
    fixed = dict(line.split("=", 1) for line in FILE.read_text().splitlines())
    return {**fixed, "PREFECT_REDIS_MESSAGING_URL": url, "PREFECT_SERVER_DOCKET_URL": url}
