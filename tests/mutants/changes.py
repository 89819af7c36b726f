"""Changes to a file's syntax tree, addressed by function and by names in the code.

A change alters one node of the function, class or variable `at`, as `FILE::NAME.NAME`:
the innermost condition, expression or simple statement that mentions all of `names`.
There, `x` is a name or a word of a text, `.x` an attribute, `x()` a call, with its
`await`. In the code that replaces the node, `...` stands for the node itself.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class Change:
    """The node of a kind that mentions `names` is replaced by `code`."""

    at: str
    names: str
    code: str
    kind: Callable[[ast.AST], Iterator[ast.AST]]

    @property
    def file(self) -> str:
        return self.at.partition("::")[0]

    def apply(self, root: Path) -> None:
        """Change the file below `root`. `ValueError` unless it finds one node."""
        path = root / self.file
        tree = ast.parse(path.read_text(encoding="utf-8"))
        location: ast.AST = tree
        for name in self.at.partition("::")[2].split("."):
            locations = [node for node in ast.walk(location) if name in _declared(node)]
            if not locations:
                raise ValueError(f"{self.at}: there is no {name}")
            location = locations[0]
        names = {*self.names.split()}
        nodes = [node for node in self.kind(location) if names <= _mentions(node)]
        nodes = [node for node in nodes if {*nodes} & {*ast.walk(node)} == {node}]
        if len(nodes) != 1:
            matches = "; ".join(map(ast.unparse, nodes)) or "nothing"
            raise ValueError(f"{self.at}: {self.names!r} matches {matches}")
        (old,) = nodes
        code = _Swap(_is_ellipsis, old).visit(ast.parse(self.code)).body
        new = code if isinstance(old, ast.stmt) else code[0].value
        _Swap(lambda node: node is old, new).visit(tree)
        path.write_text(ast.unparse(tree), encoding="utf-8")


def never(at: str, names: str) -> Change:
    """A condition, or a term of one, is false."""
    return Change(at, names, "False", _conditions)


def always(at: str, names: str) -> Change:
    """A condition, or a term of one, is true."""
    return Change(at, names, "True", _conditions)


def replace(at: str, names: str, code: str) -> Change:
    """An expression is another one; a call `x()` that is `None` is taken out."""
    return Change(at, names, code, _expressions)


def rewrite(at: str, names: str, code: str) -> Change:
    """Statements stand in the place of a simple one."""
    return Change(at, names, code, _statements)


def _conditions(location: ast.AST) -> Iterator[ast.AST]:
    for node in ast.walk(location):
        match node:
            case ast.If() | ast.While() | ast.IfExp():
                yield node.test
            case ast.BoolOp():
                yield from node.values
            case ast.comprehension():
                yield from node.ifs


def _expressions(location: ast.AST) -> Iterator[ast.AST]:
    nodes = [node for node in _code(location) if isinstance(node, ast.expr)]
    awaited = [node.value for node in nodes if isinstance(node, ast.Await)]
    for node in nodes:
        is_bound = isinstance(getattr(node, "ctx", None), ast.Store)
        if not is_bound and node not in awaited:
            yield node


def _statements(location: ast.AST) -> Iterator[ast.AST]:
    for node in _code(location):
        if isinstance(node, ast.stmt) and not hasattr(node, "body"):
            yield node


def _code(location: ast.AST) -> list[ast.AST]:
    """Return the nodes of a place but those of its docstrings."""
    prose = set[ast.AST]()
    for node in ast.walk(location):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            prose |= {node, node.value}
    return [node for node in ast.walk(location) if node not in prose]


def _declared(node: ast.AST) -> set[str]:
    match node:
        case ast.ClassDef(name=name) | ast.FunctionDef(name=name):
            return {name}
        case ast.AsyncFunctionDef(name=name) | ast.Assign(targets=[ast.Name(id=name)]):
            return {name}
    return set()


def _mentions(node: ast.AST) -> set[str]:
    names = set[str]()
    for piece in ast.walk(node):
        match piece:
            case ast.Name(id=name):
                names.add(name)
            case ast.Attribute(attr=name):
                names |= {name, f".{name}"}
            case ast.Call(func=ast.Name(id=name) | ast.Attribute(attr=name)):
                names.add(f"{name}()")
            case ast.Constant(value=value):
                names.update(re.findall(r"\w+", str(value)))
    return names


class _Swap(ast.NodeTransformer):
    def __init__(self, is_old: Callable[[ast.AST], bool], new: Any) -> None:
        self.is_old = is_old
        self.new = new

    def visit(self, node: ast.AST) -> Any:
        return self.new if self.is_old(node) else self.generic_visit(node)


def _is_ellipsis(node: ast.AST) -> bool:
    value = node.value if isinstance(node, ast.Expr) else node
    return isinstance(value, ast.Constant) and value.value is ...
