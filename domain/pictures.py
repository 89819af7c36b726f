"""Pictures of goods as a browser may load them: from hosts on a list alone, by HTTPS."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import quote

ADDRESS = re.compile(r"(?:https?:)?//((?:[a-z0-9-]+\.)+[a-z]{2,})(/[\w/.~%@!+,=?-]{1,400})", re.ASCII | re.IGNORECASE)
HOST = re.compile(r"(?:[a-z0-9-]+\.)+[a-z]{2,}")


@dataclass(frozen=True, slots=True)
class Pictures:
    """The `hosts` count with all names below them; a `sandbox` at this origin serves their pictures itself."""

    hosts: Sequence[str] = ()
    sandbox: str = ""

    def address(self, picture: str) -> str:
        """The address for a browser, free of marks that end an attribute or a table cell; else empty."""
        if not (found := ADDRESS.fullmatch(picture)):
            return ""
        host = found[1].lower()
        if not any(f".{host}".endswith(f".{known}") for known in self.hosts):
            return ""
        shown = f"https://{host}{found[2]}"
        return f"{self.sandbox}/_sandbox/picture?of={quote(shown, safe='')}" if self.sandbox else shown

    @property
    def sources(self) -> str:
        """The origins of all pictures, as a content policy names them."""
        return self.sandbox or " ".join(f"https://{host} https://*.{host}" for host in self.hosts)


NO_PICTURES = Pictures()


def picture_hosts(text: str) -> tuple[str, ...]:
    """The hosts in a comma-separated text. Raises `ValueError` for what is no host name."""
    hosts = tuple(name for part in text.lower().split(",") if (name := part.strip()))
    for name in hosts:
        if not HOST.fullmatch(name):
            raise ValueError(f"{name!r} is no host name such as alicdn.com")
    return hosts
