"""A stream as it lies on Kafka: kept in a file, read again, published again."""

from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import msgpack

from groundcam.subscriber import settings_of
from groundcam_runtime.kafka.connect import describe
from groundcam_runtime.kafka.errors import RefusedError, UnreachableError
from groundcam_runtime.kafka.publisher import Publisher
from groundcam_runtime.kafka.reader import Reader
from groundcam_runtime.kafka.record import Record
from groundcam_runtime.records import Consumed, Header
from groundcam_runtime.settings import KafkaSettings
from groundcam_schemas import Detections, Event, Gap, Message, SchemaError, decode, decode_answer, packed

FORMAT = "groundcam-stream/1"
"""First entry of a file; then comes a msgpack map for each record."""
TOPICS: dict[type, str] = {Detections: "detections", Gap: "detections", Event: "events"}
FOR_SUBSCRIBERS = ("detections", "events", "objects", "cameras")
POLL_S = 0.2
SEND_S = 30.0
MOST_BYTES = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Recorded:
    """One record."""

    topic: str
    """Without the installation's prefix, such as detections."""
    key: bytes | None
    value: bytes | None
    headers: tuple[Header, ...] = ()
    partition: int = 0
    timestamp_ms: int = 0

    @classmethod
    def of(cls, message: Message, *, as_json: bool = False) -> Self:
        """Return a message as it lies on its topic. Raises KeyError for messages of other topics than TOPICS names."""
        value, headers = packed(message, as_json=as_json)
        return cls(TOPICS[type(message)], getattr(message, "camera_id", "").encode(), value, headers)

    @property
    def message(self) -> Detections | Gap | Event | None:
        """What is in it, as groundcam's own readers see it: None for what they pass over."""
        try:
            if self.topic == "detections":
                return decode_answer(self.value or b"")
            return decode(Event, self.value or b"") if self.topic == "events" else None
        except SchemaError:
            return None


@dataclass(frozen=True)
class Stream:
    """Records in order."""

    records: tuple[Recorded, ...]

    @classmethod
    def of(cls, messages: Iterable[Message], *, as_json: bool = False) -> Self:
        """Return a stream of messages."""
        return cls(tuple(Recorded.of(one, as_json=as_json) for one in messages))

    @classmethod
    def load(cls, path: Path | str) -> Self:
        """Read a file that `save` or `record` wrote. Raises OSError, ValueError for a file of another kind."""
        with Path(path).open("rb") as file:
            entries, whole = msgpack.Unpacker(file, use_list=False), 0
            records = []
            try:
                if next(entries, None) != FORMAT:
                    raise ValueError(f"{path} is no stream of groundcam")
                with suppress(msgpack.OutOfData):
                    while True:
                        whole = entries.tell()
                        records.append(Recorded(**entries.unpack()))
            except (msgpack.UnpackException, TypeError, UnicodeDecodeError) as broken:
                raise ValueError(f"{path} is damaged: {type(broken).__name__}") from None
            if whole != Path(path).stat().st_size:
                raise ValueError(f"{path} is damaged: it is cut off")
        return cls(tuple(records))

    def save(self, path: Path | str) -> None:
        """Write it to a file. Raises OSError."""
        _write(Path(path), self.records)

    @property
    def answers(self) -> Iterator[Detections | Gap]:
        """What `subscribe` yields of it, repeats included."""
        return (one for record in self.records if isinstance(one := record.message, Detections | Gap))

    @property
    def events(self) -> Iterator[Event]:
        """What `subscribe_events` yields of it, repeats included."""
        return (one for record in self.records if isinstance(one := record.message, Event))

    def publish(
        self, bootstrap_servers: str | None = None, *, settings: KafkaSettings | None = None, **kafka: Any
    ) -> None:
        """Put it on Kafka's topics, which exist; each key's records stay in order.

        Further arguments are those of KafkaSettings, such as `topic_prefix`. Raises KafkaProblem.
        """
        settings = settings_of(settings, bootstrap_servers, kafka)
        publisher = Publisher(settings, max_waiting_bytes=MOST_BYTES, max_record_bytes=MOST_BYTES)
        try:
            for one in self.records:
                record = Record(settings.topic_prefix + one.topic, one.value, one.key, headers=one.headers)
                if not publisher.has_room(record.size):
                    _flush(publisher, settings)
                publisher.send(record)
            _flush(publisher, settings)
        finally:
            publisher.close()


def record(
    path: Path | str,
    bootstrap_servers: str | None = None,
    *,
    topics: Collection[str] = FOR_SUBSCRIBERS,
    go_on: Callable[[int], bool] | None = None,
    from_beginning: bool = False,
    settings: KafkaSettings | None = None,
    **kafka: Any,
) -> int:
    """Write records of topics to a file, and return how many.

    Without `go_on` that is all that lies on Kafka now; with it what comes while it says so of the number so far, after
    what lies there with `from_beginning`. `topics` are named without the prefix. Further arguments are those of
    KafkaSettings. Raises KafkaProblem, OSError.
    """
    settings = settings_of(settings, bootstrap_servers, kafka)
    prefix, lies_there = settings.topic_prefix, from_beginning or go_on is None
    names = [prefix + name for name in topics]
    with Reader(settings, names, start="beginning" if lies_there else "end") as reader:
        come = reader.to_the_end() if go_on is None else _polled(reader, go_on)
        return _write(Path(path), (_recorded(one, prefix) for one in come))


def _polled(reader: Reader, go_on: Callable[[int], bool]) -> Iterator[Consumed]:
    number = 0
    while go_on(number):
        for one in reader.poll(POLL_S):
            if not go_on(number):
                return
            number += 1
            yield one


def _recorded(one: Consumed, prefix: str) -> Recorded:
    return Recorded(
        one.partition.topic.removeprefix(prefix), one.key, one.value, one.headers, one.partition.number,
        one.timestamp_ms,
    )  # fmt: skip


def _write(path: Path, records: Iterable[Recorded]) -> int:
    number = 0
    with path.open("wb") as file:
        file.write(msgpack.packb(FORMAT))
        for number, one in enumerate(records, 1):  # noqa: B007 - counted where there is none, too
            file.write(
                msgpack.packb(
                    {"topic": one.topic, "key": one.key, "value": one.value, "headers": one.headers,
                     "partition": one.partition, "timestamp_ms": one.timestamp_ms}
                )
            )  # fmt: skip
    return number


def _flush(publisher: Publisher, settings: KafkaSettings) -> None:
    """Raises KafkaProblem."""
    where = f"Kafka at {settings.bootstrap_servers}"
    for delivery in publisher.flush(SEND_S):
        if delivery.error is not None:
            raise RefusedError(f"{where} refuses a record for {delivery.record.topic}: {describe(delivery.error)}")
    if publisher.unfinished:
        raise UnreachableError(f"{where} did not take the stream in {SEND_S:.0f} s")
