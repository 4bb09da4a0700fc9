"""Messages to bytes and back: msgpack maps, or JSON. Any bytes give a message or a SchemaError."""

import json
import re
from typing import Any, TypeVar

import msgpack
from pydantic import BaseModel, ValidationError

from groundcam_schemas import limits
from groundcam_schemas.errors import SchemaError, UnsupportedVersionError
from groundcam_schemas.events import Event, ObjectsNow
from groundcam_schemas.messages import Attempt, CameraStatus, Detections, Frame, Gap
from groundcam_schemas.questions import CameraQuestion
from groundcam_schemas.replies import Reply
from groundcam_schemas.times import with_times
from groundcam_schemas.workers import WorkerStatus
from groundcam_schemas.zones import CameraZones

MSGPACK_CONTENT_TYPE = "application/msgpack"
JSON_CONTENT_TYPE = "application/json"

VERSIONS: dict[type[BaseModel], str] = {
    Frame: "frame/1.4",
    Detections: "detections/1.2",
    Gap: "gap/1.1",
    CameraQuestion: "question/1.4",
    CameraStatus: "camera-status/1.3",
    Attempt: "attempt/1.0",
    WorkerStatus: "worker-status/1.1",
    Reply: "reply/1.2",
    Event: "event/1.2",
    ObjectsNow: "objects/1.2",
    CameraZones: "zones/1.1",
}
"""What each message has in its field `schema`: its name, its major and its minor version."""

# Neither a brace, nor a space, nor a byte order mark begins a map in msgpack: there they are numbers.
_JSON_MAP = re.compile(rb"(?:\xef\xbb\xbf)?[ \t\r\n]*\{")

Message = (
    Frame
    | Detections
    | Gap
    | CameraQuestion
    | CameraStatus
    | Attempt
    | WorkerStatus
    | Reply
    | Event
    | ObjectsNow
    | CameraZones
)

M = TypeVar(
    "M",
    Frame,
    Detections,
    Gap,
    CameraQuestion,
    CameraStatus,
    Attempt,
    WorkerStatus,
    Reply,
    Event,
    ObjectsNow,
    CameraZones,
)


def encode(message: Message) -> bytes:
    """Return the message as msgpack."""
    content = {"schema": VERSIONS[type(message)], **message.model_dump(mode="python")}
    return bytes(msgpack.packb(content))


def encode_json(message: Message) -> bytes:
    """Return the message as JSON, times as text, too. Raises TypeError for a Frame, whose bytes JSON cannot contain."""
    if isinstance(message, Frame):
        raise TypeError("a Frame has no JSON form")
    content = with_times(message.model_dump(mode="json"))
    return json.dumps({"schema": VERSIONS[type(message)], **content}).encode()


def is_readable(message: Message) -> bool:
    """Whether a message is within the bounds of those who read it, in msgpack."""
    try:
        _unpack(encode(message), limits.MAX_FRAME_BYTES if isinstance(message, Frame) else limits.MAX_MESSAGE_BYTES)
    except SchemaError:
        return False
    return True


def decode(kind: type[M], data: bytes) -> M:
    """Read one message of a known kind in either form, which the bytes themselves tell. Raises SchemaError."""
    if _JSON_MAP.match(data):
        return decode_json(kind, data)
    return _build(kind, _unpack(data, limits.MAX_FRAME_BYTES if kind is Frame else limits.MAX_MESSAGE_BYTES))


def decode_json(kind: type[M], data: bytes) -> M:
    """Read one message of a known kind from JSON. Raises SchemaError, always for a Frame."""
    if kind is Frame:
        raise SchemaError("", "is JSON, which cannot contain a picture: a frame is msgpack")
    return _build(kind, _parse(data))


def decode_answer(data: bytes) -> Detections | Gap:
    """Read what lies on the detections topic, in either form, whatever its headers say. Raises SchemaError."""
    content = _parse(data) if _JSON_MAP.match(data) else _unpack(data, limits.MAX_MESSAGE_BYTES)
    name = str(content.get("schema", "")).partition("/")[0]
    if name == "gap":
        return _build(Gap, content)
    return _build(Detections, content)


