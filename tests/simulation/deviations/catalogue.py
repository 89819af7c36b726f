"""The deviations, each with what is to become of the orders.
`docs/contract/deviations.md` shows them as a table.
"""

from __future__ import annotations

import html
import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from functools import partial
from random import Random
from typing import Any

from sandbox.world import World
from tests.hostile.values import Raw
from tests.simulation.deviations import forms, past, payments
from tests.simulation.deviations.changes import (
    all_of,
    both,
    code,
    envelope,
    names,
    page_of_a_gateway,
    pages,
    references,
    refusals,
    rows,
    states,
    total,
    values,
    with_status,
    without,
)
from tests.simulation.deviations.service import (
    ONE,
    PAID,
    SAFE,
    STOPS,
    THROUGH,
    THROUGH_OR_ONE,
    Ask,
    Deviation,
    Group,
    Tell,
)
from tests.simulation.deviations.wire import (
    ABSENT,
    EVERYWHERE,
    ID_FILTERS,
    ORDERS,
    REFERENCE_FILTERS,
    Change,
    Role,
)

Roles = frozenset[Role]
LISTS, CREATES, PAYMENTS, PREVIEWS = (
    frozenset({item}) for item in (Role.LIST, Role.CREATE, Role.PAY, Role.PREVIEW)
)
MARKET = EVERYWHERE - {Role.OTHER}


def _error_inside(answer: dict[str, Any]) -> dict[str, Any]:
    error = {
        "code": answer.get("code", answer.get("errorCode")),
        "msg": answer.get("msg", answer.get("errorMsg")),
    }
    return {**answer, "code": 200, "msg": None, "data": error}


def _error_named(answer: dict[str, Any]) -> dict[str, Any]:
    return {
        **answer,
        "code": 200,
        "msg": None,
        "error": {"code": answer.get("code"), "message": answer.get("msg")},
    }


_one = partial(Deviation, group=Group.NUMBERS)


def _numbers() -> Iterator[Deviation]:
    yield _one(
        name="numbers as text", expected=THROUGH, tells=all_of(forms.number_as_text)
    )
    yield _one(
        name="text as numbers", expected=THROUGH, tells=values(forms.text_as_number)
    )
    yield _one(
        name="ids as JSON numbers", expected=THROUGH, tells=values(forms.ids(int))
    )
    yield _one(
        name="ids as 1.0",
        expected=STOPS,
        tells=values(forms.ids(lambda number: Raw(f"{number}.0"))),
    )
    for where, roles in (
        ("", EVERYWHERE),
        (" in lists", LISTS),
        (" by a create", CREATES),
    ):
        expected = (
            THROUGH_OR_ONE if roles is CREATES else ONE
        )  # a list names the order again, by its right id
        yield _one(
            name=f"ids rounded{where}",
            expected=expected,
            tells=values(forms.rounded, roles),
        )


UNITS: dict[str, Change] = {
    "yuan with decimals for fen": forms.amounts(fen=forms.yuan_of),
    "whole yuan for fen": forms.amounts(fen=forms.whole_yuan_of),
    "fen for yuan": forms.amounts(yuan=forms.fen_of),
    "amounts times 100": forms.amounts(
        fen=lambda fen: fen * 100, yuan=lambda yuan: yuan * 100
    ),
    "a hundredth of amounts": forms.amounts(
        fen=forms.whole_yuan_of, yuan=lambda yuan: round(yuan / 100, 2)
    ),
}
WHERE: dict[str, Roles] = {
    "": MARKET,
    " in previews": PREVIEWS,
    " in lists and details": ORDERS,
    " by a create": CREATES,
    " by a payment": PAYMENTS,
}


def _amounts() -> Iterator[Deviation]:
    for unit, change in UNITS.items():
        for where, roles in WHERE.items():
            expected = {
                PAYMENTS: SAFE,
                CREATES: THROUGH_OR_ONE,
                PREVIEWS: THROUGH_OR_ONE,
            }.get(roles, ONE)
            yield Deviation(
                name=f"{unit}{where}",
                group=Group.AMOUNTS,
                expected=expected,
                tells=values(change, roles),
            )


def _names() -> Iterator[Deviation]:
    for style, rename in (
        ("snake_case", forms.snake),
        ("PascalCase", forms.pascal),
        ("lower case", str.lower),
    ):
        tells = {
            "": names(rename, envelope=True),
            " in data": names(rename),
            " in lists": names(rename, LISTS),
        }
        for where, tell in tells.items():
            yield Deviation(
                name=f"names in {style}{where}",
                group=Group.NAMES,
                expected=ONE,
                tells=tell,
            )


