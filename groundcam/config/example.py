"""A complete settings file with comments, made of the settings' own models, so that it is never out of date."""

import textwrap
from collections.abc import Iterator
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from groundcam.config.names import is_map_of_parts, part_of
from groundcam.config.written import in_yaml, plain

WIDTH = 100
HEAD = """Every setting of groundcam, with its default. Leave out what shall stay as it is.
What is null is not set; cameras, questions and classes are examples. `groundcam config check FILE` says what is
wrong."""
ID = "gate"
_JOINS = (Union, UnionType)
_LIMITS = {"gt": "more than", "ge": "at least", "lt": "less than", "le": "at most"}


def example(model: type[BaseModel]) -> Iterator[str]:
    """Yield the file's lines."""
    for line in HEAD.splitlines():
        yield f"# {line}"
    for name, field in model.model_fields.items():
        part = part_of(field.annotation)
        if part is None:
            raise TypeError(f"{name} is no section")
        yield ""
        yield from _comment(part.__doc__ or "", "")
        yield f"{name}:"
        yield from _settings(part, "  ")


def _settings(part: type[BaseModel], indent: str) -> Iterator[str]:
    for name, field in part.model_fields.items():
        yield from _comment(f"{field.description or ''} {_choices(field)}", indent)
        inner = part_of(field.annotation)
        if inner is not None and is_map_of_parts(field.annotation):
            yield f"{indent}{name}:"
            yield f"{indent}  {field.examples[0] if field.examples else ID}:"
            yield from _settings(inner, f"{indent}    ")
        else:
            yield f"{indent}{name}: {in_yaml(_value(field))}"


def _value(field: FieldInfo) -> Any:
    """Return the default, or the models' own example where there is none."""
    default = None if field.is_required() else field.get_default(call_default_factory=True)
    return field.examples[0] if field.examples and not default else plain(default)


def _choices(field: FieldInfo) -> str:
    """Return in a sentence what the value may be."""
    values, limits = [], []
    for one in _within(field):
        if get_origin(one) is Literal:
            values += [str(value) for value in get_args(one)]
        limits += [f"{words} {getattr(one, name):.15g}" for name, words in _LIMITS.items() if hasattr(one, name)]
    if values:
        return f"One of {', '.join(values)}."
    return f"{', '.join(limits).capitalize()}." if limits else ""


def _within(field: FieldInfo) -> Iterator[Any]:
    """Yield the type and the bounds of a value, and of what an optional one may be; not those of its parts."""
    yield from field.metadata
    kinds = [field.annotation]
    while kinds:
        kind = kinds.pop()
        yield kind
        for one in get_args(kind) if get_origin(kind) in _JOINS or hasattr(kind, "__metadata__") else ():
            if isinstance(one, FieldInfo):
                yield from one.metadata
            else:
                kinds.append(one)


def _comment(text: str, indent: str) -> Iterator[str]:
    begin = f"{indent}# "
    return iter(textwrap.wrap(" ".join(text.split()), WIDTH, initial_indent=begin, subsequent_indent=begin))
