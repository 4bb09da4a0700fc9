"""What the log says of a camera when it comes online, and when Kafka takes no frame of its size. Pure."""

from groundcam_producers.scaling import fit
from groundcam_producers.settings import Tuning
from groundcam_producers.task import BATCH_OVERHEAD_BYTES, CameraTask


def online(task: CameraTask, tuning: Tuning, size: tuple[int, int], fps: float | None) -> str:
    """Say what a source gives and what of it is published; `fps` is what the source says of itself, if it does."""
    given = f"{_size(size)}{f' at {fps:.4g} fps' if fps else ''}"
    kept = "every frame" if tuning.fps is None else f"{tuning.fps:g} fps"
    return f"online: it gives {given}; {_size(fit(size, tuning.max_size))} at {kept} goes to {_where(task)}"


def too_large(task: CameraTask, size: tuple[int, int] | None = None) -> str:
    """Say that frames are dropped, and which settings help; `size` is that of the published picture, if it is known."""
    limit = task.max_record_bytes + BATCH_OVERHEAD_BYTES
    which = f"a frame of {_size(size)}" if size else "a frame"
    largest = _size(task.tuning.max_size) if task.tuning.max_size else "none"
    return (
        f"{which} is larger than {task.topic} takes and is dropped, as others may be (groundcam_frames_dropped_total):"
        f" lower produce.max_size ({largest}) or produce.quality ({task.produce.quality}),"
        f" or raise the topic's max.message.bytes ({limit} when this producer began)"
    )


def _size(size: tuple[int, int]) -> str:
    return f"{size[0]}x{size[1]}"


def _where(task: CameraTask) -> str:
    return f"{task.topic}, " + ("the partition of its key" if task.partition is None else f"partition {task.partition}")