def _nothing() -> Iterator[Deviation]:
    for text, value in forms.NOTHING.items():
        tell = values(forms.nothing_as(value))
        yield Deviation(
            name=f"null as {text}",
            group=Group.NOTHING,
            expected=THROUGH_OR_ONE,
            tells=tell,
        )
    tell = values(forms.empty_as_null)
    yield Deviation(
        name="empty text as null",
        group=Group.NOTHING,
        expected=THROUGH_OR_ONE,
        tells=tell,
    )


def _times() -> Iterator[Deviation]:
    certain: dict[str, Change] = {
        "epoch milliseconds": forms.times(forms.milliseconds),
        "epoch milliseconds as text": forms.times(
            lambda moment: str(forms.milliseconds(moment))
        ),
        "epoch seconds": forms.times(lambda moment: int(moment.timestamp())),
        "ISO with Z": forms.times(
            lambda moment: f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
        ),
        "ISO with +08:00": forms.times(
            lambda moment: moment.astimezone(forms.CHINA).isoformat(timespec="seconds")
        ),
    }
    doubtful: dict[str, Change] = {
        "local text": forms.times(
            lambda moment: forms.spaced(moment.astimezone(forms.CHINA))
        ),
        "zeros for none": forms.times(_as_the_contract, none="0000-00-00 00:00:00"),
        "UTC text": forms.times(lambda moment: forms.spaced(moment.astimezone(UTC))),
        "8 hours ahead": forms.moved(hours=8),
        "slashes": forms.times(
            lambda moment: f"{moment.astimezone(forms.CHINA):%Y/%m/%d %H:%M:%S}"
        ),
        "date only": forms.times(
            lambda moment: f"{moment.astimezone(forms.CHINA):%Y-%m-%d}"
        ),
    }
    for name, change in certain.items():
        yield Deviation(
            name=f"times as {name}",
            group=Group.TIMES,
            expected=THROUGH,
            tells=values(change),
        )
    for name, change in doubtful.items():
        yield Deviation(
            name=f"times as {name}",
            group=Group.TIMES,
            expected=THROUGH_OR_ONE,
            tells=values(change),
        )


def _as_the_contract(moment: datetime) -> str:
    return forms.spaced(moment.astimezone(forms.CHINA))


COUNTS: dict[str, Callable[[int, int], Any]] = {
    "missing": lambda _count, _shown: ABSENT,
    "as text": lambda count, _shown: str(count),
    "0": lambda _count, _shown: 0,
    "null": lambda _count, _shown: None,
    "-1": lambda _count, _shown: -1,
    "one more": lambda count, _shown: count + 1,
    "one less": lambda count, _shown: max(0, count - 1),
    "rows of the page": lambda _count, listing: listing,
    "capped at 50": lambda count, _shown: min(count, 50),
}


def _totals() -> Iterator[Deviation]:
    for name, count in COUNTS.items():
        yield Deviation(
            name=f"total {name}", group=Group.TOTALS, expected=SAFE, tells=total(count)
        )


def _sized(size: int) -> Callable[[dict[str, Any], str], None]:
    return lambda body, _name: body.update(pageSize=size)


def _pages() -> Iterator[Deviation]:
    asks: dict[str, Ask] = {
        "of one row": pages(_sized(1)),
        "of 20 rows": pages(_sized(20)),
        "counted from 0": pages(lambda body, name: body.update({name: body[name] + 1})),
        "always the first": pages(lambda body, name: body.update({name: 1})),
    }
    uncounted = total(COUNTS["missing"])
    for name, ask in asks.items():
        yield Deviation(
            name=f"pages {name}", group=Group.PAGES, expected=SAFE, asks=ask
        )
        yield Deviation(
            name=f"pages {name}, no total",
            group=Group.PAGES,
            expected=SAFE,
            asks=ask,
            tells=uncounted,
        )
    gaps = rows(lambda listing: listing[:20])
    yield Deviation(
        name="pages with 20 of 50 rows", group=Group.PAGES, expected=SAFE, tells=gaps
    )
    yield Deviation(
        name="pages with 20 of 50 rows, no total",
        group=Group.PAGES,
        expected=SAFE,
        tells=both(gaps, uncounted),
    )


def _rows() -> Iterator[Deviation]:
    tells: dict[str, Tell] = {
        "reversed": rows(lambda listing: listing[::-1]),
        "each twice": rows(lambda listing: [row for row in listing for _ in "12"]),
        "a null row": rows(lambda listing: [*listing, None]),
        "an empty list as null": values(
            lambda _name, value: None if value == [] else value
        ),
        "one row as an object": values(_one_as_an_object),
        "only the first": rows(lambda listing: listing[:1]),
        "only the last": rows(lambda listing: listing[-1:]),
    }
    for name, tell in tells.items():
        yield Deviation(
            name=f"rows: {name}", group=Group.ROWS, expected=SAFE, tells=tell
        )


