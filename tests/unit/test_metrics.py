"""What metrics tell, how many series there are of a camera, and when they go away."""

from types import SimpleNamespace

from groundcam_producers.metrics import ProducerMetrics
from groundcam_runtime.metrics import Metrics
from groundcam_schemas import CameraState, GapReason
from groundcam_worker import metrics as module
from groundcam_worker.class_labels import MOST_LABELS, ClassLabels
from groundcam_worker.gpus import Nvml
from groundcam_worker.metrics import FORGET_S, OTHERS, WorkerMetrics
from groundcam_worker.snapshot import WorkerSnapshot

WORKER_SERIES, PRODUCER_SERIES = 29, 22
"""As docs/metrics.md says them."""


def page(metrics: Metrics) -> list[str]:
    return [line for line in metrics.render("")[0].decode().splitlines() if not line.startswith("#")]


def of_camera(metrics: Metrics, camera: str) -> list[str]:
    return [line for line in page(metrics) if f'camera="{camera}"' in line]


def seen(metrics: WorkerMetrics, camera: str) -> None:
    metrics.consumed(camera, 1000)
    metrics.asked(camera, "v1", ("person",))
    metrics.answered(camera, ("person",), 0.2)
    metrics.clock(camera, 0.1)
    for reason in GapReason:
        metrics.dropped(camera, reason)


def test_a_camera_that_was_silent_for_an_hour_goes_away_and_others_stay() -> None:
    now = [0.0]
    metrics = WorkerMetrics("1", lambda: now[0])
    seen(metrics, "gate")
    now[0] = FORGET_S - 1
    seen(metrics, "yard")
    assert of_camera(metrics, "gate")
    now[0] = FORGET_S + 1
    assert of_camera(metrics, "gate") == []
    assert len(of_camera(metrics, "yard")) == WORKER_SERIES
    seen(metrics, "gate")
    assert 'groundcam_frames_answered_total{camera="gate"} 1.0' in page(metrics)


def test_a_camera_has_as_many_series_as_the_documents_say() -> None:
    worker, producer = WorkerMetrics("1"), ProducerMetrics("1")
    seen(worker, "gate")
    producer.cameras(["gate"])
    producer.frame("gate", 1)
    for reason in GapReason:
        producer.dropped("gate", reason, 1)
    assert (len(of_camera(worker, "gate")), len(of_camera(producer, "gate"))) == (WORKER_SERIES, PRODUCER_SERIES)


def test_an_age_below_zero_counts_as_none_so_that_a_wrong_clock_does_not_lower_the_sum() -> None:
    metrics = WorkerMetrics("1")
    metrics.consumed("gate", 1000)
    for age_s in (-5.0, 2.0):
        metrics.answered("gate", (), age_s)
    assert 'groundcam_end_to_end_seconds_sum{camera="gate"} 2.0' in page(metrics)
    assert 'groundcam_end_to_end_seconds_count{camera="gate"} 2.0' in page(metrics)


def test_cameras_beyond_the_bound_share_a_label() -> None:
    metrics = WorkerMetrics("1")
    for number in range(module.MOST_CAMERAS + 5):
        seen(metrics, f"c{number}")
    assert of_camera(metrics, f"c{module.MOST_CAMERAS}") == []
    assert f'groundcam_frames_answered_total{{camera="{OTHERS}"}} 5.0' in page(metrics)


def test_a_camera_shows_only_the_question_that_it_is_asked_now() -> None:
    metrics = WorkerMetrics("1")
    metrics.consumed("gate", 1)
    metrics.asked("gate", "v1", ("person",))
    metrics.asked("gate", "v2", ("dog",))
    assert [line for line in page(metrics) if "question_info" in line] == [
        'groundcam_question_info{camera="gate",version="v2"} 1.0'
    ]


def objects(metrics: WorkerMetrics) -> list[str]:
    return [line.removeprefix("groundcam_objects_total") for line in page(metrics) if "objects_total{" in line]