def _build(kind: type[M], content: dict[str, Any]) -> M:
    """Check name and version, then the fields."""
    _check_version(content.get("schema"), VERSIONS[kind])
    try:
        return kind.model_validate(content)
    except ValidationError as invalid:
        first = invalid.errors(include_url=False, include_context=False, include_input=False)[0]
        field = ".".join(str(part) for part in first["loc"])
        raise SchemaError(field, first["msg"].removeprefix("Value error, ")) from None


def _check_version(given: object, known: str) -> None:
    if not isinstance(given, str) or len(given) > limits.MAX_TEXT:
        raise SchemaError("schema", "is missing, or no text")
    name, _, version = given.partition("/")
    known_name, _, known_version = known.partition("/")
    if name != known_name:
        raise SchemaError("schema", f"expected {known_name}, not {name!r}")
    major, _, minor = version.partition(".")
    if not (_is_number(major) and _is_number(minor)):
        raise SchemaError("schema", f"{version!r} is no version")
    if major != known_version.partition(".")[0]:
        raise UnsupportedVersionError("schema", f"{given!r} is not read by this version, which knows {known}")


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit()


class _Budget:
    """Counts the entries of one message: a megabyte of nested empty lists would become a gigabyte."""

    def __init__(self) -> None:
        self._items = 0

    def array(self, items: list[Any]) -> list[Any]:
        self._spend(len(items))
        return items

    def map(self, pairs: list[tuple[Any, Any]]) -> dict[str, Any]:
        self._spend(len(pairs))
        return _map(pairs)

    def _spend(self, items: int) -> None:
        self._items += items + 1
        if self._items > limits.MAX_ITEMS:
            raise SchemaError("", f"has more than {limits.MAX_ITEMS} entries")


def _map(pairs: list[tuple[Any, Any]]) -> dict[str, Any]:
    content = dict(pairs)
    if len(content) != len(pairs):
        raise SchemaError("", "a key occurs twice")
    return content


def _refuse_extension(code: int, _data: bytes) -> None:
    raise SchemaError("", f"extension type {code} is not allowed")


def _unpack(data: bytes, limit: int) -> dict[str, Any]:
    """Read msgpack within bounds on every length. Raises SchemaError."""
    if len(data) > limit:
        raise SchemaError("", f"is {len(data)} bytes long, more than {limit}")
    budget = _Budget()
    try:
        content = msgpack.unpackb(
            data,
            raw=False,
            strict_map_key=True,
            max_str_len=limits.MAX_TEXT * 4,
            max_bin_len=limit,
            max_array_len=limits.MAX_ARRAY,
            max_map_len=limits.MAX_MAP,
            max_ext_len=0,
            ext_hook=_refuse_extension,
            list_hook=budget.array,
            object_pairs_hook=budget.map,
        )
    except SchemaError:
        raise
    except (ValueError, TypeError, msgpack.UnpackException) as broken:
        # The text of msgpack's own errors can contain pieces of the data: the class is enough.
        raise SchemaError("", f"is not readable as msgpack ({type(broken).__name__})") from None
    return _as_map(content)


def _parse(data: bytes) -> dict[str, Any]:
    """Read JSON within bounds. Raises SchemaError."""
    if len(data) > limits.MAX_MESSAGE_BYTES:
        raise SchemaError("", f"is {len(data)} bytes long, more than {limits.MAX_MESSAGE_BYTES}")
    try:
        return _as_map(json.loads(data, object_pairs_hook=_map))
    except SchemaError:
        raise
    except (ValueError, RecursionError) as broken:
        raise SchemaError("", f"is not readable as JSON ({type(broken).__name__})") from None


def _as_map(content: object) -> dict[str, Any]:
    if not isinstance(content, dict):
        raise SchemaError("", "is not a map")
    if not all(isinstance(key, str) for key in content):
        raise SchemaError("", "has a key that is no text")
    return content
