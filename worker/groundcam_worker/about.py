"""What people may want to know of a worker and its detector. Nothing here may be secret."""

from typing import Any

from groundcam_runtime.settings import KafkaSettings
from groundcam_worker.detectors.protocol import Detector
from groundcam_worker.settings import WorkSettings


def about_worker(settings: WorkSettings, kafka: KafkaSettings, version: str) -> dict[str, Any]:
    """Return what people may want to know of this worker."""
    return {
        "version": version,
        "model": settings.model,
        "device": settings.device,
        "kafka": kafka.bootstrap_servers,
        "topics": kafka.topic_prefix + "*",
        "group": settings.group,
        "instance_id": settings.instance_id,
        "batch_size": settings.batch_size,
        "max_age_s": settings.max_age_s,
        "transactional": settings.transactional,
    }


def about_detector(detector: Detector) -> dict[str, str]:
    """Return who answers, and on what."""
    return {
        "model": detector.model.name,
        "revision": detector.model.revision,
        "device": detector.device,
        "device_name": detector.device_name,
        "precision": detector.precision,
    }
