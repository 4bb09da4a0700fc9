"""A YAML file as a model; what is wrong with it as one sentence, which shows no value. Pure."""

from typing import TypeVar

import yaml
from pydantic import BaseModel, ValidationError

M = TypeVar("M", bound=BaseModel)


def read_entries(text: str, model: type[M], whole: str) -> M:
    """Read a file; `whole` is what it is called where no field is wrong. Raises ValueError."""
    try:
        return model.model_validate(yaml.safe_load(text))
    except yaml.YAMLError as broken:
        where = getattr(broken, "problem_mark", None)
        raise ValueError(f"it is no YAML{f' (line {where.line + 1})' if where else ''}") from None
    except ValidationError as invalid:
        raise ValueError(sentence_of(invalid, whole)) from None


def sentence_of(invalid: ValidationError, whole: str) -> str:
    """Return the first thing that is wrong, with its field, and without what was given."""
    first = invalid.errors(include_url=False, include_context=False, include_input=False)[0]
    return f"{'.'.join(map(str, first['loc'])) or whole}: {first['msg'].removeprefix('Value error, ')}"
