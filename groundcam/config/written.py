"""How a setting's value is written in YAML, on one line, for people: secrets are left out."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from pydantic import SecretStr

from groundcam_producers.settings import VARIABLE
from groundcam_runtime.redaction import HIDDEN, redact

_SECRET_FILES = ("password_file", "secret_file", "token_file", "headers_file", "url_file")


def in_yaml(value: Any) -> str:
    """Return what `plain` gives as it stands behind a setting's name."""
    text = yaml.safe_dump(value, default_flow_style=True, width=10_000, allow_unicode=True, sort_keys=False)
    return text.removesuffix("\n").removesuffix("\n...")


def plain(value: Any, between: str = "x") -> Any:
    """Return a value as YAML and JSON know it, in the form that a file may have it in: two numbers as 960x544."""
    if isinstance(value, SecretStr):
        return HIDDEN
    if isinstance(value, str | Path):
        return redact(str(value))
    if isinstance(value, Mapping):
        return {name: plain(one) for name, one in value.items()}
    if isinstance(value, tuple):
        if len(value) == 2 and all(isinstance(one, int) for one in value):
            return between.join(map(str, value))
        return [plain(one) for one in value]
    return value


def shown(name: str, value: Any) -> Any:
    """Return a setting's value as `plain` does, without what somebody may have given in place of a secret's name."""
    if value is None:
        return None
    if name == "password_env" and not VARIABLE.fullmatch(value):
        return HIDDEN
    if name.endswith(_SECRET_FILES) and not (len(value.parts) > 1 and value.parent.is_dir()):
        return HIDDEN
    return plain(value, "/" if name == "shard" else "x")
