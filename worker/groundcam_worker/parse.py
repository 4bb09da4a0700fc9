"""Records from Kafka to frames: our own envelope, or a plain JPEG with the camera in the key. Pure."""

from dataclasses import dataclass

from groundcam_runtime.pictures.decoding import MAX_PIXELS
from groundcam_runtime.records import Consumed
from groundcam_schemas import Frame, FrameId, Question, ReplyTo, SchemaError, decode, raw_frame_id
from groundcam_schemas.limits import MAX_PIXELS_A_SIDE, check_camera_id
from groundcam_worker.errors import BadMessageError, FrameError
from groundcam_worker.pictures import Header, read_header

_JPEG = b"\xff\xd8\xff"
NS_PER_MS = 1_000_000
LAST_NS = 2**63 - 1
SAME_SHAPE = 0.03
"""Sides are rounded to even numbers, and more in small pictures."""
MOST_STRETCH = 8


@dataclass(frozen=True, slots=True)
class ParsedFrame:
    """A frame that can be looked at."""

    id: FrameId
    captured_at_ns: int
    source_size: tuple[int, int]
    """(width, height) of the camera's own picture, upright and in square pixels, in which boxes are given."""
    header: Header
    data: bytes
    """A JPEG, PNG or WebP."""
    question: Question | None
    """The frame's own."""
    reply_to: ReplyTo | None = None
    """Who waits for the answer, where it is a request's."""

    @property
    def picture_size(self) -> tuple[int, int]:
        """(width, height) at which it is looked at: upright, and in the proportions of its source."""
        return in_proportion(self.header.upright_size, self.source_size)


def in_proportion(size: tuple[int, int], source_size: tuple[int, int]) -> tuple[int, int]:
    """Return a picture's size with the width that its source's shape asks for, where the two are no rounding apart."""
    width, height = size
    wanted = max(1, round(height * source_size[0] / source_size[1]))
    is_rounding = abs(wanted - width) <= max(2.0, SAME_SHAPE * width)
    is_sane = width / MOST_STRETCH <= wanted <= width * MOST_STRETCH and wanted * height <= MAX_PIXELS
    return (wanted, height) if is_sane and not is_rounding else size


def upright_source(frame: Frame, header: Header) -> tuple[int, int]:
    """Return the source's size, upright. Who tells the size of the JPEG as it lies means its source's in that way."""
    size = frame.source_width, frame.source_height
    lies = header.upright_size != (header.width, header.height)
    return size[::-1] if lies and (frame.width, frame.height) == (header.width, header.height) else size


@dataclass(frozen=True, slots=True)
class ParseFailure:
    """A record that is no frame, or whose picture may not be decoded."""

    id: FrameId | None
    """None where not even the camera is known."""
    error: FrameError
    reply_to: ReplyTo | None = None


def parse(record: Consumed, max_pixels: int) -> ParsedFrame | ParseFailure:
    """Read a record; a picture of more than `max_pixels` is a failure."""
    value = record.value or b""
    if value.startswith(_JPEG):
        return _plain_jpeg(record, value, max_pixels)
    try:
        frame = decode(Frame, value)
    except SchemaError as error:
        return ParseFailure(place_of(record), BadMessageError(str(error)))
    try:
        frame_id = FrameId(frame.camera_id, frame.run_id, frame.seq)
        header = read_header(frame.data, max_pixels)
    except FrameError as error:
        return ParseFailure(frame_id, error, frame.reply_to)
    return ParsedFrame(
        id=frame_id,
        captured_at_ns=frame.captured_at_ns,
        source_size=upright_source(frame, header),
        header=header,
        data=frame.data,
        question=frame.question,
        reply_to=frame.reply_to,
    )


def parse_request(record: Consumed, max_pixels: int) -> ParsedFrame | ParseFailure:
    """Read a record of the requests topic; one of which nobody knows who waits for it names no camera."""
    parsed = parse(record, max_pixels)
    if parsed.reply_to is None:
        error = parsed.error if isinstance(parsed, ParseFailure) else BadMessageError("a request needs a reply_to")
        return ParseFailure(None, error)
    if isinstance(parsed, ParsedFrame) and parsed.question is None:
        return ParseFailure(parsed.id, BadMessageError("a request needs a question"), parsed.reply_to)
    return parsed


def camera_of(record: Consumed) -> str | None:
    """Return the camera in a record's key, or None where there is no such thing."""
    try:
        return check_camera_id((record.key or b"").decode())
    except ValueError:
        return None


def place_of(record: Consumed) -> FrameId | None:
    """Identify a record without an id of its own by partition and offset; None where even the camera is unknown."""
    camera_id = camera_of(record)
    if camera_id is None:
        return None
    return raw_frame_id(camera_id, record.partition.topic, record.partition.number, record.offset)


def timestamp_ns(record: Consumed) -> int:
    """Return a record's own time, clamped to the range of the message field: clients have sent nanoseconds here."""
    return min(max(0, record.timestamp_ms) * NS_PER_MS, LAST_NS)


def _plain_jpeg(record: Consumed, value: bytes, max_pixels: int) -> ParsedFrame | ParseFailure:
    frame_id = place_of(record)
    if frame_id is None:
        return ParseFailure(None, BadMessageError("a plain JPEG needs its camera's id as key"))
    try:
        header = read_header(value, max_pixels)
    except FrameError as error:
        return ParseFailure(frame_id, error)
    if max(header.width, header.height) > MAX_PIXELS_A_SIDE:
        return ParseFailure(frame_id, BadMessageError(f"the picture is {header.width}x{header.height} pixels"))
    return ParsedFrame(
        id=frame_id,
        # Nobody says when it was captured; Kafka says when it was sent, or when it came.
        captured_at_ns=timestamp_ns(record),
        source_size=header.upright_size,
        header=header,
        data=value,
        question=None,
    )
