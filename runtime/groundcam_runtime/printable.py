"""Text of strangers, as it may be shown: it steers no terminal, forges no line, and hides nothing. Pure."""

import json
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

JOINERS = "\u200c\u200d"
"""Invisible, and yet part of how Persian, Hindi and many emoji are written."""


def printable(text: str) -> str:
    r"""Return text with everything escaped that does not show: `\x1b`, `\n`, `\u202e`. Colours, line ends and letters
    from right to left on command are among it; letters of any language, and spaces, are not.
    """
    return text if text.isprintable() else "".join(map(_shown, text))


def printable_lines(text: str) -> str:
    """Return the same of a text whose lines are meant as such, indented: none can pass for a line of the log."""
    return "\n".join(f"  {printable(line)}" for line in text.splitlines())


def printable_json(value: Mapping[str, Any]) -> str:
    """Return one line of JSON for programs, which a terminal can show as well: what does not show is escaped in it."""
    line = json.dumps(value, ensure_ascii=False)
    return line if line.isprintable() else "".join(map(_in_json, line))


@lru_cache(4096)
def _shown(one: str) -> str:
    return one if one.isprintable() or one in JOINERS else repr(one)[1:-1]


@lru_cache(4096)
def _in_json(one: str) -> str:
    if one.isprintable() or one in JOINERS:
        return one
    return json.dumps(one)[1:-1] if ord(one) != 0x7F else "\\u007f"
