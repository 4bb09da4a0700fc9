"""Put dead letters back where they lay, or on the recordings. Only `replay` waits for Kafka."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from groundcam.dead_letters.letters import Letter, frame_in, read
from groundcam.errors import DeadLetterError
from groundcam_runtime.kafka.connect import describe
from groundcam_runtime.kafka.errors import UnreachableError
from groundcam_runtime.kafka.publisher import Publisher, RecordTooLargeError
from groundcam_runtime.kafka.record import Record
from groundcam_runtime.settings import KafkaSettings
from groundcam_schemas import DeadLetter, Frame, Topics
from groundcam_schemas.deadletter import PREFIX
from groundcam_schemas.limits import MAX_FRAME_BYTES

REPLAYED_FROM = "groundcam-replayed-from"
NS = 1_000_000_000
MS = 1_000_000
WAITING_BYTES = 32 * 1024 * 1024
KAFKAS_OWN_BYTES = 512
"""Of each record, which count against a topic's limit too."""
PATIENCE_S = 30.0


@dataclass(frozen=True, slots=True)
class Target:
    """Where a letter is to go."""

    topic: str
    partition: int | None
    """None where the original one is no more: then the key decides."""
    is_late: bool
    """Whether a worker may skip it as stale."""

    def __str__(self) -> str:
        return self.topic if self.partition is None else f"{self.topic}[{self.partition}]"


@dataclass(frozen=True, slots=True)
class Planner:
    """Decides where letters go: back, or to the recordings."""

    topics: Topics
    partitions: Mapping[str, int]
    limits: Mapping[str, int | None]
    """The largest record that each topic takes, where that is known."""
    max_age_s: float
    as_recording: bool

    def plan(self, letter: Letter, now_s: float) -> Target:
        """Return where a letter goes. Raises DeadLetterError."""
        origin = letter.origin
        if origin is None:
            raise DeadLetterError(f"{letter.id} cannot be replayed: its headers do not say where it lay")
        if origin.topic not in (self.topics.frames, self.topics.recordings):
            raise DeadLetterError(
                f"{letter.id} cannot be replayed: it lay on {origin.topic}, which is neither {self.topics.frames} nor"
                f" {self.topics.recordings}"
            )
        if letter.left_out is not None:
            raise DeadLetterError(f"{letter.id} cannot be replayed: {letter.what_is_left_out}")
        topic = self.topics.recordings if self.as_recording else origin.topic
        partition = origin.partition if origin.partition < self.partitions[topic] else None
        target = Target(topic, partition, topic == self.topics.frames and self._is_late(letter, origin, now_s))
        size, limit = original(letter, target).size + KAFKAS_OWN_BYTES, self.limits.get(topic)
        if limit is not None and size > limit:
            raise DeadLetterError(f"{letter.id} cannot be replayed: {size} bytes are more than the {limit} of {topic}")
        return target

    def _is_late(self, letter: Letter, origin: DeadLetter, now_s: float) -> bool:
        frame = frame_in(letter)
        captured_ns = frame.captured_at_ns if isinstance(frame, Frame) else origin.timestamp_ms * MS
        return 0 < self.max_age_s < now_s - captured_ns / NS


def original(letter: Letter, target: Target) -> Record:
    """Return the message as it was, with a header that says where it has been."""
    theirs = [one for one in letter.record.headers if not one[0].startswith(PREFIX) and one[0] != REPLAYED_FROM]
    return Record(
        topic=target.topic,
        value=letter.record.value,
        key=letter.record.key,
        partition=target.partition,
        headers=(*theirs, (REPLAYED_FROM, letter.id.encode())),
    )


def replay(settings: KafkaSettings, targets: Mapping[str, Target]) -> Iterator[tuple[str, str | None]]:
    """Send letters, by their ids, to their targets; yield each once Kafka has it, or with why it refuses it.

    Raises KafkaProblem, also when Kafka does not answer in time for all of them.
    """
    publisher = Publisher(
        settings, max_waiting_bytes=WAITING_BYTES, max_record_bytes=MAX_FRAME_BYTES, client_id="groundcam-replay"
    )
    found = 0
    try:
        for letter in read(settings):
            if letter.id not in targets:
                continue
            found += 1
            record = original(letter, targets[letter.id])
            if not publisher.has_room(record.size):
                yield from _settled(publisher, settings)
            try:
                publisher.send(record, letter.id)
            except RecordTooLargeError as error:
                yield letter.id, str(error)
        yield from _settled(publisher, settings)
    finally:
        publisher.close()
    if found < len(targets):
        raise DeadLetterError(f"{len(targets) - found} dead letters have gone before they could be replayed")


def _settled(publisher: Publisher, settings: KafkaSettings) -> Iterator[tuple[str, str | None]]:
    """Wait until Kafka has everything, and yield what became of it."""
    for delivery in publisher.flush(PATIENCE_S):
        yield delivery.tag, describe(delivery.error) if delivery.error else None
    if publisher.unfinished:
        why = f" ({publisher.trouble})" if publisher.trouble else ""
        raise UnreachableError(
            f"Kafka at {settings.bootstrap_servers} has not acknowledged {publisher.unfinished} messages in"
            f" {PATIENCE_S:.0f} s{why}: whether they were replayed is not known"
        )
