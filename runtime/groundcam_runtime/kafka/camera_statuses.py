"""The camera statuses that producers report, as they are on Kafka now."""

from groundcam_runtime.kafka.reader import Reader
from groundcam_runtime.settings import KafkaSettings
from groundcam_schemas import CameraStatus, SchemaError, decode


def camera_statuses(settings: KafkaSettings) -> list[CameraStatus]:
    """Return every status that is still there, oldest first, of cameras that were not taken back. Raises KafkaProblem.

    Messages of other programs are passed over.
    """
    found: list[CameraStatus] = []
    with Reader(settings, [settings.topics.cameras], start="beginning") as reader:
        for record in reader.to_the_end():
            if not record.value:
                taken_back = (record.key or b"").decode("utf-8", "replace")
                found = [status for status in found if status.camera_id != taken_back]
                continue
            try:
                found.append(decode(CameraStatus, record.value))
            except SchemaError:
                continue
    return found
