"""What the compacted topics say of cameras now: the states that producers report, and who has a question of its own."""

from groundcam_runtime.kafka.reader import Reader
from groundcam_runtime.settings import KafkaSettings
from groundcam_schemas import CameraStatus, SchemaError, decode
from groundcam_schemas.questions import EVERY_CAMERA


def camera_statuses(settings: KafkaSettings) -> list[CameraStatus]:
    """Return every status that is still there, oldest first, of cameras that were not taken back. Raises KafkaProblem.

    Messages of other programs are passed over.
    """
    found: list[CameraStatus] = []
    with Reader(settings, [settings.topics.cameras], start="beginning") as reader:
        for record in reader.to_the_end():
            if not record.value:
                taken_back = _id(record.key)
                found = [status for status in found if status.camera_id != taken_back]
                continue
            try:
                found.append(decode(CameraStatus, record.value))
            except SchemaError:
                continue
    return found


def newest_statuses(settings: KafkaSettings) -> dict[str, CameraStatus]:
    """Return the newest status of each camera, by its id in their order. Raises KafkaProblem."""
    newest = {status.camera_id: status for status in camera_statuses(settings)}
    return dict(sorted(newest.items()))


def take(found: dict[str, CameraStatus], key: bytes | None, value: bytes | None) -> None:
    """Take a record of the topic into what is known of each camera."""
    if not value:
        found.pop(_id(key), None)
        return
    try:
        status = decode(CameraStatus, value)
    except SchemaError:
        return
    found[status.camera_id] = status


def cameras_with_questions(settings: KafkaSettings) -> set[str]:
    """Return the ids of the cameras that are asked something of their own. Raises KafkaProblem."""
    found: set[str] = set()
    with Reader(settings, [settings.topics.prompts], start="beginning") as reader:
        for record in reader.to_the_end():
            (found.add if record.value else found.discard)(_id(record.key))
    return found - {EVERY_CAMERA}


def _id(key: bytes | None) -> str:
    return (key or b"").decode("utf-8", "replace")
