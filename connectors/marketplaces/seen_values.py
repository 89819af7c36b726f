"""Values that answers show beside those that are assumed: units, words, pages, sums,
references, ids, times, refusals.

Names, paths and types are compared elsewhere (`xportcn.live_check`); a value can have
them all right and mean another.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from enum import StrEnum
from typing import Any

from connectors.marketplaces import big_major, international, poizon
from connectors.marketplaces.alibaba_1688 import reading as alibaba_1688
from connectors.marketplaces.lines import STAGES, status_of
from connectors.marketplaces.taobao import reading as taobao
from connectors.units import Unit, Units
from connectors.xportcn.assumptions import ABOUT, DISTRIBUTION, WAREHOUSE, Assumption
from connectors.xportcn.live_check.comparing import (
    element_of,
    fields_of,
    model_in,
    unit_of,
)
from connectors.xportcn.live_check.examination import Checked, Conformance
from connectors.xportcn.operations import catalogue
from connectors.xportcn.operations.operation import Call
from domain.service_orders import ServiceStatus

APART = Decimal(33)
"""From this factor on, two prices of one thing are in different units; within 3 they
are in the same one.
"""
NEAR = Decimal(3)
PRICES = ("price", "promotionPrice", "minPrice")
OF_GOODS = ("itemId", "offerId", "dwSpuId")
"""The ids of one thing in searches and details."""
STATES: Mapping[int, tuple[str, Mapping[str, ServiceStatus]]] = {
    10: ("status", taobao.STATUSES),
    59: ("status", alibaba_1688.STATUSES),
    83: ("tradeStatus", international.STATUSES),
    86: ("orderStatus", big_major.STATUSES),
    94: ("orderStatus", poizon.STATUSES),
}
"""The order lists by number, with the name of the state and the known words."""
REFERENCES: Mapping[int, tuple[str, ...]] = {
    10: ("outerPurchaseId",),
    59: ("outOrderId", "buyerFeedback"),
    83: ("channelReferId",),
    86: ("outOrderId", "message"),
    94: ("requestId",),
}
ROWS = ("data", "result")
STEPS = ("logisticsTraces", "logisticsSteps", "traces")
CONTRACT_STAGES = frozenset({"CONSIGN", "ACCEPT", "TRANSPORT", "DELIVERING", "SIGN"})
TOTALS = ("totalRecords", "totalRecord", "total", "totalCount")
SUMS = (
    ("productAmount", "domesticPostFee", "purchaseAmount"),
    ("sumPaymentNoCarriage", "sumCarriage", "sumPayment"),
    ("goodsAmount", "freightAmount", "totalAmount"),
)
IDS = (("id", "idOfStr"), ("subItemID", "subItemIDString"))
ONE_CODE = ("500", "1009")
COMPACT = re.compile(r"\d{17}[+-]\d{4}", re.ASCII)
IN_COMPACT = ("/v2/alibaba/order/page", "/alibaba/order/detail")
LIST_1688 = 59
WAYS: Mapping[int, tuple[Assumption, str]] = {
    13: (Assumption.TAOBAO_RECEIVER, WAREHOUSE),
    78: (Assumption.FREIGHT_IDS, DISTRIBUTION),
}
"""The operations that are asked in the contract's way, with the other way, for words
about it in a refusal.
"""
ASK = "ask the service's support: docs/contract/questions.md"
UNITS = "XPORTCN_UNITS"
TRACES = ("/logistics/trace/get", "/order/logistics")
READ = "read all the same"
ASK_SUPPORT = "nothing follows from them: ask the service's support what they mean"


class Verdict(StrEnum):
    """What the answers show of an assumption."""

    PROVEN = "proven"
    OPEN = "open"
    CONTRADICTED = "contradicted"


@dataclass(frozen=True, slots=True)
class SeenValue:
    """One assumption about values beside what was seen. `setting`, name and value,
    mends it where there is one.
    """

    place: str
    about: str
    seen: str
    verdict: Verdict
    remedy: str = ""
    setting: tuple[str, str] | None = None


def values_in(findings: Sequence[Checked], units: Units) -> list[SeenValue]:
    """What the answers show, by kind. `units` are the places whose unit is set."""
    answered = [one for one in findings if one.data is not None]
    return [
        *_units(answered, units),
        *(
            value
            for values_of in _OF_ONE_ANSWER
            for checked in answered
            for value in values_of(checked)
        ),
        *_refusals(findings),
        *_ways(findings),
    ]


def setting_lines(values: Iterable[SeenValue], units: str) -> list[str]:
    """The settings that mend what is contradicted, as lines of a file `.env`; `units`
    are those set already.
    """
    settings: defaultdict[str, list[str]] = defaultdict(list)
    for value in values:
        if value.setting:
            name, text = value.setting
            before = [units] if units and name == UNITS and not settings[name] else []
            settings[name] += [*before, text]
    return [
        f"{name}={', '.join(dict.fromkeys(texts))}" for name, texts in settings.items()
    ]


def _units(answered: Sequence[Checked], units: Units) -> Iterator[SeenValue]:
    amounts: defaultdict[str, list[_Amount]] = defaultdict(list)
    for checked in answered:
        if place := checked.operation.place:
            amounts[place] += _amounts(_call(checked).response, checked.data)
    places = {
        place: [replace(one, unit=units.get(place, one.unit)) for one in seen]
        for place, seen in amounts.items()
    }
    for place, seen in places.items():
        in_yuan = [one for one in seen if one.has_point and one.unit is Unit.FEN]
        pointed = [one for one in seen if one.has_point]
        near, apart = _compared(place, places)
        if in_yuan:
            words, setting = (
                f"{in_yuan[0].raw}, a decimal point where fen are whole",
                (UNITS, f"{place}=yuan"),
            )
            yield SeenValue(place, "unit", words, Verdict.CONTRADICTED, setting=setting)
        elif apart:
            remedy = "one of them is in another unit: compare with the marketplace's page, then XPORTCN_UNITS"
            yield SeenValue(
                place,
                "unit",
                f"100 times off {', '.join(apart)}",
                Verdict.CONTRADICTED,
                remedy,
            )
        elif pointed:
            yield SeenValue(place, "unit", f"{pointed[0].raw} is yuan", Verdict.PROVEN)
        elif near:
            yield SeenValue(
                place, "unit", f"the prices of {', '.join(near)}", Verdict.PROVEN
            )
        elif seen:
            words = f"whole numbers, read as {seen[0].unit}: {seen[0].raw}"
            yield SeenValue(
                place,
                "unit",
                words,
                Verdict.OPEN,
                "compare with the marketplace's page",
            )


def _compared(
    place: str, places: Mapping[str, Sequence[_Amount]]
) -> tuple[list[str], list[str]]:
    """The other places of the marketplace that show one thing at about the same price
    in certain yuan, and far off.
    """
    ours, near, apart = _prices(places[place]), [], []
    for other, amounts in places.items():
        theirs = _prices(amounts)
        ratios = [ours[thing] / theirs[thing] for thing in ours.keys() & theirs.keys()]
        if (
            other == place
            or not ratios
            or other.partition(".")[0] != place.partition(".")[0]
        ):
            continue
        if any(ratio >= APART or ratio <= 1 / APART for ratio in ratios):
            apart.append(other)
        elif any(one.has_point for one in amounts) and all(
            1 / NEAR <= ratio <= NEAR for ratio in ratios
        ):
            near.append(other)
    return near, apart


@dataclass(frozen=True, slots=True)
class _Amount:
    """An amount in CNY as it came, with its field, the contract's unit, and the thing
    whose price it is.
    """

    name: str
    raw: Any
    unit: Unit
    of: str

    @property
    def has_point(self) -> bool:
        return isinstance(self.raw, Decimal | float) or (
            isinstance(self.raw, str) and "." in self.raw
        )

    @property
    def fen(self) -> Decimal | None:
        number = _number(self.raw)
        return (
            None
            if number is None
            else number * (100 if self.unit is Unit.YUAN or self.has_point else 1)
        )


def _amounts(annotation: Any, data: Any, of: str = "") -> Iterator[_Amount]:
    """The amounts in CNY of an answer; those below a thing are its own."""
    if isinstance(data, list):
        for entry in data:
            yield from _amounts(element_of(annotation), entry, of)
    elif isinstance(data, Mapping) and (model := model_in(annotation)):
        of = next((str(data[name]) for name in OF_GOODS if data.get(name)), of)
        for field in fields_of(model):
            name = next(
                (name for name in field.names if data.get(name) not in (None, "")), ""
            )
            if name and (unit := unit_of(field.annotation)):
                yield _Amount(name, data[name], unit, of)
            elif name:
                yield from _amounts(field.annotation, data[name], of)


def _prices(amounts: Iterable[_Amount]) -> dict[str, Decimal]:
    """The lowest price of each thing, in fen; one with a decimal point is in yuan."""
    prices: dict[str, Decimal] = {}
    for one in amounts:
        if one.of and one.name in PRICES and (fen := one.fen):
            prices[one.of] = min(fen, prices.get(one.of, fen))
    return prices


def _call(checked: Checked) -> Call[Any, Any]:
    return next(
        one
        for one in catalogue()
        if one.name == checked.operation.name and isinstance(one, Call)
    )


def _named(data: Any, names: Sequence[str]) -> Iterator[Any]:
    """The values below these names, at any depth."""
    for part in _objects(data):
        yield from (part[name] for name in names if name in part)


def _objects(data: Any) -> Iterator[Mapping[str, Any]]:
    if isinstance(data, Mapping):
        yield data
    for value in (
        data.values()
        if isinstance(data, Mapping)
        else data
        if isinstance(data, list)
        else ()
    ):
        yield from _objects(value)


def _rows(checked: Checked) -> list[Any]:
    """The rows of a page; none for an answer that is no page."""
    rows = (
        next(_named(checked.data, ROWS), None)
        if isinstance(checked.data, Mapping)
        else None
    )
    return rows if isinstance(rows, list) else []


def _value(
    checked: Checked, about: str, seen: str, *, proven: bool, remedy: str = READ
) -> SeenValue:
    verdict = Verdict.PROVEN if proven else Verdict.CONTRADICTED
    return SeenValue(_place(checked), about, seen, verdict, "" if proven else remedy)


def _place(checked: Checked) -> str:
    number = checked.operation.nav
    return (
        checked.operation.title
        if number is None
        else f"{number} {checked.operation.title}"
    )


def _order_words(checked: Checked) -> Iterator[SeenValue]:
    name, known = STATES.get(checked.operation.nav or 0, ("", {}))
    orders = [
        part
        for row in _rows(checked)
        for part in (row, row.get("baseInfo"))
        if isinstance(part, Mapping)
    ]
    words = {str(order[name]) for order in orders if order.get(name) not in (None, "")}
    beyond = sorted(
        word for word in words if status_of(word, known) is ServiceStatus.OTHER
    )
    unknown = [
        word
        for word in beyond
        if status_of(word, known, is_paid=True) is ServiceStatus.OTHER
    ]
    if words:
        seen = ", ".join(unknown or beyond or sorted(words))
        yield _value(
            checked,
            "order states",
            seen,
            proven=not beyond,
            remedy=ASK_SUPPORT if unknown else READ,
        )


def _parcel_words(checked: Checked) -> Iterator[SeenValue]:
    steps = [
        step
        for found in _named(checked.data, STEPS)
        for step in found or ()
        if isinstance(step, Mapping)
    ]
    words = {str(step["status"]) for step in steps if step.get("status")}
    if any(not step.get("status") for step in steps):
        yield _value(
            checked,
            "parcel stages",
            "steps without a status",
            proven=False,
            remedy="read by their words",
        )
    beyond = sorted(words - CONTRACT_STAGES)
    unknown = [word for word in beyond if word.replace("_", "").lower() not in STAGES]
    if words:
        seen = ", ".join(unknown or beyond or sorted(words))
        yield _value(
            checked,
            "parcel stages",
            seen,
            proven=not beyond,
            remedy=ASK_SUPPORT if unknown else READ,
        )


def _references(checked: Checked) -> Iterator[SeenValue]:
    names, rows = REFERENCES.get(checked.operation.nav or 0, ()), _rows(checked)
    if not names or not rows:
        return
    missing = [name for name in names if not any(_named(rows, (name,)))]
    ask = f"a lost answer to a create asks a person: docs/going-live.md, step 4 ({' or '.join(names)})"
    seen = f"no {', '.join(missing)}" if missing else ", ".join(names)
    remedy = ask if len(missing) == len(names) else READ
    yield _value(
        checked, "references in the list", seen, proven=not missing, remedy=remedy
    )


def _parcels_in_lists(checked: Checked) -> Iterator[SeenValue]:
    rows = _rows(checked) if checked.operation.nav == LIST_1688 else []
    if rows:
        has_all = any("nativeLogistics" in row for row in rows) and any(
            _named(rows, ("sellerOpenId",))
        )
        seen = "parcels and seller" if has_all else "no parcels or no seller"
        yield _value(
            checked,
            "list rows",
            seen,
            proven=has_all,
            remedy="read from the orders' details",
        )


def _times(checked: Checked) -> Iterator[SeenValue]:
    texts = [
        str(value)
        for part in _objects(checked.data)
        for name, value in part.items()
        if name.endswith("Time") and isinstance(value, str) and value
    ]
    if texts:
        other = () if checked.operation.path in IN_COMPACT else texts
        compact = next((text for text in other if COMPACT.fullmatch(text)), "")
        yield _value(checked, "times", compact or texts[0], proven=not compact)


def _pages(checked: Checked) -> Iterator[SeenValue]:
    rows = _rows(checked)
    asked = next(
        (
            value
            for value in _named(checked.request, ("pageSize",))
            if isinstance(value, int)
        ),
        0,
    )
    if not rows or not asked:
        return
    total = next((value for value in _named(checked.data, TOTALS) if value), None)
    is_full = total is not None and len(rows) == min(asked, int(total))
    of_total = (
        "none"
        if total is None
        else f"{len(rows)} rows of {total}{'' if is_full else f', asked {asked}'}"
    )
    about = "total" if total is None else "page size"
    yield _value(
        checked,
        about,
        of_total,
        proven=is_full,
        remedy="lists are read to an empty page",
    )


def _sums(checked: Checked) -> Iterator[SeenValue]:
    for part in _objects(checked.data):
        for goods, postage, total in SUMS:
            parts = [_number(part.get(name)) for name in (goods, postage, total)]
            if None in parts:
                continue
            of_goods, of_postage, of_total = (number or Decimal(0) for number in parts)
            off = of_goods + of_postage - of_total
            seen = f"{of_goods} + {of_postage} {'=' if not off else f', {off} more than'} {of_total}"
            yield _value(
                checked,
                "sums",
                seen,
                proven=not off,
                remedy="a lower total is shown in the plan",
            )
            return


def _number(value: Any) -> Decimal | None:
    try:
        return None if value in (None, "") else Decimal(str(value))
    except ArithmeticError:
        return None


def _ids(checked: Checked) -> Iterator[SeenValue]:
    pairs = [
        (part[number], str(part[text]))
        for part in _objects(checked.data)
        for number, text in IDS
        if part.get(number) and part.get(text)
    ]
    if pairs:
        rounded = next(
            (
                f"{number} beside {text}"
                for number, text in pairs
                if str(number) != text
            ),
            "",
        )
        yield _value(
            checked,
            "ids",
            rounded or pairs[0][1],
            proven=not rounded,
            remedy="the text is read",
        )


_OF_ONE_ANSWER: tuple[Callable[[Checked], Iterator[SeenValue]], ...] = (
    *(
        _order_words,
        _parcel_words,
        _references,
        _parcels_in_lists,
        _times,
        _pages,
        _sums,
        _ids,
    ),
)


def _refusals(findings: Iterable[Checked]) -> Iterator[SeenValue]:
    for checked in findings:
        if checked.code in ONE_CODE and checked.words:
            seen = f"{checked.code} {checked.words}"
            yield _value(
                checked,
                "refusals",
                seen,
                proven=False,
                remedy="one code for every no: read by its words",
            )
        elif checked.code == "404" and checked.operation.path.endswith(TRACES):
            yield _value(
                checked, "parcels", "404", proven=False, remedy="read as no parcel yet"
            )


def _ways(findings: Iterable[Checked]) -> Iterator[SeenValue]:
    """What the preview says to a receiver abroad, and freight to the shop's ids. A yes
    proves nothing.
    """
    for checked in findings:
        assumption, other = WAYS.get(checked.operation.nav or 0, (None, ""))
        if assumption is None or checked.verdict is Conformance.SKIPPED:
            continue
        place, about = _place(checked), assumption.replace("_", " ")
        if ABOUT[assumption].search(checked.words):
            setting = (f"XPORTCN_{assumption.upper()}", other)
            yield SeenValue(
                place, about, checked.words, Verdict.CONTRADICTED, setting=setting
            )
        else:
            yield SeenValue(place, about, "not refused", Verdict.OPEN, ASK)
