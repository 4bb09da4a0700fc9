"""A JSON Schema without the keywords that bind nobody."""

from collections.abc import Collection
from typing import Any


def without(schema: Any, keywords: Collection[str], *, are_names: bool = False) -> Any:
    """Leave out keywords at every depth; a field may be called as a keyword is."""
    if isinstance(schema, list):
        return [without(one, keywords) for one in schema]
    if not isinstance(schema, dict):
        return schema
    kept = {name: value for name, value in schema.items() if are_names or name not in keywords}
    return {
        name: without(value, keywords, are_names=name in {"properties", "$defs"} and not are_names)
        for name, value in kept.items()
    }
