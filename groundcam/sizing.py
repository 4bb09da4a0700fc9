"""How many workers, partitions, cores and bytes a set of cameras needs, and the HTTP service. Pure.

The constants are measured, by `benchmarks/sizing.py` on two cores of an AMD EPYC; docs/operating.md says how. Those of
the HTTP service (SERVE_...) are not, nor are those of trackers (sizing_events.py): they are estimates on the safe side.
"""

import math
from dataclasses import dataclass

from groundcam.sizing_events import EventsNeed, events_need

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
SERVE_PICTURE_S = 0.010
"""Of one core, of a picture over HTTP. Not measured, and meant to be too much: it assumes one picture to a request,
as it is or in a form, of at most some megabytes, without TLS and without boxes drawn in. All that a worker does for a
frame besides the detector, with a JPEG to decode, which the service does not, takes WORKER_CPU_S: this is double."""
SERVE_REPLY_S = 0.0002
"""Of one core, of each reply: every replica reads those of all, and puts the others' aside. Not measured either."""
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
    requests_per_s: float = 0.0
    """Pictures a second over HTTP, besides the cameras'."""
    request_pixels: int = 1920 * 1080
    """Of such a picture, which goes over Kafka as it is."""
    objects_per_camera: float = 5.0
    """That are followed at a time; 0 where nobody follows any."""


@dataclass(frozen=True, slots=True)
class Need:
    """What it takes."""

    frames_per_s: float
    workers: int
    busy: float
    """How busy each worker's detector will be, 0 to 1."""
    camera_share: float
    """How busy one camera alone keeps a detector: its frames lie on one partition, and one worker reads that."""
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
    """Of frames and requests, with copies; Kafka removes whole segments, so a minute's more may lie there."""
    answers_bytes_per_s: float
    requests_bytes_per_s: float
    """Into Kafka, before copies; they lie there as long as frames, and kafka_disk_bytes has them."""
    serve_replicas: int
    """Of the HTTP service, each on a core of its own; 0 where nobody asks."""
    request_share: float
    """Of the detectors' work, that requests make."""
    events: EventsNeed
    """Of trackers."""


def need(load: Load) -> Need:
    """Return what a load takes. Raises ValueError for numbers that make no sense."""
    _require_sense(load)
    # A producer neither invents frames nor enlarges them.
    frames, requests = load.cameras * min(load.fps, load.camera_fps), load.requests_per_s
    frame_pixels = min(load.frame_pixels, load.camera_pixels)
    detector_s = (frames + requests) * load.detector_s
    workers = max(1, math.ceil(round(detector_s / load.utilization, 9)))
    if not requests:
        workers = min(workers, load.cameras)  # more of them would have no camera
    jpeg = load.jpeg_bytes if load.jpeg_bytes is not None else JPEG_BYTES_PER_PIXEL * frame_pixels
    start = load.cameras * CAMERA_START_S
    decode = load.cameras * load.camera_fps * load.camera_pixels / MPIXEL * PRODUCER_DECODE_S_PER_MPIXEL
    encode = frames * (PRODUCER_FRAME_S + frame_pixels / MPIXEL * PRODUCER_ENCODE_S_PER_MPIXEL)
    request_bytes = requests * JPEG_BYTES_PER_PIXEL * load.request_pixels
    worker_pixels = frames * frame_pixels + requests * load.request_pixels
    # A camera's frames lie on one partition, requests on all of them in turn.
    partitions = SPARE_PARTITIONS * workers
    if not requests:
        partitions = min(max(workers, load.cameras), partitions)
    events = events_need(load.cameras, frames, load.objects_per_camera, load.utilization, load.replication)
    # Trackers share cameras by partitions, too.
    partitions = max(partitions, events.trackers)
    # Those that are up go on while the others start: half of them, on the average.
    producer_cores = max(decode + encode, (decode + encode) / 2 + start / START_WITHIN_S)
    return Need(
        frames_per_s=frames,
        workers=workers,
        busy=detector_s / workers,
        camera_share=frames / load.cameras * load.detector_s if load.cameras else 0.0,
        partitions=partitions,
        worker_cores=workers * WORKER_IDLE_CORES + WORKER_CPU_S * worker_pixels / (960 * 544),
        producer_cores=producer_cores,
        producer_start_s=start / (producer_cores - (decode + encode) / 2) if load.cameras else 0.0,
        producer_bytes=float(load.cameras * CAMERA_PROCESS_BYTES),
        frames_bytes_per_s=frames * jpeg,
        kafka_disk_bytes=(frames * jpeg + request_bytes) * load.retention_s * load.replication,
        answers_bytes_per_s=(frames + requests) * ANSWER_BYTES,
        requests_bytes_per_s=request_bytes,
        serve_replicas=_replicas(requests, load.utilization),
        request_share=requests / (frames + requests),
        events=events,
    )


def _require_sense(load: Load) -> None:
    for name in ("fps", "detector_s", "camera_fps", "camera_pixels", "frame_pixels", "request_pixels"):
        if getattr(load, name) <= 0:
            raise ValueError(f"{name} must be more than 0")
    for name in ("requests_per_s", "objects_per_camera"):
        if getattr(load, name) < 0:
            raise ValueError(f"{name} must not be less than 0")
    if load.cameras < 0 or (load.cameras == 0 and not load.requests_per_s):
        raise ValueError("cameras must be more than 0, or 0 with requests_per_s")
    if not 0 < load.utilization <= 1:
        raise ValueError("utilization must be between 0 and 1")


def _replicas(requests_per_s: float, utilization: float) -> int:
    """Return how many replicas of the HTTP service a load takes. Raises ValueError where no number is enough."""
    # Of each replica's core: its own pictures, and the replies of all.
    left = utilization - requests_per_s * SERVE_REPLY_S
    if left <= 0:
        most = utilization / SERVE_REPLY_S
        raise ValueError(
            f"requests_per_s is {requests_per_s:g}, and above {most:.0f} replicas would only read each other's replies:"
            " make several services, each with a kafka.topic_prefix and workers of its own"
        )
    return math.ceil(round(requests_per_s * SERVE_PICTURE_S / left, 9))
