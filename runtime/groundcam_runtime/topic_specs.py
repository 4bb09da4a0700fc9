"""What the topics of an installation should be. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from groundcam_schemas import Topics

MIB = 1024 * 1024
MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS
DAY_MS = 24 * HOUR_MS
PARTITIONS = 4
STATES = {
    "max.message.bytes": str(4 * MIB),
    "segment.bytes": str(16 * MIB),
    "segment.ms": str(HOUR_MS),
    "min.cleanable.dirty.ratio": "0.1",
}
APPEND_TIME = {"message.timestamp.type": "LogAppendTime"}
"""Kafka stamps records when they come, by a clock that is no camera's."""


@dataclass(frozen=True, slots=True)
class TopicSpec:
    """What a topic should be."""

    name: str
    partitions: int
    config: dict[str, str]
    grows: bool = False
    """Whether it may get more partitions later. Control topics may not: everybody reads them in one order."""
    takes_from: tuple[str, ...] = ()
    """Topics of which every record must fit into this one."""
    any_count: bool = False
    """Whether partitions were not asked for, so that a topic that is there may have as many as it likes."""

    @property
    def is_control(self) -> bool:
        """Whether it keeps the newest message of each camera (compacted), not a stream."""
        return self.config.get("cleanup.policy") == "compact"

    @property
    def kept(self) -> str:
        """How long a message is kept, in words."""
        if self.is_control:
            return "compacted"
        minutes = int(self.config["retention.ms"]) // MINUTE_MS
        return f"{minutes} minutes" if minutes < DAY_MS // MINUTE_MS else f"{minutes * MINUTE_MS // DAY_MS} days"

    @property
    def is_live(self) -> bool:
        """Whether its messages are worth something for minutes only."""
        return "segment.bytes" in self.config and not self.is_control


def wanted(
    topics: Topics, partitions: int | None, max_message_bytes: int, there: Mapping[str, int] = MappingProxyType({})
) -> list[TopicSpec]:
    """Return every topic of an installation. Without `partitions` new topics get as many as detections or frames have,
    of those that are `there` with their partitions, else a few; and events should have as many as detections.

    Live frames are kept for minutes in small segments, since retention removes whole segments only; recordings wait for
    a slow worker, so they are kept for a week, and so is what was said of them. Requests and replies are live, too:
    nobody waits for one longer than minutes. Control topics are compacted, and have one partition so that everybody
    reads them in one order; the trackers' states, which are written all the time, in small segments, so that whoever
    reads them from the beginning is through soon. Kafka stamps live frames when they come, so that their age is known
    whatever a camera's clock shows, and retention too; recordings have no age.
    """
    frames = {"max.message.bytes": str(max_message_bytes), "compression.type": "producer"}
    live = {"retention.ms": str(10 * MINUTE_MS), "segment.bytes": str(64 * MIB), "segment.ms": str(MINUTE_MS)}
    week = {"retention.ms": str(7 * DAY_MS)}
    compacted = {"cleanup.policy": "compact"}
    count, free = (
        partitions or there.get(topics.detections) or there.get(topics.frames) or PARTITIONS,
        partitions is None,
    )
    return [
        TopicSpec(topics.frames, count, frames | live | APPEND_TIME, grows=True, any_count=free),
        TopicSpec(topics.recordings, count, frames | week, grows=True, any_count=free),
        TopicSpec(topics.detections, count, week, grows=True, any_count=free),
        TopicSpec(topics.events, count, week, grows=True, any_count=free and topics.detections not in there),
        TopicSpec(topics.pictures, count, week, grows=True, any_count=free),
        TopicSpec(topics.requests, count, frames | live | APPEND_TIME, grows=True, any_count=free),
        TopicSpec(topics.replies, count, live, grows=True, any_count=free),
        TopicSpec(
            topics.dead_letters, 1, frames | week, takes_from=(topics.frames, topics.recordings, topics.requests)
        ),
        TopicSpec(topics.prompts, 1, compacted),
        TopicSpec(topics.cameras, 1, compacted),
        TopicSpec(topics.attempts, 1, compacted),
        TopicSpec(topics.workers, 1, compacted),
        TopicSpec(topics.objects, 1, compacted),
        TopicSpec(topics.zones, 1, compacted),
        TopicSpec(topics.tracks, 1, compacted | STATES),
        TopicSpec(topics.undelivered, 1, week),
    ]


def to_ask_for(spec: TopicSpec) -> str:
    """Return a topic's settings, to be asked of somebody else."""
    settings = [f"partitions={spec.partitions}", *(f"{name}={value}" for name, value in spec.config.items())]
    return f"{spec.name} with {', '.join(settings)}"
