"""Operations that change nothing at all: fewer than those without an effect, which are repeatable but may write."""

from __future__ import annotations

import re

from connectors.xportcn.operations import Operation

# A cart row's quantity or a picture for a refund can be written again without harm, but is written.
WRITES = {"add", "cancel", "create", "delete", "edit", "modify", "pay", "return", "send", "submit", "update", "upload"}
WORD = re.compile(r"[A-Za-z][a-z]*")


def is_read_only(operation: Operation) -> bool:
    """True for a call that leaves the account, its carts and its orders unchanged."""
    return not (operation.effect or operation.is_callback or _last_words(operation.path) & WRITES)


def _last_words(path: str) -> set[str]:
    last = [part for part in path.split("/") if part and not part.startswith("{")][-1]
    return {word.lower() for word in WORD.findall(last)}
