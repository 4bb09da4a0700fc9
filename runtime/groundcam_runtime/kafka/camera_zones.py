"""Cameras' zones and lines, as they are on Kafka now."""

from collections.abc import Mapping

from groundcam_runtime.kafka.reader import Reader
from groundcam_runtime.kafka.record import Record
from groundcam_runtime.kafka.send_now import send_now
from groundcam_runtime.settings import KafkaSettings
from groundcam_schemas import CameraZones, SchemaError, decode


def camera_zones(settings: KafkaSettings) -> dict[str, CameraZones]:
    """Return the zones and lines of each camera that has some, by its id in their order. Raises KafkaProblem."""
    found: dict[str, CameraZones] = {}
    with Reader(settings, [settings.topics.zones], start="beginning") as reader:
        for record in reader.to_the_end():
            take(found, record.key, record.value)
    return dict(sorted(found.items()))


def take(found: dict[str, CameraZones], key: bytes | None, value: bytes | None) -> None:
    """Take a record of the topic into what is known of each camera; what cannot be read is passed over."""
    if not value:
        found.pop((key or b"").decode("utf-8", "replace"), None)
        return
    try:
        zones = decode(CameraZones, value)
    except SchemaError:
        return
    found[zones.camera_id] = zones


def send_zones(settings: KafkaSettings, zones: Mapping[str, CameraZones | None]) -> None:
    """Return once Kafka has them; None removes a camera's. Raises KafkaProblem."""
    topic = settings.topics.zones
    records = [Record.of(topic, one, camera_id) for camera_id, one in zones.items()]
    send_now(settings, records, "the zones")
