"""Times that every language reads: beside nanoseconds since 1970, the same as text (RFC 3339)."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

NS = 1_000_000_000
SUFFIX = "_ns"
TIMINGS = "timings_ns"
"""A map whose values are all times, under names of their own."""
TEXT = "The same as `{}`, as text in UTC (RFC 3339), with all nine digits of the second. Only in JSON."
AN_EXAMPLE = "2026-11-23T03:02:42.484651239Z"


def rfc3339(at_ns: int) -> str:
    """Return a time since 1970 as text, such as 2026-11-23T03:02:42.484651239Z, which sorts as the times do.

    Raises ValueError after the year 9999, which 63 bits do not reach.
    """
    seconds, rest = divmod(at_ns, NS)
    return f"{datetime.fromtimestamp(seconds, UTC).isoformat()[:19]}.{rest:09d}Z"


def with_times(content: Any) -> Any:
    """Return a JSON value in which each time has its text behind it: `at` behind `at_ns`, null behind null.

    A list holds maps and lists, or neither, as in all messages: one that begins with a plain value is not looked into.
    """
    if isinstance(content, dict):
        found: dict[str, Any] = {}
        for name, value in content.items():
            found[name] = with_times(value) if isinstance(value, dict | list | tuple) else value
            if name == TIMINGS and value is not None:
                found[_text(name)] = {station: rfc3339(at_ns) for station, at_ns in value.items()}
            elif name.endswith(SUFFIX):
                found[_text(name)] = None if value is None else rfc3339(value)
        return found
    if isinstance(content, list | tuple) and content and isinstance(content[0], dict | list | tuple):
        return [with_times(one) for one in content]
    return content


def described(properties: Mapping[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Return a JSON Schema's properties with those that `with_times` adds, none of them required."""
    found: dict[str, dict[str, Any]] = {}
    for name, schema in properties.items():
        found[name] = schema
        if not name.endswith(SUFFIX):
            continue
        text: dict[str, Any] = {"type": "string", "format": "date-time"}
        if name == TIMINGS:
            text = {"type": "object", "additionalProperties": text}
        elif "null" in str(schema.get("anyOf", "")):
            text = {"anyOf": [text, {"type": "null"}]}
        found[_text(name)] = {**text, "description": TEXT.format(name)}
    return found


def _text(name: str) -> str:
    return name.removesuffix(SUFFIX)
