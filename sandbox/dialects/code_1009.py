"""One code for every no."""

from __future__ import annotations

from sandbox.dialects.code_500 import one_code
from sandbox.dialects.dialect import Dialect, Mark

CODE_1009 = Dialect(
    name="code-1009",
    sentence="Every no of the service but to the account has code 1009 with its words, at HTTP 200.",
    source="A reseller of the same marketplaces lists 200, 400, 401, 500 and 1009, any no of the business.",
    mark=Mark.RESELLER,
    changes_refusal=one_code(1009),
)
