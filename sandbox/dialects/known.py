"""The table of dialects, in the order in which they are listed; where several act on
one answer, in that order.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from sandbox.dialects.booking_once import (
    BOOKING_ONE_A_RENDER,
    BOOKING_ONE_AN_ORDER,
    BOOKING_REPEATED,
)
from sandbox.dialects.code_500 import CODE_500
from sandbox.dialects.code_1009 import CODE_1009
from sandbox.dialects.create_before_number import CREATE_BEFORE_NUMBER
from sandbox.dialects.daily_quota import DAILY_QUOTA
from sandbox.dialects.detail_without_reference import DETAIL_WITHOUT_REFERENCE
from sandbox.dialects.dialect import Dialect, Dialects
from sandbox.dialects.empty_for_null import EMPTY_FOR_NULL
from sandbox.dialects.freight_distribution_ids import FREIGHT_DISTRIBUTION_IDS
from sandbox.dialects.list_basic import LIST_BASIC
from sandbox.dialects.list_without_message import LIST_WITHOUT_MESSAGE
from sandbox.dialects.list_without_reference import LIST_WITHOUT_REFERENCE
from sandbox.dialects.pages_from_0 import PAGES_FROM_0
from sandbox.dialects.pages_of_20 import PAGES_OF_20_WITHOUT_TOTAL
from sandbox.dialects.pay_by_credit import PAY_BY_CREDIT
from sandbox.dialects.pay_is_submission import PAY_IS_SUBMISSION
from sandbox.dialects.pay_refused_by_finance import PAY_REFUSED_BY_FINANCE
from sandbox.dialects.poizon_one_product import POIZON_ONE_PRODUCT
from sandbox.dialects.preview_discount import PREVIEW_DISCOUNT
from sandbox.dialects.preview_total_only import PREVIEW_TOTAL_ONLY
from sandbox.dialects.receiver_china import RECEIVER_CHINA
from sandbox.dialects.refuses_duplicates import REFUSES_DUPLICATES
from sandbox.dialects.refuses_unknown_fields import REFUSES_UNKNOWN_FIELDS
from sandbox.dialects.search_yuan_text import SEARCH_YUAN_TEXT
from sandbox.dialects.states_1688 import STATES_1688
from sandbox.dialects.taobao_yuan import TAOBAO_YUAN
from sandbox.dialects.taobao_yuan_everywhere import TAOBAO_YUAN_EVERYWHERE
from sandbox.dialects.time_compact import TIME_COMPACT
from sandbox.dialects.tracking_404 import TRACKING_404
from sandbox.dialects.tracking_without_status import TRACKING_WITHOUT_STATUS
from sandbox.dialects.tracking_words import TRACKING_WORDS
from sandbox.fields import Fields
from sandbox.refusals import bad_request

DIALECTS = (
    LIST_WITHOUT_MESSAGE,
    LIST_WITHOUT_REFERENCE,
    REFUSES_UNKNOWN_FIELDS,
    REFUSES_DUPLICATES,
    TRACKING_404,
    PAY_IS_SUBMISSION,
    PAY_REFUSED_BY_FINANCE,
    PAY_BY_CREDIT,
    DETAIL_WITHOUT_REFERENCE,
    CREATE_BEFORE_NUMBER,
    TRACKING_WORDS,
    TRACKING_WITHOUT_STATUS,
    STATES_1688,
    LIST_BASIC,
    TIME_COMPACT,
    CODE_500,
    CODE_1009,
    DAILY_QUOTA,
    EMPTY_FOR_NULL,
    PAGES_OF_20_WITHOUT_TOTAL,
    POIZON_ONE_PRODUCT,
    TAOBAO_YUAN,
    SEARCH_YUAN_TEXT,
    TAOBAO_YUAN_EVERYWHERE,
    PREVIEW_DISCOUNT,
    PREVIEW_TOTAL_ONLY,
    FREIGHT_DISTRIBUTION_IDS,
    RECEIVER_CHINA,
    BOOKING_ONE_A_RENDER,
    BOOKING_ONE_AN_ORDER,
    BOOKING_REPEATED,
    PAGES_FROM_0,
)
BY_NAME: Mapping[str, Dialect] = {dialect.name: dialect for dialect in DIALECTS}


def dialects_named(names: Iterable[str]) -> list[Dialect]:
    """In the order of the table. Raises `Refusal` for a name that is no dialect."""
    asked = set(names)
    for name in asked - {*BY_NAME}:
        raise bad_request(
            "names", f"there is no dialect {name}; known are {', '.join(BY_NAME)}"
        )
    return [dialect for dialect in DIALECTS if dialect.name in asked]


def replace_dialects(dialects: Dialects, request: Fields) -> None:
    """Replace all deviations by these; refused as a whole for an unknown name."""
    request.only("names")
    dialects.replace(dialects_named(request.texts("names", at_most=len(DIALECTS))))


def in_force(dialects: Dialects) -> dict[str, Any]:
    return {
        "names": sorted(dialect.name for dialect in dialects),
        "known": {dialect.name: dialect.sentence for dialect in DIALECTS},
    }
