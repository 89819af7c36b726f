"""The category tree of 1688's goods; the other marketplaces' goods use its leaves."""

from __future__ import annotations

from dataclasses import dataclass, field

from sandbox.vocabulary import GOODS


@dataclass(frozen=True, slots=True)
class Category:
    id: str
    name: str
    level: int
    parent: str | None
    children: tuple[str, ...] = field(default=())


LEAF_NAMES = {category_id: name[0] for category_id, name, _, _ in GOODS}
INNER = (
    Category("1", "服饰箱包", 1, None, ("50010850", "50012010")),
    Category("2", "居家日用", 1, None, ("21",)),
    Category("21", "家居", 2, "2", ("50016349", "50012082")),
    Category("3", "数码玩具", 1, None, ("50008090", "50014812")),
)
LEAVES = tuple(
    Category(child, LEAF_NAMES[child], inner.level + 1, inner.id)
    for inner in INNER
    for child in inner.children
    if child in LEAF_NAMES
)
BY_ID = {category.id: category for category in (*INNER, *LEAVES)}
ROOTS = tuple(category for category in INNER if category.parent is None)


def leaves_at_or_below(category_id: str) -> frozenset[str]:
    """Ids of leaves; empty for a category that does not exist."""
    category = BY_ID.get(category_id)
    if category is None:
        return frozenset()
    if not category.children:
        return frozenset({category.id})
    return frozenset().union(
        *(leaves_at_or_below(child) for child in category.children)
    )
