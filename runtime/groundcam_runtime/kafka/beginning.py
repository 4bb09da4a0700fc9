"""Where a new consumer group begins."""

import logging
from collections.abc import Iterable

import kafka
import kafka.errors

from groundcam_runtime.kafka.connect import connect
from groundcam_runtime.kafka.errors import KafkaProblem, RefusedError, UnreachableError
from groundcam_runtime.kafka.passing import is_passing
from groundcam_runtime.settings import KafkaSettings

log = logging.getLogger(__name__)

TIMEOUT_MS = 10_000


def begin_at_the_end(settings: KafkaSettings, group_id: str, topics: Iterable[str]) -> bool:
    """Let a group that has never committed anything begin behind what is there; return whether it is such a one.

    That is for those who tell people of things: at their first start nobody wants to hear of last week. A partition
    that is added to the topics of a group that has begun is read from its beginning, as nothing of it is old news.
    Raises KafkaProblem.
    """
    consumer = connect(
        settings, kafka.KafkaConsumer, group_id=group_id, enable_auto_commit=False, allow_auto_create_topics=False
    )
    try:
        partitions = [
            kafka.TopicPartition(topic, number)
            for topic in topics
            for number in sorted(consumer.partitions_for_topic(topic) or ())
        ]
        consumer.assign(partitions)
        found = consumer._coordinator.fetch_committed_offsets(  # noqa: SLF001 - the public API looks up one
            partitions, timeout_ms=TIMEOUT_MS
        )
        if found:
            return False
        ends = consumer.end_offsets(partitions)
        consumer.commit({one: kafka.OffsetAndMetadata(ends[one], "", -1) for one in partitions}, timeout_ms=TIMEOUT_MS)
    except (kafka.errors.CommitFailedError, kafka.errors.UnknownMemberIdError, kafka.errors.IllegalGenerationError):
        # Members of it are at work, and have begun.
        return False
    except kafka.errors.KafkaError as error:
        kind: type[KafkaProblem] = UnreachableError if is_passing(error) else RefusedError
        raise kind(
            f"Kafka at {settings.bootstrap_servers}: where {group_id} is cannot be looked up ({error})"
        ) from None
    finally:
        consumer.close()
    return True
