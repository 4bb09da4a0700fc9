"""Ask over Kafka, and hear what becomes of it."""

import time
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Self

from groundcam.asking import brief
from groundcam_runtime.kafka.camera_statuses import camera_statuses
from groundcam_runtime.kafka.errors import KafkaProblem
from groundcam_runtime.kafka.reader import Reader
from groundcam_runtime.kafka.record import Record
from groundcam_runtime.kafka.send_now import send_now
from groundcam_runtime.kafka.topics import TopicAdmin
from groundcam_runtime.kafka.worker_statuses import is_alive, take, worker_statuses
from groundcam_runtime.settings import KafkaSettings
from groundcam_runtime.verdicts import Outcome, outcome, verdict_on
from groundcam_schemas import (
    CameraQuestion,
    Detections,
    SchemaError,
    WorkerStatus,
    decode,
    decode_answer,
)
from groundcam_schemas.questions import EVERY_CAMERA

POLL_S = 0.1


@dataclass(frozen=True, slots=True)
class Said:
    """What is said of a question in the end."""

    text: str
    is_refused: bool = False


class Asking:
    """One question, or the taking back of one; a context manager. Raises KafkaProblem."""

    def __init__(self, kafka: KafkaSettings, camera_id: str, message: CameraQuestion | None) -> None:
        self._kafka, self._camera_id, self._message = kafka, camera_id, message
        self._topic = kafka.topics.prompts
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        """Begin to listen, so that nothing is missed that comes once the question is there."""
        admin = TopicAdmin(self._kafka)
        try:
            admin.require([self._topic])
        finally:
            admin.close()
        self._before = prompts(self._kafka).get(self._camera_id)
        self._workers = {one.worker_id: one for one in _workers(self._kafka)}
        self._verdicts = {
            name: verdict.at_ns for name, one in self._workers.items() if (verdict := verdict_on(one, self._camera_id))
        }
        topics = [self._kafka.topics.detections, *([self._kafka.topics.workers] if self._workers else [])]
        self._reader = self._stack.enter_context(Reader(self._kafka, topics, start="end"))
        return self

    def __exit__(self, *_exception: object) -> None:
        self._stack.close()

    def send(self) -> None:
        """Return once Kafka has the question. Raises RefusedError, UnreachableError."""
        self._put(self._message)
        self._sent_at = time.monotonic()

    def wait(self, seconds: float) -> Said:
        """Wait for every worker's verdict and for the first answer; where all refuse, let the one before hold again."""
        assert self._message is not None  # noqa: S101 - for the type checker
        version, deadline = self._message.version, self._sent_at + seconds
        while True:
            found = outcome(self._workers.values(), self._camera_id, version, self._verdicts, time.time_ns())
            if found.refuses and found.is_known and not found.takes:
                self._put(self._before)
                return Said(f"refused, and the question before holds: {found.refuses[0][1]}", is_refused=True)
            if time.monotonic() >= deadline:
                return self._late(found, seconds)
            for record in self._reader.poll(POLL_S):
                if record.partition.topic == self._kafka.topics.workers:
                    take(self._workers, record.key, record.value)
                elif self._answers(record.value or b"", version):
                    return Said(f"asked; first answer after {time.monotonic() - self._sent_at:.1f} s")

    def _answers(self, value: bytes, version: str) -> bool:
        try:
            answer = decode_answer(value)
        except SchemaError:
            return False
        is_asked = self._camera_id in {EVERY_CAMERA, getattr(answer, "camera_id", None)}
        return isinstance(answer, Detections) and is_asked and answer.question.version == version

    def _late(self, found: Outcome, seconds: float) -> Said:
        """Return why there is no answer, as far as that can be seen."""
        alive = [one for one in self._workers.values() if is_alive(one, time.time_ns())]
        if not alive:
            return Said("asked; no worker tells of itself: it holds from when one comes")
        if found.refuses:
            return Said(f"asked; {len(found.refuses)} of {len(alive)} workers refuse it: {found.refuses[0][1]}")
        busy = [one for one in found.silent if one.state.value != "ready"]
        if busy:
            return Said(f"asked; the worker {busy[0].worker_id} is {busy[0].state.value.replace('_', ' ')}")
        if found.silent:
            return Said(f"asked; {len(found.silent)} of {len(alive)} workers have not said whether they take it")
        states = {one.camera_id: one.state.value for one in camera_statuses(self._kafka)}
        camera = f": the camera is {states.get(self._camera_id, 'unknown')}" if self._camera_id != EVERY_CAMERA else ""
        takers = "one worker" if len(found.takes) == 1 else f"{len(found.takes)} workers"
        return Said(f"asked; taken by {takers}, and not answered in {seconds:g} s{camera}")

    def _put(self, message: CameraQuestion | None) -> None:
        """Raises RefusedError, UnreachableError."""
        send_now(self._kafka, [Record.of(self._topic, message, self._camera_id)], "the question")


def prompts(kafka: KafkaSettings) -> dict[str, CameraQuestion]:
    """Return the questions on the prompts topic, by camera or `*`. Raises KafkaProblem."""
    found: dict[str, CameraQuestion] = {}
    with Reader(kafka, [kafka.topics.prompts], start="beginning") as reader:
        for record in reader.to_the_end():
            key = (record.key or b"").decode("utf-8", "replace")
            try:
                if record.value:
                    found[key] = decode(CameraQuestion, record.value)
                else:
                    found.pop(key, None)
            except SchemaError:
                continue
    return found


def listed(kafka: KafkaSettings) -> list[dict[str, Any]]:
    """Return each question that was asked over Kafka, with who and since when, and what each worker says of it."""
    workers = [one for one in _workers(kafka) if is_alive(one, time.time_ns())]
    return [
        {
            "camera": camera_id,
            "question": brief(question),
            "version": question.version,
            "by": question.set_by,
            "since": datetime.fromtimestamp(question.set_at_ns / 1e9, UTC).isoformat(timespec="seconds"),
            "workers": [{"worker": one.worker_id, "says": _says(one, camera_id, question)} for one in workers],
        }
        for camera_id, question in sorted(prompts(kafka).items())
    ]


def _says(worker: WorkerStatus, camera_id: str, question: CameraQuestion) -> str:
    verdict = verdict_on(worker, camera_id)
    state = worker.state.value.replace("_", " ")
    model = f"{worker.model.name} on {worker.device} in {worker.precision}" if worker.model else worker.asked_for
    if verdict is None or verdict.version not in {question.version, ""}:
        return f"{model}, {state}: has not said"
    return f"{model}, {state}: {'asks it' if verdict.refused is None else f'refuses it: {verdict.refused}'}"


def _workers(kafka: KafkaSettings) -> list[WorkerStatus]:
    """Return what is known; nothing where the topic is not there, or not ours to read."""
    try:
        return worker_statuses(kafka)
    except KafkaProblem:
        return []
