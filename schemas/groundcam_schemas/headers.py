"""What a message's Kafka headers say, so that subscribers choose messages without decoding them. Pure."""

from collections.abc import Iterator

from groundcam_schemas.codec import JSON_CONTENT_TYPE, MSGPACK_CONTENT_TYPE, VERSIONS, Message, encode, encode_json
from groundcam_schemas.events import Event
from groundcam_schemas.messages import CameraStatus, Detections, Gap
from groundcam_schemas.workers import WorkerStatus

Header = tuple[str, bytes]


def packed(message: Message, *, as_json: bool = False) -> tuple[bytes, tuple[Header, ...]]:
    """Return a message's value and headers as they lie on Kafka. Raises TypeError for a Frame as JSON."""
    value = encode_json(message) if as_json else encode(message)
    return value, headers_of(message, as_json=as_json)


def headers_of(message: Message, *, as_json: bool = False) -> tuple[Header, ...]:
    """Return what the value is, which message, and what it is about: labels, a reason, a state, a cause.

    There is one header `label` for each label that was found, the best first, and none where nothing was.
    """
    content_type = JSON_CONTENT_TYPE if as_json else MSGPACK_CONTENT_TYPE
    told = (("content-type", content_type), ("schema", VERSIONS[type(message)]), *_about(message))
    return tuple((name, text.encode()) for name, text in told)


def _about(message: Message) -> Iterator[tuple[str, str]]:
    match message:
        case Detections():
            yield from (("label", label) for label in dict.fromkeys(one.label for one in message.objects))
        case Gap():
            yield "reason", message.reason.value
        case CameraStatus() | WorkerStatus():
            yield "state", message.state.value
        case Event():
            yield "cause", message.cause.value
            yield "type", message.type.value
            yield "label", message.label
        case _:
            return
