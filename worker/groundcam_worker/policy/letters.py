"""A message that cannot be processed, as a record that the dead-letters topic takes. Pure."""

from typing import NamedTuple

from groundcam_runtime.records import Consumed, Header, record_bytes
from groundcam_schemas import DeadLetter
from groundcam_schemas.deadletter import PREFIX


class LetterRecord(NamedTuple):
    """What to publish on the dead-letters topic."""

    key: bytes | None
    value: bytes | None
    headers: tuple[Header, ...]

    @property
    def size(self) -> int:
        """Bytes on Kafka at most."""
        return record_bytes(*self)


def letter_record(letter: DeadLetter, record: Consumed, max_bytes: int) -> LetterRecord:
    """Return a letter about a message, of `max_bytes` on Kafka at most.

    As it came, but for headers that only a letter may have; where that is too large, without its value and its own
    headers; where even the key is, without that too. What is left takes less than a kilobyte as a rule and 20 at most,
    whatever `max_bytes` is: with 0 it is the smallest letter that there is.
    """
    key, value = record.key, record.value
    theirs = tuple(header for header in record.headers if not header[0].startswith(PREFIX))
    whole = LetterRecord(key, value, (*theirs, *letter.headers()))
    if whole.size <= max_bytes:
        return whole
    letter = letter.model_copy(update={"value_bytes": record.size})
    bare = LetterRecord(key, b"", tuple(letter.headers()))
    if bare.size <= max_bytes or key is None:
        return bare
    letter = letter.model_copy(update={"key_bytes": len(key)})
    return LetterRecord(None, b"", tuple(letter.headers()))
