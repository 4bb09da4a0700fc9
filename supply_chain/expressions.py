"""SPDX licence expressions: the licences in them, and which of several offered ones is taken. Pure."""

from collections.abc import Callable, Iterable

from license_expression import AND, OR, ExpressionError, ExpressionParseError, LicenseExpression, Licensing

from supply_chain.errors import FindingError

SPDX = Licensing()


def parse(expression: str) -> LicenseExpression:
    """An expression as a tree. Raises FindingError where it is none."""
    try:
        tree = SPDX.parse(expression)
    except (ExpressionError, ExpressionParseError) as error:
        raise FindingError(f"{expression!r} is no SPDX licence expression: {str(error).splitlines()[0]}") from error
    if tree is None:
        raise FindingError("an empty licence expression says nothing")
    return tree


def taken(expression: str, allowed: Callable[[str], bool]) -> set[str]:
    """The licences that hold: all that are joined by AND, and of those joined by OR the first that is allowed.

    Where no alternative is allowed, the first one stands for them.
    """

    def walk(tree: LicenseExpression) -> set[str]:
        if isinstance(tree, AND):
            return set[str]().union(*(walk(part) for part in tree.args))
        if isinstance(tree, OR):
            ways = [walk(part) for part in tree.args]
            return next((way for way in ways if all(map(allowed, way))), ways[0])
        return {str(tree.render())}

    return walk(parse(expression))


def joined(licences: Iterable[str]) -> str:
    """One expression that says that all of them hold, in order."""
    return " AND ".join(sorted(set(licences), key=lambda one: (one.startswith("LicenseRef-"), one.lower())))
