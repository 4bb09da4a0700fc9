"""Which of Cosmic Ray's mutants are left out, and why: those whose death says nothing, and those that nobody can see.

Pure. A mutant is a place in a file and the operator that changes it.
"""

import ast
import re
from collections.abc import Iterator

ONE_EACH = {
    "Add": "Sub", "Sub": "Add", "Mul": "FloorDiv", "Div": "Mul", "FloorDiv": "Mul", "Mod": "Mul", "Pow": "Mul",
    "LShift": "RShift", "RShift": "LShift", "BitOr": "BitAnd", "BitAnd": "BitOr", "BitXor": "BitAnd",
}  # fmt: skip
"""Of an operator's eleven replacements the one that is nearest to it: the others make type errors, mostly."""

ORDERS = {"Eq", "NotEq", "Lt", "LtE", "Gt", "GtE"}
LOGS = {"debug", "info", "warning", "error", "exception", "critical"}

_BINARY = re.compile(r"core/ReplaceBinaryOperator_(\w+)_(\w+)$")
_UNARY = re.compile(r"core/ReplaceUnaryOperator_(\w+)_(\w+)$")
_COMPARISON = re.compile(r"core/ReplaceComparisonOperator_(\w+)_(\w+)$")

Place = tuple[int, int]


class File:
    """One file as it is, and where in it mutants are left out."""

    def __init__(self, source: str) -> None:
        self._code = ast.dump(ast.parse(source))
        tree = ast.parse(source)
        self._texts = [_span(node) for node in _texts(tree)]
        self._types = [_span(node) for node in _types(tree)]
        self._slots = [_span(node) for node in _slots(tree)]

    def reason(self, operator: str, start: Place, mutated: str | None) -> str | None:
        """Say why the mutant that `operator` makes at `start` (line from 1, column) is left out; None where it counts.

        `mutated` is the whole file with the change in it; None where that failed.
        """
        if binary := _BINARY.match(operator):
            if ONE_EACH[binary[1]] != binary[2]:
                return "another replacement of the same operator counts"
            if binary[1] == "BitOr" and _within(start, self._types):
                return "an annotation"
        if (unary := _UNARY.match(operator)) and unary[1] != "Delete":
            return "the same operator is taken away in a mutant that counts"
        if (comparison := _COMPARISON.match(operator)) and (comparison[1] in ORDERS) != (comparison[2] in ORDERS):
            return "whether equal values are one object is up to the interpreter"
        if _within(start, self._texts):
            return "the text of a message"
        if _within(start, self._slots):
            return "memory alone"
        if mutated is None:
            return "Cosmic Ray cannot make it"
        try:
            tree = ast.parse(mutated)
        except SyntaxError:
            return "no Python"
        return "the same program" if ast.dump(tree) == self._code else None


def _texts(tree: ast.AST) -> Iterator[ast.AST]:
    """What is put into the sentences of errors and log lines."""
    for node in ast.walk(tree):
        is_log = isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in LOGS
        if is_log or isinstance(node, ast.Raise):
            yield from (part for part in ast.walk(node) if isinstance(part, ast.JoinedStr))


def _types(tree: ast.AST) -> Iterator[ast.AST]:
    """Annotations, and names for types."""
    for node in ast.walk(tree):
        if isinstance(node, ast.AnnAssign | ast.arg) and node.annotation is not None:
            yield node.annotation
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.returns is not None:
            yield node.returns
        elif isinstance(node, ast.Assign) and isinstance(node.value, ast.BinOp) and _is_union(node.value):
            yield node.value


def _is_union(node: ast.AST) -> bool:
    """Whether a value is `This | That`, of classes."""
    match node:
        case ast.BinOp(left, ast.BitOr(), right):
            return _is_union(left) and _is_union(right)
        case ast.Subscript(value=ast.Name(id=name)):
            return name in {"tuple", "list", "dict", "set", "frozenset", "type"} or name[:1].isupper()
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name[:1].isupper() and not name.isupper()
        case _:
            return isinstance(node, ast.Constant) and node.value is None


def _slots(tree: ast.AST) -> Iterator[ast.AST]:
    for node in ast.walk(tree):
        if isinstance(node, ast.keyword) and node.arg == "slots":
            yield node.value


def _span(node: ast.AST) -> tuple[Place, Place]:
    """Where a node begins and ends. Columns of ast are bytes, of Cosmic Ray characters: these files are ASCII there."""
    assert isinstance(node, ast.expr)
    assert node.end_lineno is not None
    assert node.end_col_offset is not None
    return (node.lineno, node.col_offset), (node.end_lineno, node.end_col_offset)


def _within(place: Place, spans: list[tuple[Place, Place]]) -> bool:
    return any(start <= place < end for start, end in spans)
