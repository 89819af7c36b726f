"""Which operations change nothing at all: fewer than those without an effect, which may be repeated and yet write."""

from __future__ import annotations

import re

from connectors.xportcn.operations import Operation

# A cart row's quantity or a picture for a refund can be written again without harm. It is written all the same.
WRITES = {"add", "cancel", "create", "delete", "edit", "modify", "pay", "return", "send", "submit", "update", "upload"}
WORD = re.compile(r"[A-Za-z][a-z]*")


def is_read_only(operation: Operation) -> bool:
    """True for a call that leaves the account, its carts and its orders exactly as they were."""
    return not (operation.effect or operation.is_callback or _last_words(operation.path) & WRITES)


def _last_words(path: str) -> set[str]:
    last = [part for part in path.split("/") if part and not part.startswith("{")][-1]
    return {word.lower() for word in WORD.findall(last)}
