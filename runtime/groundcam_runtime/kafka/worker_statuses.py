"""What workers say of themselves, as it is on Kafka now."""

from groundcam_runtime.kafka.reader import Reader
from groundcam_runtime.settings import KafkaSettings
from groundcam_schemas import SchemaError, WorkerStatus, decode

MISSED_HEARTBEATS = 3


def worker_statuses(settings: KafkaSettings) -> list[WorkerStatus]:
    """Return the newest status of each worker that has not taken it back. Raises KafkaProblem.

    Some may be of workers that died: `is_alive` tells.
    """
    found: dict[str, WorkerStatus] = {}
    with Reader(settings, [settings.topics.workers], start="beginning") as reader:
        for record in reader.to_the_end():
            take(found, record.key, record.value)
    return list(found.values())


def take(found: dict[str, WorkerStatus], key: bytes | None, value: bytes | None) -> WorkerStatus | None:
    """Take a record of the topic into what is known; return what it says, if it says something."""
    if not value:
        found.pop((key or b"").decode("utf-8", "replace"), None)
        return None
    try:
        status = decode(WorkerStatus, value)
    except SchemaError:
        return None
    found[status.worker_id] = status
    return status


def is_alive(status: WorkerStatus, now_ns: int) -> bool:
    """Whether a worker has told of itself lately."""
    return now_ns - status.at_ns <= MISSED_HEARTBEATS * status.heartbeat_s * 1e9
