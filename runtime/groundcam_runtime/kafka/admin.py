"""Questions to a cluster about itself, and changes to it: kafka-python's admin client, its answers in our words."""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

import kafka
import kafka.errors
from kafka.admin import ConfigResource, NewTopic

from groundcam_runtime.kafka.connect import connect
from groundcam_runtime.kafka.errors import RefusedError, TopicError, UnreachableError
from groundcam_runtime.settings import KafkaSettings
from groundcam_runtime.topic_specs import TopicSpec

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one topic in a request."""

    kind: Literal["done", "missing", "exists", "not permitted", "failed"]
    words: str = ""
    """The broker's own, where it failed."""


@dataclass(frozen=True, slots=True)
class Described:
    """The broker's description of one topic."""

    outcome: Outcome
    copies: tuple[int, ...]
    """Of each partition."""
    operations: frozenset[str] | None
    """What we may do with it; None where the broker does not report it."""


class Admin:
    """An admin client. Every method raises KafkaProblem."""

    def __init__(self, settings: KafkaSettings, **options: Any) -> None:
        """Connect. `options` are the client's own."""
        self._client = connect(settings, kafka.KafkaAdminClient, **options)

    def close(self) -> None:
        """Disconnect."""
        self._client.close()

    def describe(self, names: Collection[str] | None = None) -> dict[str, Described]:
        """Describe these topics, or all that we may see."""
        if names is not None and not names:
            return {}
        wanted = None if names is None else list(names)
        answer = _ask("topics cannot be listed", lambda: self._client.describe_topics(wanted))
        return {
            topic["name"]: Described(
                _outcome(topic["error_code"], None),
                tuple(len(one["replica_nodes"]) for one in topic["partitions"]),
                _operations(topic),
            )
            for topic in answer
        }

    def config(self, name: str) -> dict[str, str]:
        """Return a topic's settings, or nothing where we may not see them."""
        try:
            described: Any = self._client.describe_configs([ConfigResource("TOPIC", name)], config_filter="all")
        except kafka.errors.KafkaError:
            return {}
        entries = described.get("topic", {}).get(name, {})
        return {key: entry["value"] if isinstance(entry, dict) else entry for key, entry in entries.items()}

    def brokers(self) -> int:
        """Return how many brokers the cluster has, those that are away included where they are reported."""
        return len(_ask("the brokers cannot be listed", self._client.describe_cluster)["brokers"])

    def create(self, specs: Iterable[TopicSpec], replication: int | None) -> dict[str, Outcome]:
        """Create topics, each for itself."""
        new = [
            NewTopic(
                name=spec.name,
                num_partitions=spec.partitions,
                replication_factor=replication or -1,
                topic_configs=spec.config,
            )
            for spec in specs
        ]
        answer = _ask("topics cannot be created", lambda: self._client.create_topics(new, raise_errors=False))
        return {one["name"]: _outcome(one["error_code"], one["error_message"]) for one in answer["topics"]}

    def grow(self, counts: Mapping[str, int]) -> dict[str, Outcome]:
        """Give topics as many partitions in all, each for itself."""
        answer = _ask(
            "partitions cannot be added", lambda: self._client.create_partitions(dict(counts), raise_errors=False)
        )
        return {one.name: _outcome(one.error_code, one.error_message) for one in answer.results}

    def members(self, group: str) -> int | None:
        """Return how many members a consumer group has, or None where we may not know."""
        try:
            found = self._client.describe_groups([group])[group]
        except kafka.errors.KafkaError:
            return None
        return None if found["error"] else len(found["members"])

    def operations_on_group(self, group: str) -> frozenset[str] | None:
        """Return what we may do with a consumer group; None where the broker does not report it."""
        try:
            return _operations(self._client.describe_groups([group])[group])
        except kafka.errors.GroupAuthorizationFailedError:
            return frozenset()
        except kafka.errors.KafkaError:
            return None


def _operations(described: Mapping[str, Any]) -> frozenset[str] | None:
    """Who may see a thing may describe it: a list without that comes from a broker that does not report rights."""
    reported = frozenset(name.lower().replace("_", "-") for name in described.get("authorized_operations") or ())
    return reported if "describe" in reported else None


def _outcome(code: int, words: str | None) -> Outcome:
    error = kafka.errors.for_code(code)
    if error in (kafka.errors.TopicAuthorizationFailedError, kafka.errors.ClusterAuthorizationFailedError):
        return Outcome("not permitted")
    if error is kafka.errors.UnknownTopicOrPartitionError:
        return Outcome("missing", "it does not exist")
    if error is kafka.errors.TopicAlreadyExistsError:
        return Outcome("exists")
    if error is kafka.errors.NoError:
        return Outcome("done")
    return Outcome("failed", f"{error.__name__}: {words}" if words else error.__name__)


def _ask(what: str, question: Callable[[], T]) -> T:
    try:
        return question()
    except kafka.errors.AuthorizationError as error:
        raise RefusedError(f"{what}: not permitted ({type(error).__name__})") from None
    except (kafka.errors.KafkaTimeoutError, kafka.errors.KafkaConnectionError) as error:
        raise UnreachableError(f"{what}: no answer ({error})") from None
    except kafka.errors.KafkaError as error:
        raise TopicError(f"{what}: {type(error).__name__}: {error}") from None
