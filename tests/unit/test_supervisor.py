"""What follows from the ends and the pauses of cameras' processes, and what their last words are."""

import time
from types import SimpleNamespace
from typing import Any

import pytest

from groundcam_producers.changes import Changes
from groundcam_producers.child import START_S, Child
from groundcam_producers.endings import INCOMPLETE, UNUSABLE, Ending, ending
from groundcam_producers.metrics import ProducerMetrics
from groundcam_producers.readiness import none_plays
from groundcam_producers.roster import Order
from groundcam_producers.settings import ProduceSettings
from groundcam_producers.supervisor import Supervisor
from groundcam_producers.task import CameraTask
from groundcam_runtime.kafka.record import Record
from groundcam_runtime.settings import KafkaSettings, LogSettings, TraceSettings
from groundcam_schemas import CameraState, CameraStatus, decode

LIVE, FILE = "rtsp://h/x", "/a.mp4"


def task(url: str, **settings: Any) -> CameraTask:
    produce = ProduceSettings.model_validate({"cameras": {"gate": {"url": url, **settings}}})
    return CameraTask(
        "gate", produce.cameras["gate"], produce, KafkaSettings(), LogSettings(), TraceSettings(), "0", "frames", 0,
        10**6, None, producer="us",
    )  # fmt: skip


class Statuses:
    """What the supervisor publishes itself."""

    def __init__(self) -> None:
        self.sent: list[Record] = []

    def send(self, record: Record, *, urgent: bool) -> None:
        assert urgent
        self.sent.append(record)

    def poll(self) -> list[Any]:
        return []


def supervisor(one: CameraTask, *, is_job: bool = False) -> Supervisor:
    made = Supervisor({"gate": one}, ProducerMetrics("0"), Statuses(), 40.0, is_job=is_job)  # type: ignore[arg-type]
    made._waiting.clear()
    return made


def child(one: CameraTask, code: int | None, seen_at: float | None = None) -> Child:
    process: Any = SimpleNamespace(exitcode=code, pid=1, killed=False)
    process.kill = lambda: setattr(process, "killed", True)
    now = time.monotonic()
    return Child(one, process, None, now, now if seen_at is None else seen_at, lives=True)


def ended(one: CameraTask, code: int, made: Supervisor | None = None) -> Supervisor:
    made = made or supervisor(one)
    made._children["gate"] = child(one, code)
    made._ended("gate", made._children["gate"], time.monotonic())
    return made


@pytest.mark.parametrize(
    ("code", "is_live", "loops", "follows"),
    [
        (0, True, False, Ending.AGAIN), (INCOMPLETE, True, False, Ending.AGAIN), (1, True, False, Ending.AGAIN),
        (-9, True, False, Ending.AGAIN), (0, False, False, Ending.PLAYED), (0, False, True, Ending.AGAIN_AT_ONCE),
        (INCOMPLETE, False, False, Ending.GIVEN_UP), (INCOMPLETE, False, True, Ending.AGAIN),
        (UNUSABLE, False, False, Ending.GIVEN_UP), (1, False, False, Ending.AGAIN), (None, False, True, Ending.AGAIN),
    ],
)  # fmt: skip
def test_a_live_camera_has_no_end_and_a_file_one(code: int | None, is_live: bool, loops: bool, follows: Ending) -> None:
    assert ending(code, is_live=is_live, loops=loops) is follows


def test_a_live_camera_whose_process_left_something_unsent_starts_again() -> None:
    made = ended(task(LIVE), INCOMPLETE)
    assert list(made._restart_at) == ["gate"]


def test_a_file_that_shall_loop_since_its_process_was_ending_is_played_again() -> None:
    before, after = task(FILE), task(FILE, loop=True)
    made = supervisor(before)
    made._children["gate"] = child(before, 0)
    made._obey(Order(Changes(retuned=("gate",)), {"gate": after}, is_job=False), time.monotonic())
    made._ended("gate", made._children["gate"], time.monotonic())
    assert list(made._waiting) == ["gate"]


def test_a_file_that_had_ended_counts_like_any_camera_once_it_is_opened_again(monkeypatch: pytest.MonkeyPatch) -> None:
    made = ended(task(FILE), 0)
    assert made.ended == {"gate"}
    begun = SimpleNamespace(sentinel=0, pid=1)
    monkeypatch.setattr(made._fork_server, "start", lambda *_: begun)
    monkeypatch.setattr(made, "_selector", SimpleNamespace(register=lambda *_: None))
    made._start("gate")
    made._now_is("gate", CameraState.REFUSED)
    assert made.ended == set()
    assert none_plays(made.states, made.ended, is_job=False)


def test_a_job_whose_file_was_played_whole_in_the_end_has_not_failed() -> None:
    one = task(FILE)
    made = ended(one, 1, supervisor(one, is_job=True))
    assert made.failed == {"gate"}
    assert ended(one, 0, made).failed == set()


def test_a_pause_of_everything_ends_no_process_and_a_process_that_hangs_is_ended() -> None:
    """As of a container that is frozen: the children were silent because they slept, too."""
    one, now = task(LIVE), time.monotonic()
    made = supervisor(one)
    made._children["gate"] = paused = child(one, None, seen_at=now - 61)
    made.ticked_at = now - 60
    made._turn()
    assert not paused.process.killed  # type: ignore[attr-defined]
    made._children["gate"] = hung = child(one, None, seen_at=now - 61)
    made._looked_at = 0.0
    made._turn()
    assert hung.process.killed  # type: ignore[attr-defined]


def test_until_its_first_sign_of_life_a_process_has_longer() -> None:
    one = child(task(LIVE), None)
    assert one.longest_silence_s(40.0) == 40.0
    one.lives = False
    assert one.longest_silence_s(40.0) == START_S + KafkaSettings().connect_timeout_s


def test_a_camera_that_is_removed_says_goodbye_before_its_state_is_taken_back() -> None:
    """Else the state with an error that it had last would be defended against whoever plays it next."""
    one = task(LIVE)
    made = supervisor(one)
    made._obey(Order(Changes(removed=("gate",)), {}, is_job=False), time.monotonic())
    goodbye, gone = made._statuses.sent  # type: ignore[attr-defined]
    status = decode(CameraStatus, goodbye.value)
    assert (status.state, status.last_error, status.producer) == (CameraState.OFFLINE, None, "us")
    assert (gone.key, gone.value) == ("gate", None)


def test_an_address_of_any_length_has_a_state() -> None:
    made = ended(task(f"rtsp://h/{'x' * 3000}"), 1)
    status = decode(CameraStatus, made._statuses.sent[0].value)  # type: ignore[attr-defined]
    assert status.last_error == "ExitCode1"
    assert len(status.url) == 1024
