"""A camera's state as bytes: a map with a version, read by trackers alone."""

from collections.abc import Mapping

import msgpack
from pydantic import TypeAdapter, ValidationError

from groundcam_events.tracking.camera import CameraState

NAME = "tracks"
VERSION = 1
SCHEMA = f"{NAME}/{VERSION}"
MAX_BYTES = 4 * 1024 * 1024

_STATE = TypeAdapter(CameraState)


class StateError(ValueError):
    """A state that cannot be read; in words."""


def encode_state(state: CameraState) -> bytes:
    """Return the bytes of a state: all of it, to the last bit."""
    return bytes(msgpack.packb({"schema": SCHEMA, "state": _STATE.dump_python(state)}))


def decode_state(data: bytes) -> CameraState:
    """Read a state. Raises StateError."""
    try:
        content = msgpack.unpackb(data[:MAX_BYTES], raw=False)
    except (ValueError, msgpack.UnpackException) as broken:
        raise StateError(f"it is not readable ({type(broken).__name__})") from None
    if not isinstance(content, Mapping) or content.get("schema") != SCHEMA:
        given = content.get("schema") if isinstance(content, Mapping) else None
        raise StateError(f"it is of the version {given!r}, and this one knows {SCHEMA}")
    try:
        return _STATE.validate_python(content.get("state"))
    except ValidationError as invalid:
        first = invalid.errors(include_url=False, include_context=False, include_input=False)[0]
        field = ".".join(str(part) for part in first["loc"])
        raise StateError(f"its field {field} is wrong: {first['msg']}") from None
