"""Going live: each call that changes nothing and takes a page, words or an id is made
once, and what does not fit its model is named. Ids of one answer feed the next call;
previews and freight are left to a dry run.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import BaseModel

from connectors.xportcn.client import XportcnClient
from connectors.xportcn.errors import Misconfigured, NotSent, XportcnError
from connectors.xportcn.operations import catalogue
from connectors.xportcn.operations.operation import ReadCall

NO_PATH = (404, 405)
FIXED: Mapping[str, Any] = {
    **dict.fromkeys(("page_no", "page", "begin_page", "index", "start_page"), 1),
    **dict.fromkeys(("page_size", "size"), 20),
    "keyword": "杯",
}
UNKNOWN = ("image_base64",)
"""Fields that a request needs, against its model, and no answer has."""
LEARNED_AS = {
    "purchase_order_id": "purchase_id",
    "sub_order_id": "sub_purchase_order_id",
    "open_uid": "seller_open_id",
}
"""Our names of fields in answers, by those in requests."""


class LiveCheck:
    """One round of calls. `faults` has the words on each that was made, none for one
    that fits; `unasked` are those without an id yet.
    """

    def __init__(self, client: XportcnClient) -> None:
        self._client = client
        self._known: dict[str, dict[str, str]] = {}
        self.faults: dict[ReadCall[Any, Any], str] = {}
        self.unasked = [
            call
            for call in catalogue()
            if isinstance(call, ReadCall) and call.is_read_only
        ]

    async def run(self) -> None:
        """Make the calls. Raises `XportcnError` where all others would end alike."""
        is_asked = True
        while is_asked:
            is_asked = False
            for call in [*self.unasked]:
                content = self._content(call)
                if content is not None:
                    self.unasked.remove(call)
                    self.faults[call] = await self._fault(call, content)
                    is_asked = True

    def _content(self, call: ReadCall[Any, Any]) -> dict[str, Any] | None:
        """The fields of a request; None while one has no value."""
        known_values = {**FIXED, **self._known.get(_marketplace(call), {})}
        fields = call.request.model_fields.items()
        names = [
            name for name, field in fields if field.is_required() or name in UNKNOWN
        ]
        sources = {name: LEARNED_AS.get(name, name) for name in names}
        if not known_values.keys() >= {*sources.values()}:
            return None
        return {name: known_values[source] for name, source in sources.items()}

    async def _fault(self, call: ReadCall[Any, Any], content: dict[str, Any]) -> str:
        try:
            answer = await self._client.read(call, call.request(**content))
        except (Misconfigured, NotSent) as error:
            if error.status not in NO_PATH:
                raise
            return error.message
        except XportcnError as error:
            return error.message
        known_values = self._known.setdefault(_marketplace(call), {})
        known_values.update({**dict(_ids(answer)), **known_values})
        fields = ", ".join(sorted(_misfits(answer)))
        return f"rows do not fit the contract at {fields}" if fields else ""


def _marketplace(call: ReadCall[Any, Any]) -> str:
    return call.group.partition(" / ")[0]


def _ids(answer: Any) -> Iterator[tuple[str, str]]:
    """The texts of an answer by their names, of each list those of its first row."""
    if isinstance(answer, tuple):
        yield from _ids(answer[0]) if answer else ()
    for name in type(answer).model_fields if isinstance(answer, BaseModel) else ():
        value = getattr(answer, name)
        if isinstance(value, str) and value:
            yield name, value
        yield from _ids(value)


def _misfits(answer: Any) -> set[str]:
    """The fields of rows that the reader left out."""
    misfits = {row.field for row in getattr(answer, "misfits", ())}
    parts = answer if isinstance(answer, tuple) else ()
    if isinstance(answer, BaseModel):
        parts = tuple(getattr(answer, name) for name in type(answer).model_fields)
    return misfits.union(*map(_misfits, parts))
