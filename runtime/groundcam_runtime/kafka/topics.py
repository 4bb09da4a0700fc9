"""Create the topics, look at them, and say what is wrong with those that others created."""

import time
from dataclasses import dataclass
from typing import Any

import kafka
import kafka.errors
from kafka.admin import NewTopic

from groundcam_runtime.kafka.connect import connect
from groundcam_runtime.kafka.errors import RefusedError, TopicError, UnreachableError
from groundcam_runtime.settings import KafkaSettings
from groundcam_schemas import Topics

MIB = 1024 * 1024
MINUTE_MS = 60_000
DAY_MS = 24 * 60 * MINUTE_MS
VISIBLE_S = 15.0


@dataclass(frozen=True, slots=True)
class TopicSpec:
    """What a topic should be."""

    name: str
    partitions: int
    config: dict[str, str]


def wanted(topics: Topics, partitions: int, max_message_bytes: int) -> list[TopicSpec]:
    """Return every topic of an installation.

    Live frames are kept for minutes in small segments, since retention removes whole segments only;
    recordings wait for a slow worker, so they are kept for a week, and so is what was said of them. Control topics
    are compacted, and have one partition so that everybody reads them in one order.
    """
    frames = {"max.message.bytes": str(max_message_bytes), "compression.type": "producer"}
    live = {"retention.ms": str(10 * MINUTE_MS), "segment.bytes": str(64 * MIB), "segment.ms": str(MINUTE_MS)}
    compacted = {"cleanup.policy": "compact"}
    return [
        TopicSpec(topics.frames, partitions, frames | live),
        TopicSpec(topics.recordings, partitions, frames | {"retention.ms": str(7 * DAY_MS)}),
        TopicSpec(topics.detections, partitions, {"retention.ms": str(7 * DAY_MS)}),
        TopicSpec(topics.dead_letters, 1, frames | {"retention.ms": str(7 * DAY_MS)}),
        TopicSpec(topics.prompts, 1, compacted),
        TopicSpec(topics.cameras, 1, compacted),
    ]


class TopicAdmin:
    """Topics on one cluster. Every method raises KafkaProblem."""

    def __init__(self, settings: KafkaSettings) -> None:
        self._settings = settings
        self._client = connect(settings, kafka.KafkaAdminClient)

    def close(self) -> None:
        """Disconnect."""
        self._client.close()

    def partitions(self) -> dict[str, int]:
        """Return every topic's name and number of partitions."""
        try:
            return {topic["name"]: len(topic["partitions"]) for topic in self._client.describe_topics()}
        except kafka.errors.KafkaError as error:
            raise _problem("topics cannot be listed", error) from None

    def ensure(self, specs: list[TopicSpec], replication: int | None) -> list[str]:
        """Create what is missing and return a line of report for each topic; change nothing that exists."""
        existing = self.partitions()
        missing = [spec for spec in specs if spec.name not in existing]
        for spec in missing:
            self._create(spec, replication)
        self._wait_for({spec.name for spec in missing})
        lines = [f"{spec.name}: created with {spec.partitions} partitions" for spec in missing]
        for spec in specs:
            if spec.name in existing:
                complaints = self._complaints(spec, existing[spec.name])
                lines.append(f"{spec.name}: " + ("; ".join(complaints) if complaints else "is there"))
        return lines

    def require(self, names: list[str]) -> dict[str, int]:
        """Return the partitions of these topics. Raises TopicError where one does not exist."""
        existing = self.partitions()
        missing = [name for name in names if name not in existing]
        if missing:
            raise TopicError(
                f"the topic{'s' if len(missing) > 1 else ''} {', '.join(missing)} on"
                f" {self._settings.bootstrap_servers} do{'' if len(missing) > 1 else 'es'} not exist:"
                " create with `groundcam topics ensure`"
            )
        return {name: existing[name] for name in names}

    def max_message_bytes(self, name: str) -> int | None:
        """Return the largest record that a topic takes, or None where we may not know."""
        value = self._config(name).get("max.message.bytes")
        return int(value) if value else None

    def _wait_for(self, names: set[str]) -> None:
        """Return when every broker's metadata can be expected to hold these: creating is acknowledged before."""
        deadline = time.monotonic() + VISIBLE_S
        while missing := names - set(self.partitions()):
            if time.monotonic() > deadline:
                raise TopicError(f"{', '.join(sorted(missing))}: created, but not there after {VISIBLE_S:.0f} s")
            time.sleep(0.05)

    def _create(self, spec: TopicSpec, replication: int | None) -> None:
        topic = NewTopic(
            name=spec.name,
            num_partitions=spec.partitions,
            replication_factor=replication or -1,
            topic_configs=spec.config,
        )
        try:
            self._client.create_topics([topic])
        except kafka.errors.TopicAlreadyExistsError:
            pass
        except kafka.errors.KafkaError as error:
            raise _problem(f"the topic {spec.name} cannot be created", error) from None

    def _complaints(self, spec: TopicSpec, partitions: int) -> list[str]:
        complaints = []
        config = self._config(spec.name)
        if spec.config.get("cleanup.policy") == "compact":
            if "compact" not in config.get("cleanup.policy", "compact"):
                complaints.append("cleanup.policy should be compact")
            if partitions != 1:
                complaints.append(f"has {partitions} partitions instead of 1")
        limit = config.get("max.message.bytes")
        wanted_limit = spec.config.get("max.message.bytes")
        if limit and wanted_limit and int(limit) < int(wanted_limit):
            complaints.append(f"max.message.bytes is {limit}: larger frames will be refused")
        return complaints

    def _config(self, name: str) -> dict[str, str]:
        """Return a topic's settings, or nothing where we may not see them."""
        resource = kafka.admin.ConfigResource("TOPIC", name)
        try:
            described: Any = self._client.describe_configs([resource], config_filter="all")
        except kafka.errors.KafkaError:
            return {}
        return _flatten(described, name)


def _flatten(described: Any, name: str) -> dict[str, str]:
    for kind in described.values():
        if name in kind:
            return {key: entry["value"] if isinstance(entry, dict) else entry for key, entry in kind[name].items()}
    return {}


def _problem(what: str, error: BaseException) -> Exception:
    if isinstance(error, kafka.errors.AuthorizationError):
        return RefusedError(f"{what}: not permitted ({type(error).__name__})")
    if isinstance(error, kafka.errors.KafkaTimeoutError | kafka.errors.KafkaConnectionError):
        return UnreachableError(f"{what}: no answer ({error})")
    return TopicError(f"{what}: {type(error).__name__}: {error}")