def test_objects_count_by_class_and_each_class_begins_at_0_when_it_is_asked() -> None:
    """Or the first person at the gate would be no increase."""
    metrics = WorkerMetrics("1")
    metrics.consumed("gate", 1)
    metrics.asked("gate", "v1", ("person", "open door"))
    assert objects(metrics) == ['{camera="gate",label="person"} 0.0', '{camera="gate",label="open door"} 0.0']
    metrics.answered("gate", ("person", "person"), 0.1)
    assert objects(metrics) == ['{camera="gate",label="person"} 2.0', '{camera="gate",label="open door"} 0.0']


def test_a_class_that_nobody_asks_for_any_more_goes_away_and_what_is_asked_stays() -> None:
    now = [0.0]
    metrics = WorkerMetrics("1", lambda: now[0])
    metrics.consumed("gate", 1)
    metrics.asked("gate", "v1", ("person", "dog"))
    now[0] = 10 * FORGET_S
    metrics.consumed("gate", 1)
    metrics.asked("gate", "v2", ("dog", "cat"))
    now[0] += FORGET_S - 1
    metrics.consumed("gate", 1)
    assert len(objects(metrics)) == 3
    now[0] += 2
    assert objects(metrics) == ['{camera="gate",label="dog"} 0.0', '{camera="gate",label="cat"} 0.0']
    metrics.answered("gate", ("person",), None)  # from before the change
    assert objects(metrics)[-1] == f'{{camera="gate",label="{OTHERS}"}} 1.0'


def test_classes_beyond_the_bound_share_a_label() -> None:
    metrics = WorkerMetrics("1")
    for camera in ("gate", "yard"):
        metrics.consumed(camera, 1)
    metrics.asked("gate", "v1", [f"c{number}" for number in range(MOST_LABELS + 5)])
    metrics.asked("yard", "v2", ["c0", "new"])
    assert len(objects(metrics)) == MOST_LABELS + 1 + 2
    metrics.answered("yard", ("c0", "new", "new"), None)
    assert objects(metrics)[-2:] == ['{camera="yard",label="c0"} 1.0', f'{{camera="yard",label="{OTHERS}"}} 2.0']


def test_room_that_a_class_leaves_is_another_ones() -> None:
    labels = ClassLabels(60.0, most_labels=1)
    assert labels.asked("gate", ["person"], 0.0) == ["person"]
    assert labels.asked("yard", ["dog"], 0.0) == [OTHERS]
    labels.asked("gate", [], 1.0)
    assert labels.forgotten(62.0) == [("gate", "person")]
    assert labels.asked("yard", ["dog"], 63.0) == ["dog"]
    labels.forget_camera("yard")
    assert labels.asked("gate", ["cat"], 64.0) == ["cat"]


def test_all_series_together_are_bounded_too() -> None:
    labels = ClassLabels(60.0, most_series=3)
    assert [labels.asked(f"c{number}", ["person", "dog"], 0.0) for number in range(3)] == [
        ["person", "dog"], ["person", OTHERS], [OTHERS],
    ]  # fmt: skip


def test_a_camera_is_in_one_state_and_has_its_series_before_its_first_frame() -> None:
    metrics = ProducerMetrics("1")
    metrics.cameras(["gate"])
    assert 'groundcam_frames_published_total{camera="gate"} 0.0' in page(metrics)
    assert 'groundcam_camera_state{camera="gate",state="connecting"} 1.0' in page(metrics)
    metrics.state("gate", CameraState.REFUSED)
    ones = [line for line in page(metrics) if "camera_state{" in line and line.endswith(" 1.0")]
    assert ones == ['groundcam_camera_state{camera="gate",state="refused"} 1.0']
    assert "groundcam_cameras 1.0" in page(metrics)


def test_the_first_dead_letter_of_a_camera_is_an_increase() -> None:
    metrics = WorkerMetrics("1")
    metrics.consumed("gate", 1)
    assert 'groundcam_frames_dropped_total{camera="gate",reason="dead_lettered"} 0.0' in page(metrics)


def test_recordings_have_no_age() -> None:
    metrics = WorkerMetrics("1")
    metrics.consumed("film", 1)
    metrics.answered("film", (), None)
    assert 'groundcam_frames_answered_total{camera="film"} 1.0' in page(metrics)
    assert not [line for line in page(metrics) if "end_to_end_seconds" in line]


