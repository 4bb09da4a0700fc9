"""What a camera's own settings do, and what the log says of its size."""

from typing import Any

import pytest

from groundcam_producers import announcements
from groundcam_producers.settings import CameraSettings, ProduceSettings
from groundcam_producers.task import CameraTask
from groundcam_runtime.settings import KafkaSettings, LogSettings, TraceSettings


def task(camera: dict[str, Any] | None = None, partition: int | None = 2, **section: Any) -> CameraTask:
    one = CameraSettings.model_validate({"url": "film.mp4", **(camera or {})})
    return CameraTask(
        "gate", one, ProduceSettings.model_validate(section), KafkaSettings(), LogSettings(), TraceSettings(), "0",
        "groundcam.frames", partition, 6000 - 512, None,
    )  # fmt: skip


def test_a_camera_that_comes_online_says_what_it_gives_and_what_is_published_where() -> None:
    assert announcements.online(task(), task().tuning, (1920, 1080), 25.0) == (
        "online: it gives 1920x1080 at 25 fps; 960x540 at 5 fps goes to groundcam.frames, partition 2"
    )
    assert announcements.online(
        task(partition=None, every_frame=True), task(partition=None, every_frame=True).tuning, (640, 480), None
    ) == ("online: it gives 640x480; 640x480 at every frame goes to groundcam.frames, the partition of its key")


def test_a_frame_that_is_too_large_names_each_setting_that_helps_with_its_value() -> None:
    told = announcements.too_large(task({"max_size": "800x600"}, quality=90), (800, 450))
    assert "a frame of 800x450 is larger than groundcam.frames takes" in told
    assert "produce.max_size (800x600) or produce.quality (90)" in told
    assert "max.message.bytes (6000 " in told


@pytest.mark.parametrize(
    ("camera", "section", "expected"),
    [
        ({}, {}, (5.0, (960, 544), False)),
        ({"fps": 2, "max_size": "320x240", "loop": True}, {}, (2.0, (320, 240), True)),
        ({"fps": 2, "loop": False}, {"fps": 9, "loop": True}, (2.0, (960, 544), False)),
        ({"fps": 2}, {"every_frame": True}, (2.0, (960, 544), False)),
        ({}, {"every_frame": True}, (None, (960, 544), False)),
        ({"max_size": None}, {"max_size": "320x240"}, (5.0, None, False)),
        ({"max_size": "320x240"}, {"max_size": None}, (5.0, (320, 240), False)),
    ],
)
def test_what_is_set_of_a_camera_beats_what_is_set_of_all(
    camera: dict[str, Any], section: dict[str, Any], expected: tuple[object, ...]
) -> None:
    one = task(camera, **section)
    assert (one.tuning.fps, one.tuning.max_size, one.tuning.loops) == expected
