"""Dead letters: find them, and say what is in them. Only `read` waits for Kafka."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from groundcam_runtime.kafka.reader import Reader
from groundcam_runtime.records import Consumed
from groundcam_runtime.settings import KafkaSettings
from groundcam_schemas import DeadLetter, Frame, SchemaError, decode

_JPEG = b"\xff\xd8\xff"


@dataclass(frozen=True, slots=True)
class Letter:
    """One message that was dead-lettered."""

    record: Consumed
    origin: DeadLetter | None
    """Where it lay and why it was dead-lettered; None where its headers do not say."""

    @property
    def id(self) -> str:
        """Its place on the dead-letters topic."""
        return f"{self.record.partition.number}@{self.record.offset}"

    @property
    def value_bytes(self) -> int:
        """The size of the message's value, as it came."""
        left = self.left_out
        return self.record.size if left is None else left

    @property
    def left_out(self) -> int | None:
        """The size of a value that was too large for the dead letter, and is not here; None where it is."""
        return self.origin.value_bytes if self.origin else None

    @property
    def what_is_left_out(self) -> str:
        """Say what is not here, and where it may be; empty where all of it is."""
        if self.origin is None or self.origin.value_bytes is None:
            return ""
        what = f"its value of {self.origin.value_bytes} bytes"
        if self.origin.key_bytes is not None:
            what += f" and its key of {self.origin.key_bytes} bytes"
        where = f"{self.origin.topic}[{self.origin.partition}]@{self.origin.offset}"
        return f"{what} and its headers were too large to be put aside: they are on {where} while Kafka keeps them"

    @property
    def order(self) -> tuple[int, int, int]:
        """By what the newest come last."""
        return self.record.timestamp_ms, self.record.partition.number, self.record.offset

    @property
    def camera(self) -> str:
        """The camera, as far as it is known."""
        key = (self.record.key or b"").decode("utf-8", "replace")
        return (self.origin.camera_id if self.origin else "") or key or "unknown"


@dataclass(frozen=True, slots=True)
class LetterFilter:
    """Which dead letters are meant: all that fit everything that is given."""

    ids: frozenset[str] = frozenset()
    camera: str | None = None
    error: str | None = None
    since_ms: int | None = None

    def fits(self, letter: Letter) -> bool:
        """Whether a letter is meant."""
        error_class = letter.origin.error_class if letter.origin else ""
        return (
            (not self.ids or letter.id in self.ids)
            and self.camera in (None, letter.camera)
            and (self.error is None or self.error.lower() == error_class.lower())
            and (self.since_ms is None or letter.record.timestamp_ms >= self.since_ms)
        )


def check_id(text: str) -> str:
    """Return a letter's id as `Letter.id` writes it, or raise ValueError."""
    match = re.fullmatch(r"(\d{1,9})@(\d{1,18})", text)
    if match is None:
        raise ValueError(f"{text!r} is no id of a dead letter, such as 0@17")
    return f"{int(match[1])}@{int(match[2])}"


def read(settings: KafkaSettings) -> Iterator[Letter]:
    """Yield every dead letter that lies there now; of each partition in order. Raises KafkaProblem."""
    with Reader(settings, [settings.topics.dead_letters], start="beginning") as reader:
        for record in reader.to_the_end():
            yield letter_of(record)


def letter_of(record: Consumed) -> Letter:
    """Read a record of the dead-letters topic."""
    try:
        return Letter(record, DeadLetter.from_headers(record.headers))
    except SchemaError:
        return Letter(record, None)


def frame_in(letter: Letter) -> Frame | SchemaError:
    """Return the frame that the message is, or why it is none."""
    try:
        return decode(Frame, letter.record.value or b"")
    except SchemaError as error:
        return error


@dataclass(frozen=True, slots=True)
class Contents:
    """What a letter's bytes are."""

    frame: Frame | None
    jpeg: bytes | None
    """The frame's, or the message itself where it begins like one."""
    size: tuple[int, int] | None
    """Width and height of the picture, where it can be decoded."""
    errors: tuple[str, ...]
    """Why it is no frame, and why there is no picture."""


def contents(letter: Letter) -> Contents:
    """Look into a letter: is it a frame, is there a picture?"""
    if letter.left_out is not None:
        return Contents(None, None, None, (letter.what_is_left_out,))
    value = letter.record.value or b""
    found = frame_in(letter)
    if isinstance(found, Frame):
        return _pictured(found, found.data)
    if value.startswith(_JPEG):
        return _pictured(None, value)
    return Contents(None, None, None, (f"neither a frame ({found}) nor a JPEG",))


def _pictured(frame: Frame | None, jpeg: bytes) -> Contents:
    try:
        from groundcam_runtime.pictures.decoding import decode_jpeg
        from groundcam_runtime.pictures.errors import PictureError
    except ImportError as missing:
        why = f"the picture was not looked at: that needs the package {missing.name}, pip install 'groundcam[worker]'"
        return Contents(frame, jpeg, None, (why,))
    try:
        height, width = decode_jpeg(jpeg).shape[:2]
    except PictureError as error:
        return Contents(frame, jpeg, None, (f"the picture is bad: {error}",))
    return Contents(frame, jpeg, (width, height), ())