def test_a_file_that_was_played_to_its_end_is_neither_up_nor_down() -> None:
    metrics = ProducerMetrics("1")
    metrics.cameras(["film"])
    metrics.frame("film", 1)
    metrics.ended("film")
    assert not [line for line in of_camera(metrics, "film") if "camera_up" in line or "camera_state" in line]
    assert not [line for line in of_camera(metrics, "film") if "last_frame" in line]
    assert 'groundcam_frames_published_total{camera="film"} 0.0' in page(metrics)


def test_a_gpu_is_read_and_one_that_does_not_answer_is_left_out() -> None:
    """The driver's library stands in here: a machine with a GPU runs the same in the gpu tier."""

    class LostError(Exception):
        pass

    def handle(number: int) -> int:
        if number == 1:
            raise LostError("GPU is lost")
        return number

    library = SimpleNamespace(
        NVMLError=LostError,
        nvmlDeviceGetCount=lambda: 2,
        nvmlDeviceGetHandleByIndex=handle,
        nvmlDeviceGetMemoryInfo=lambda _handle: SimpleNamespace(used=3, total=8),
        nvmlDeviceGetUtilizationRates=lambda _handle: SimpleNamespace(gpu=50),
    )
    nvml = Nvml()
    nvml._library = library
    assert [(one.gpu, one.utilization, one.memory_used, one.memory_total) for one in nvml.read()] == [("0", 0.5, 3, 8)]
    nvml._library = None
    assert nvml.read() == []


def test_the_gpu_in_use_is_read_alone_whatever_its_number() -> None:
    """CUDA_VISIBLE_DEVICES and CUDA's own order give it another one than the driver's; a part of one has no such name."""

    class NotFoundError(Exception):
        pass

    def by_uuid(uuid: str) -> int:
        if uuid != "GPU-2":
            raise NotFoundError
        return 2

    nvml = Nvml()
    nvml._library = SimpleNamespace(
        NVMLError=NotFoundError, nvmlDeviceGetCount=lambda: 4, nvmlDeviceGetHandleByIndex=lambda number: number,
        nvmlDeviceGetHandleByUUID=by_uuid, nvmlDeviceGetIndex=lambda handle: handle,
        nvmlDeviceGetMemoryInfo=lambda handle: SimpleNamespace(used=handle, total=8),
        nvmlDeviceGetUtilizationRates=lambda _handle: SimpleNamespace(gpu=50),
    )  # fmt: skip
    assert [one.gpu for one in nvml.read()] == ["0", "1", "2", "3"]
    nvml.only("GPU-2")
    assert [(one.gpu, one.memory_used) for one in nvml.read()] == [("2", 2)]
    nvml.only("MIG-0")
    assert [one.gpu for one in nvml.read()] == ["0", "1", "2", "3"]


def test_a_part_of_a_gpu_has_memory_and_no_utilization() -> None:
    """MIG: the driver refuses to say how busy a part is, and its memory is read all the same."""

    class NotSupportedError(Exception):
        pass

    def refuses(_handle: object) -> None:
        raise NotSupportedError("Not Supported")

    nvml = Nvml()
    nvml._library = SimpleNamespace(
        NVMLError=NotSupportedError, nvmlDeviceGetCount=lambda: 1, nvmlDeviceGetHandleByIndex=lambda number: number,
        nvmlDeviceGetMemoryInfo=lambda _handle: SimpleNamespace(used=3, total=8),
        nvmlDeviceGetUtilizationRates=refuses, nvmlSystemGetDriverVersion=lambda: "535.1",
    )  # fmt: skip
    assert nvml.driver() == "535.1"
    (reading,) = nvml.read()
    assert (reading.utilization, reading.memory_used) == (None, 3)
    metrics = WorkerMetrics("1")
    metrics.watch(WorkerSnapshot, nvml.read)
    assert 'groundcam_gpu_memory_used_bytes{gpu="0"} 3.0' in page(metrics)
    assert not [line for line in page(metrics) if "gpu_utilization" in line]