def _one_as_an_object(_name: str, value: Any) -> Any:
    return (
        value[0]
        if isinstance(value, list) and len(value) == 1 and isinstance(value[0], dict)
        else value
    )


def _filters() -> Iterator[Deviation]:
    filters = {
        "reference filter": REFERENCE_FILTERS,
        "id filter": ID_FILTERS,
        "filters": (*REFERENCE_FILTERS, *ID_FILTERS),
    }
    for name, dropped in filters.items():
        yield Deviation(
            name=f"{name} ignored",
            group=Group.FILTERS,
            expected=THROUGH,
            asks=without(dropped),
        )


def _lag() -> Iterator[Deviation]:
    lagging: dict[str, Callable[[World, Role, Random], AbstractContextManager[Any]]] = {
        **{f"lists {s:,} s behind": past.behind(s, LISTS) for s in (120, 600, 1000)},
        **{
            f"half of the replicas {s:,} s behind": past.behind(s, ORDERS, chance=0.5)
            for s in (300, 1200)
        },
        "details 120 s behind": past.behind(120, frozenset({Role.DETAIL})),
        **{
            f"payments shown after {s:,} s": past.payments_after(s)
            for s in (60, 600, 1100, 3000)
        },
    }
    for name, within in lagging.items():
        yield Deviation(name=name, group=Group.LAG, expected=SAFE, within=within)


def _references() -> Iterator[Deviation]:
    certain: dict[str, Callable[[str], Any]] = {
        "padded": lambda text: f" {text}  ",
        "HTML-escaped": lambda text: html.escape(text).replace("-", "&#45;"),
    }
    doubtful: dict[str, Callable[[str], Any]] = {
        "in upper case": str.upper,
        "in lower case": str.lower,
        "cut to 20": lambda text: text[:20],
        "prefixed": lambda text: f"API_{text}",
        "quoted": lambda text: f'"{text}"',
        "null": lambda _text: None,
    }
    for name, form in certain.items():
        yield Deviation(
            name=f"references {name}",
            group=Group.REFERENCES,
            expected=THROUGH_OR_ONE,
            tells=references(form),
        )
    for name, form in doubtful.items():
        yield Deviation(
            name=f"references {name}",
            group=Group.REFERENCES,
            expected=THROUGH_OR_ONE,
            tells=references(form),
        )


def _in_data(name: str, wrap: Callable[[Any], Any]) -> Deviation:
    def change(answer: dict[str, Any]) -> dict[str, Any]:
        return {**answer, "data": wrap(answer.get("data"))}

    return Deviation(
        name=name, group=Group.ENVELOPE, expected=SAFE, tells=envelope(change)
    )


def _envelopes() -> Iterator[Deviation]:
    item = partial(Deviation, group=Group.ENVELOPE, expected=THROUGH | STOPS)
    yield item(name="code 0", tells=envelope(code(0)))
    yield item(name="code SUCCESS", tells=envelope(code("SUCCESS")))
    yield item(name="code 200.0", tells=envelope(code(200.0)))
    yield item(name="code missing", tells=envelope(code(ABSENT)))
    yield item(name="code under another name", tells=envelope(code(200, "resultCode")))
    for value in (False, 0, "false"):
        tell = envelope(lambda answer, value=value: {**answer, "success": value})  # type: ignore[misc]
        yield item(name=f"success {value!r} beside code 200", tells=tell)
    wrong = partial(Deviation, group=Group.ENVELOPE, expected=SAFE, refusals=True)
    yield wrong(
        name="errors as code 200",
        tells=refusals(lambda answer: {**answer, "code": 200}),
    )
    yield wrong(
        name="errors as code 404",
        tells=refusals(lambda answer: {**answer, "code": 404}),
    )
    yield wrong(name="errors inside data", tells=refusals(_error_inside))
    yield wrong(name="errors as `error`", tells=refusals(_error_named))
    for status in (302, 405):
        tell = page_of_a_gateway(status)
        yield Deviation(
            name=f"some answers a page, HTTP {status}",
            group=Group.ENVELOPE,
            expected=SAFE,
            tells=tell,
        )
    for status in (202, 400, 500):
        yield item(name=f"a yes at HTTP {status}", tells=with_status(status))
    yield _in_data("data as text", json.dumps)
    yield _in_data("data in a list", lambda data: [data])
    yield _in_data("data in data", lambda data: {"data": data})
    tell = envelope(
        lambda answer: {
            ("result" if name == "data" else name): item
            for name, item in answer.items()
        }
    )
    yield item(name="data as `result`", tells=tell)


