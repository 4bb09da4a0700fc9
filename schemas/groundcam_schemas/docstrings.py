"""What is written behind fields and values in the code. Python forgets it, so it is read from the sources on demand."""

import ast
import inspect
import sys
from collections.abc import Iterator
from enum import Enum
from functools import cache
from itertools import pairwise

from pydantic import BaseModel


def of_fields(kind: type[BaseModel]) -> dict[str, str]:
    """Return each field's text, where there is one, those of inherited fields too. Raises OSError without sources."""
    classes = [one for one in reversed(kind.__mro__) if issubclass(one, BaseModel) and one is not BaseModel]
    found = {name: text for one in classes for name, text in _texts(one).items()}
    return {name: found[name] for name in kind.model_fields if name in found}


def of_values(kind: type[Enum]) -> dict[str, str]:
    """Return each value's text, where there is one. Raises OSError without sources."""
    found = _texts(kind)
    return {str(one.value): found[one.name] for one in kind if one.name in found}


def in_one_line(text: str) -> str:
    """Return a docstring without its line ends."""
    return " ".join(text.split())


def _texts(kind: type) -> dict[str, str]:
    for node in _tree(kind.__module__).body:
        if isinstance(node, ast.ClassDef) and node.name == kind.__name__:
            return dict(_described(node.body))
    return {}


@cache
def _tree(module: str) -> ast.Module:
    return ast.parse(inspect.getsource(sys.modules[module]))


def _described(body: list[ast.stmt]) -> Iterator[tuple[str, str]]:
    """Yield names that are given a value or a type, with the text on the next line."""
    for one, after in pairwise(body):
        targets = one.targets if isinstance(one, ast.Assign) else [one.target] if isinstance(one, ast.AnnAssign) else []
        match targets, after:
            case [ast.Name(id=name)], ast.Expr(value=ast.Constant(value=str(text))):
                yield name, in_one_line(text)
