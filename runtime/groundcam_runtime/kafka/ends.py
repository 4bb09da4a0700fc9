"""The first and end offsets (low and high watermarks) of partitions, looked up now and then on a thread of its own.

A consumer learns the end of a partition only with records of it: of one that is paused, or stuck, it knows nothing.
"""

import logging
import threading
from collections.abc import Iterable

import kafka
import kafka.errors

from groundcam_runtime.kafka.connect import connect
from groundcam_runtime.kafka.errors import KafkaProblem
from groundcam_runtime.records import Partition
from groundcam_runtime.settings import KafkaSettings

log = logging.getLogger(__name__)

EVERY_S = 5.0


class EndWatcher:
    """Keeps the first and the next offset of every partition of some topics. What is not known is left out."""

    def __init__(self, settings: KafkaSettings, topics: Iterable[str]) -> None:
        self._settings = settings
        self._topics = list(topics)
        self._stopping = threading.Event()
        self._ranges: dict[Partition, tuple[int, int]] = {}
        self._thread = threading.Thread(target=self._run, name="ends", daemon=True)

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def close(self) -> None:
        """Stop; what hangs is not waited for."""
        self._stopping.set()

    def behind(self, finished: dict[Partition, int]) -> dict[Partition, int]:
        """Return each partition's lag: how many records it has from an offset on. May be called from any thread."""
        ranges = self._ranges
        return {
            partition: max(0, ranges[partition][1] - max(offset, ranges[partition][0]))
            for partition, offset in finished.items()
            if partition in ranges
        }

    def _run(self) -> None:
        consumer: kafka.KafkaConsumer | None = None
        while not self._stopping.is_set():
            try:
                consumer = consumer or connect(
                    self._settings,
                    kafka.KafkaConsumer,
                    group_id=None,
                    # New partitions are seen after this; five minutes by default.
                    metadata_max_age_ms=int(EVERY_S * 1000),
                )
                self._ranges = self._look(consumer)
            except (kafka.errors.KafkaError, KafkaProblem) as error:
                log.debug("the ends of partitions are not known: %s", error)  # the last ones stay valid
            except Exception:
                log.exception("the ends of partitions cannot be looked up")
            self._stopping.wait(EVERY_S)
        if consumer is not None:
            consumer.close()

    def _look(self, consumer: kafka.KafkaConsumer) -> dict[Partition, tuple[int, int]]:
        partitions = [
            kafka.TopicPartition(topic, number)
            for topic in self._topics
            for number in consumer.partitions_for_topic(topic) or ()
        ]
        if partitions:
            consumer.assign(partitions)  # nothing is fetched without a poll, but the client keeps to these topics
        begins, ends = consumer.beginning_offsets(partitions), consumer.end_offsets(partitions)
        return {Partition(*one): (begins[one], ends[one]) for one in partitions}
