"""Records from Kafka to frames: our own envelope, or a plain JPEG with the camera in the key. Pure."""

from dataclasses import dataclass

from groundcam_runtime.pictures.jpeg_header import JpegHeader
from groundcam_runtime.records import Consumed
from groundcam_schemas import Frame, FrameId, Question, SchemaError, decode, raw_frame_id
from groundcam_schemas.limits import MAX_PIXELS_A_SIDE, check_camera_id
from groundcam_worker.errors import BadMessageError
from groundcam_worker.jpeg import read_header, require_pixels

_JPEG = b"\xff\xd8\xff"
NS_PER_MS = 1_000_000
LAST_NS = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Incoming:
    """A frame that can be looked at."""

    id: FrameId
    captured_at_ns: int
    source_size: tuple[int, int]
    jpeg: bytes
    question: Question | None
    header: JpegHeader | None = None
    """The picture's own, where the record could not be read without it."""


def read_frame(record: Consumed) -> Incoming:
    """Read a record. Raises BadMessageError, and BadPictureError for a plain JPEG without a readable size."""
    value = record.value or b""
    if value.startswith(_JPEG):
        return _plain_jpeg(record, value)
    try:
        frame = decode(Frame, value)
    except SchemaError as error:
        raise BadMessageError(str(error)) from None
    return Incoming(
        id=FrameId(frame.camera_id, frame.run_id, frame.seq),
        captured_at_ns=frame.captured_at_ns,
        source_size=(frame.source_width, frame.source_height),
        jpeg=frame.data,
        question=frame.question,
    )


def header_of(incoming: Incoming, max_pixels: int) -> JpegHeader:
    """Return the header of a frame's picture. Raises BadPictureError, also for more than `max_pixels`."""
    if incoming.header is None:
        return read_header(incoming.jpeg, max_pixels)
    require_pixels(incoming.header, max_pixels)
    return incoming.header


def camera_of(record: Consumed) -> str | None:
    """Return the camera in a record's key, or None where there is no such thing."""
    try:
        return check_camera_id((record.key or b"").decode())
    except ValueError:
        return None


def place_of(record: Consumed) -> FrameId | None:
    """Identify a record that says nothing of itself by its place, or None where even the camera is unknown."""
    camera_id = camera_of(record)
    if camera_id is None:
        return None
    return raw_frame_id(camera_id, record.partition.topic, record.partition.number, record.offset)


def timestamp_ns(record: Consumed) -> int:
    """Return a record's own time, within what a message can hold: clients have sent nanoseconds here."""
    return min(max(0, record.timestamp_ms) * NS_PER_MS, LAST_NS)


def _plain_jpeg(record: Consumed, value: bytes) -> Incoming:
    frame_id = place_of(record)
    if frame_id is None:
        raise BadMessageError("a plain JPEG needs its camera's id as key")
    header = read_header(value, MAX_PIXELS_A_SIDE**2)
    return Incoming(
        id=frame_id,
        # Nobody says when it was captured; Kafka says when it was sent.
        captured_at_ns=timestamp_ns(record),
        source_size=(header.width, header.height),
        jpeg=value,
        question=None,
        header=header,
    )