CHINESE = ("等待买家付款", "等待卖家发货", "已发货", "交易成功", "交易关闭")


def _states() -> Iterator[Deviation]:
    tells: dict[str, Callable[[Any], Any]] = {
        "in upper case": lambda text: text.upper() if isinstance(text, str) else text,
        "in snake case": lambda text: (
            forms.snake(text).replace("buyer", "_buyer_")
            if isinstance(text, str)
            else text
        ),
        "padded": lambda text: f" {text} ",
        "in Chinese": lambda text: CHINESE[len(str(text)) % len(CHINESE)],
        "null": lambda _word: None,
        "as numbers": lambda text: len(str(text)),
        "SIGNED": lambda _word: "SIGNED",
    }
    for name, form in tells.items():
        yield Deviation(
            name=f"states {name}", group=Group.STATES, expected=SAFE, tells=states(form)
        )
    for text in ("waitlogisticstakein", "waitbuyersign", "signinsuccess"):
        yield Deviation(
            name=f"paid is {text}",
            group=Group.STATES,
            expected=PAID,
            tells=_paid_is("waitsellersend", text),
        )
    yield Deviation(
        name="paid is 99", group=Group.STATES, expected=PAID, tells=_paid_is(2, 99)
    )


def _paid_is(text: Any, record: Any) -> Tell:
    return states(
        lambda listing: (
            record if listing == text and type(listing) is type(text) else listing
        )
    )


def _booleans() -> Iterator[Deviation]:
    pairs: dict[str, tuple[Any, Any]] = {
        "as text": ("false", "true"),
        "as 0 and 1": (0, 1),
        "as Y and N": ("N", "Y"),
        "null": (None, None),
    }
    for name, pair in pairs.items():
        tell = values(
            lambda _name, value, pair=pair: (  # type: ignore[misc]
                pair[value] if isinstance(value, bool) else value
            )
        )
        yield Deviation(
            name=f"booleans {name}",
            group=Group.BOOLEANS,
            expected=THROUGH | ONE,
            tells=tell,
        )


def _texts() -> Iterator[Deviation]:
    through: dict[str, Callable[[bytes], bytes]] = {
        "after a BOM": lambda body: b"\xef\xbb\xbf" + body,
        "after blanks": lambda body: b" \r\n\t" + body,
    }
    stops: dict[str, Callable[[bytes], bytes]] = {
        "before garbage": lambda body: body + b"<!-- 3 ms -->",
        "as JSONP": lambda body: b"callback(" + body + b")",
        "in GBK": lambda body: body.decode().encode("gbk", errors="replace"),
        "in UTF-16": lambda body: body.decode().encode("utf-16"),
        "twice": lambda body: body + body,
        "with NaN": lambda body: body[:-1] + b',"took":NaN}',
        "with a doubled name": lambda body: body[:-1] + b',"data":null}',
        "as an array": lambda body: b"[" + body + b"]",
        "empty": lambda _body: b"",
    }
    for name, write in through.items():
        yield Deviation(
            name=f"text {name}", group=Group.TEXT, expected=THROUGH, writes=write
        )
    for name, write in stops.items():
        yield Deviation(
            name=f"text {name}", group=Group.TEXT, expected=STOPS, writes=write
        )


def _payments() -> Iterator[Deviation]:
    item = partial(Deviation, group=Group.PAYMENTS)
    yield item(name="payment is a submission", expected=SAFE, pays=payments.submitted)
    yield item(
        name="payment shown before the answer",
        expected=THROUGH,
        pays=payments.unanswered,
    )
    yield item(
        name="payment refused by finance later",
        expected=SAFE,
        pays=payments.reversed_later,
    )
    yield item(name="payment on credit", expected=THROUGH, pays=payments.on_credit)
    yield item(
        name="second payment refused as paid already",
        expected=SAFE,
        pays=payments.unanswered,
        within=past.payments_after(3000),
        resends=True,
    )


DEVIATIONS: tuple[Deviation, ...] = (
    *_numbers(),
    *_amounts(),
    *_names(),
    *_nothing(),
    *_times(),
    *_totals(),
    *_pages(),
    *_rows(),
    *_filters(),
    *_lag(),
    *_references(),
    *_envelopes(),
    *_states(),
    *_booleans(),
    *_texts(),
    *_payments(),
)
BY_NAME = {deviation.name: deviation for deviation in DEVIATIONS}
