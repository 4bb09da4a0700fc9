"""How many workers, partitions, cores and bytes a set of cameras needs. Pure.

The constants are measured, by `benchmarks/sizing.py` on two cores of an AMD EPYC; docs/operating.md says how.
"""

import math
from dataclasses import dataclass

WORKER_CPU_S = 0.0045
"""Of a frame of 960x544 that comes alone: JPEG, Kafka and the loop (2 ms when they come in crowds)."""
WORKER_IDLE_CORES = 0.04
"""Of each worker, for polling."""
PRODUCER_DECODE_S_PER_MPIXEL = 0.0025
"""H.264 on the CPU, of each frame that the camera sends: all are decoded, also those that are not sampled."""
PRODUCER_FRAME_S = 0.0015
"""Kafka and the loop, of each sampled frame, whatever its size."""
PRODUCER_ENCODE_S_PER_MPIXEL = 0.005
"""Scaling and JPEG, of each sampled frame, by its size on Kafka."""
CAMERA_START_S = 0.4
"""CPU time until a camera's process gives its first frame."""
START_WITHIN_S = 120.0
"""What a producer may take for the start of all its cameras."""
CAMERA_PROCESS_BYTES = 110 * 1024 * 1024
"""Resident memory of a camera's process, of which some is shared with others."""
JPEG_BYTES_PER_PIXEL = 0.105
"""Of natural pictures at quality 85; noise and foliage take up to twice as much."""
ANSWER_BYTES = 1200
"""An answer with some objects."""
SPARE_PARTITIONS = 2
"""Partitions for each worker, so that one more worker finds something to do."""
MPIXEL = 1_000_000


@dataclass(frozen=True, slots=True)
class Load:
    """What is to be done."""

    cameras: int
    fps: float
    """Sampled frames a second of each camera."""
    detector_s: float
    """Of the detector for a frame, in the batches that come: rate(groundcam_detector_seconds_sum) by frames."""
    camera_fps: float = 25.0
    camera_pixels: int = 1920 * 1080
    frame_pixels: int = 960 * 540
    utilization: float = 0.7
    """How busy a detector is to be: at 1 every fluctuation becomes skipped frames."""
    replication: int = 3
    retention_s: float = 600.0
    """Of frames on Kafka."""
    jpeg_bytes: float | None = None


@dataclass(frozen=True, slots=True)
class Need:
    """What it takes."""

    frames_per_s: float
    workers: int
    busy: float
    """How busy each worker's detector will be, 0 to 1."""
    partitions: int
    worker_cores: float
    """Of all workers, without a detector on the CPU."""
    producer_cores: float
    """For what goes on, and for a start of all cameras within START_WITHIN_S."""
    producer_start_s: float
    """Until all cameras are up, on that many cores."""
    producer_bytes: float
    frames_bytes_per_s: float
    """Into Kafka, before copies."""
    kafka_disk_bytes: float
    """Of the frames, with copies; Kafka removes whole segments, so a minute's more may lie there."""
    answers_bytes_per_s: float


def need(load: Load) -> Need:
    """Return what a load takes. Raises ValueError for numbers that make no sense."""
    for name in ("cameras", "fps", "detector_s", "camera_fps", "camera_pixels", "frame_pixels"):
        if getattr(load, name) <= 0:
            raise ValueError(f"{name} must be more than 0")
    if not 0 < load.utilization <= 1:
        raise ValueError("utilization must be between 0 and 1")
    frames = load.cameras * load.fps
    workers = max(1, math.ceil(round(frames * load.detector_s / load.utilization, 9)))
    jpeg = load.jpeg_bytes if load.jpeg_bytes is not None else JPEG_BYTES_PER_PIXEL * load.frame_pixels
    frame_mpixels = min(load.frame_pixels, load.camera_pixels) / MPIXEL
    start = load.cameras * CAMERA_START_S
    decode = load.cameras * load.camera_fps * load.camera_pixels / MPIXEL * PRODUCER_DECODE_S_PER_MPIXEL
    encode = frames * (PRODUCER_FRAME_S + frame_mpixels * PRODUCER_ENCODE_S_PER_MPIXEL)
    # Those that are up go on while the others start: half of them, on the average.
    producer_cores = max(decode + encode, (decode + encode) / 2 + start / START_WITHIN_S)
    return Need(
        frames_per_s=frames,
        workers=workers,
        busy=frames * load.detector_s / workers,
        partitions=min(max(workers, load.cameras), SPARE_PARTITIONS * workers),
        worker_cores=workers * WORKER_IDLE_CORES + frames * WORKER_CPU_S * load.frame_pixels / (960 * 544),
        producer_cores=producer_cores,
        producer_start_s=start / (producer_cores - (decode + encode) / 2),
        producer_bytes=float(load.cameras * CAMERA_PROCESS_BYTES),
        frames_bytes_per_s=frames * jpeg,
        kafka_disk_bytes=frames * jpeg * load.retention_s * load.replication,
        answers_bytes_per_s=frames * ANSWER_BYTES,
    )
