"""What is sent to Kafka."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

from groundcam_runtime.records import Header, record_bytes
from groundcam_schemas import Message, packed


@dataclass(frozen=True, slots=True)
class Record:
    """What is to be sent."""

    topic: str
    value: bytes | None
    key: str | bytes | None
    """Text is sent as UTF-8."""
    partition: int | None = None
    headers: tuple[Header, ...] = ()

    @classmethod
    def of(
        cls,
        topic: str,
        message: Message | None,
        key: str | None,
        partition: int | None = None,
        *,
        as_json: bool = False,
        headers: Iterable[Header] = (),
    ) -> Self:
        """Return a message's record, or one that takes back what its key said: only for a null compaction removes it.

        `headers` come besides the message's own.
        """
        value, own = packed(message, as_json=as_json) if message is not None else (None, ())
        return cls(topic, value, key, partition, (*own, *headers))

    @property
    def key_bytes(self) -> bytes | None:
        """The key as Kafka gets it."""
        return self.key.encode() if isinstance(self.key, str) else self.key

    @property
    def value_bytes(self) -> bytes | None:
        """The value as Kafka gets it: empty where there is neither a key nor a value, which the client refuses."""
        return b"" if self.key is None and self.value is None else self.value

    @property
    def size(self) -> int:
        """Bytes on Kafka at most, with key, headers and Kafka's own."""
        return record_bytes(self.key_bytes, self.value, self.headers)
