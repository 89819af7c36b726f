"""A reason is made in one place and read by its code: the product's source is searched
for anything else.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache

from domain.reason_codes import ReasonCode
from domain.reasons import FACT, OPTIONAL
from tests.reasons_page import PAGE, PRODUCT, ROOT, given_by, page
from tests.simulation.reasons import BEYOND, SCENES

FILES = [file for folder in PRODUCT for file in sorted((ROOT / folder).rglob("*.py"))]
SOURCES = {str(file.relative_to(ROOT)): file.read_text() for file in FILES}
READS = {
    "startswith",
    "endswith",
    "split",
    "rsplit",
    "partition",
    "rpartition",
    "removeprefix",
    "removesuffix",
    "find",
}
SEARCHES = {"match", "search", "fullmatch", "findall", "finditer", "sub"}
BY_LATER_FACTS = {
    **{
        code: {"costs"}
        for code in ("over_order_limit", "over_budget", "over_day_limit")
    },
    **{code: {"thing", "id", "owner"} for code in ("id_is_anothers",)},
    "id_is_anothers_asked": {"thing", "id", "owner", "question", "answers"},
    "no_answer_asked": {"question", "answers"},
    **{code: {"what", "old"} for code in ("overtaken", "came_late")},
}
"""Facts that another function adds, or that come as a mapping."""


@cache
def modules() -> dict[str, ast.Module]:
    return {
        name: ast.parse(source)
        for name, source in SOURCES.items()
        if "reason" in source.lower()
    }


def test_each_code_is_made_a_reason_in_one_place() -> None:
    locations = given_by()
    assert {
        code: locations.get(code)
        for code in ReasonCode
        if len(locations.get(code, ())) != 1
    } == {}


def test_the_page_of_reasons_is_what_the_code_says() -> None:
    assert page() == PAGE.read_text(), "make reference"


def test_each_code_has_a_scene() -> None:
    """Played by `make endurance PART=reasons`: a code that no scene can reach is dead,
    and goes.
    """
    assert {*ReasonCode} - SCENES.keys() == BEYOND


def made() -> Iterator[tuple[str, set[str]]]:
    """Each code that a call names itself, with the facts that it is given."""
    for module in modules().values():
        for node in ast.walk(module):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Name)
                and node.func.id == "because"
            ):
                inputs = {keyword.arg for keyword in node.keywords if keyword.arg}
                for item in ast.walk(node.args[0]):
                    if (
                        isinstance(item, ast.Attribute)
                        and ast.unparse(item.value) == "ReasonCode"
                    ):
                        yield item.attr, inputs


def test_a_reason_has_the_facts_that_its_sentence_needs() -> None:
    for name, inputs in made():
        wording = ReasonCode[name].words
        needed = {
            *FACT.findall(OPTIONAL.sub("", f"{wording.sentence} {wording.remedy}"))
        } - {"remedy"}
        assert needed - inputs <= BY_LATER_FACTS.get(name.lower(), set()), name


def is_prose(node: ast.expr) -> bool:
    """Whether it is the words of a reason: a name, an attribute, a column."""
    if isinstance(node, ast.Tuple):
        return any(map(is_prose, node.elts))
    if isinstance(node, ast.Subscript):
        return isinstance(node.slice, ast.Constant) and node.slice.value == "reason"
    return (isinstance(node, ast.Name) and node.id == "reason") or (
        isinstance(node, ast.Attribute) and node.attr == "reason"
    )


def decides(node: ast.AST) -> bool:
    if isinstance(node, ast.Compare):
        plain = all(isinstance(op, ast.Is | ast.IsNot) for op in node.ops)
        return not plain and any(map(is_prose, [node.left, *node.comparators]))
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        return (node.func.attr in READS and is_prose(node.func.value)) or (
            node.func.attr in SEARCHES and any(map(is_prose, node.args))
        )
    return False


def test_nothing_decides_by_the_words_of_a_reason() -> None:
    """Else a comma in a sentence would change what is bought."""
    findings = [
        f"{name}:{node.lineno} {ast.unparse(node)}"
        for name, module in modules().items()
        for node in ast.walk(module)
        if isinstance(node, ast.expr) and decides(node)
    ]
    assert findings == []
