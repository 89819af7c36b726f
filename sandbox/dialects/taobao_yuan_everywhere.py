"""All of Taobao in yuan."""

from __future__ import annotations

import json
from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from sandbox.dialects.dialect import Dialect, Mark, each
from sandbox.dialects.taobao_yuan import AMOUNTS, amounts
from sandbox.fields import Fields

if TYPE_CHECKING:
    from sandbox.operations import Call
    from sandbox.world import World

OTHERS = ("/open/pp/", "/open/address/")


def _is_taobao(path: str) -> bool:
    return path.startswith(("/open/", "/v2/taobao/")) and not path.startswith(OTHERS)


def _in_yuan(world: World, path: str, call: Call, data: Any) -> Any:
    """Whole yuan without a point, others as decimals."""
    return (
        amounts(data, lambda fen: fen / 100 if fen % 100 else fen // 100)
        if _is_taobao(path)
        else data
    )


def _understood(world: World, path: str, call: Call) -> Call:
    return (
        replace(call, body=Fields(_in_fen(call.body.raw))) if _is_taobao(path) else call
    )


def _in_fen(body: Any) -> Any:
    """A request with its amounts as the books count them; lists may be JSON inside a
    text.
    """

    def changed(name: str, value: Any) -> Any:
        if isinstance(value, str) and value.startswith("[{"):
            return json.dumps(_in_fen(json.loads(value)))
        is_amount = (
            name in AMOUNTS
            and isinstance(value, int | float)
            and not isinstance(value, bool)
        )
        return int(Decimal(str(value)) * 100) if is_amount else value

    return each(body, changed)


TAOBAO_YUAN_EVERYWHERE = Dialect(
    name="taobao-yuan-everywhere",
    sentence="Every amount of Taobao's calls is in yuan, in requests too, whole ones without a decimal point.",
    source="Product details are in yuan by a public client; that previews and orders are as well is not seen.",
    mark=Mark.INFERRED,
    changes_call=_understood,
    changes_answer=_in_yuan,
)
