"""`groundcam ask`, with workers that answer, refuse, or are not there."""

import json

import pytest

from conftest import Start, Wait
from footage import preload, video
from groundcam_runtime.kafka.worker_statuses import worker_statuses
from groundcam_runtime.settings import KafkaSettings
from groundcam_schemas import WorkerState

pytestmark = pytest.mark.broker


def asked(start: Start, kafka: KafkaSettings, *arguments: str) -> tuple[int, str]:
    program = start(kafka, "ask", *arguments)
    code = program.process.wait(60)
    return code, program.out + program.log


def test_a_question_is_answered_or_refused_and_says_so(kafka: KafkaSettings, start: Start, wait: Wait) -> None:
    """The model refuses a word that it cannot read: then the question before holds, on Kafka too."""
    worker = start(kafka, "work", "--model", "demo", "--question", "red circle", "--group", kafka.topic_prefix)
    start(kafka, "produce", "--camera", f"gate={video('carphone_pristine.mp4')}", "--loop", "--fps", "2")
    wait(lambda: [one.state for one in worker_statuses(kafka)] == [WorkerState.READY], 120, "a worker that is ready")
    code, said = asked(start, kafka, "gate=blue square", "--not", "green triangle", "--wait-s", "60")
    assert (code, "gate: asked; first answer after" in said) == (0, True), said
    code, said = asked(start, kafka, "gate=xylophone", "--wait-s", "60")
    assert code == 1
    assert (
        "gate: refused, and the question before holds: the class 'xylophone' is not in the model's vocabulary" in said
    )
    code, said = asked(start, kafka, "gaet=blue square")
    assert (code, "there is no camera gaet; did you mean gate?" in said) == (2, True), said
    code, said = asked(start, kafka, "--list", "--json")
    (row,) = json.loads(said[: said.rindex("]") + 1])
    assert (row["camera"], row["question"]) == ("gate", "blue square, not green triangle")
    assert [one["says"] for one in row["workers"]] == ["demo on cpu in fp32, ready: asks it"]
    assert worker.stop() == 0
    assert worker_statuses(kafka) == []


def test_without_workers_a_question_holds_from_when_one_comes(kafka: KafkaSettings, start: Start) -> None:
    preload(kafka, cameras=1, frames=1)
    code, said = asked(start, kafka, "cam0=person", "--force", "--wait-s", "0.5")
    assert (code, "cam0: asked; no worker tells of itself: it holds from when one comes" in said) == (0, True), said
    code, said = asked(start, kafka, "--list")
    assert "cam0: person" in said
    assert asked(start, kafka, "--take-back", "cam0")[0] == 0
    assert "nothing was asked over Kafka" in asked(start, kafka, "--list")[1]
