"""Videos over HTTP: every frame answered, progress, results, and what becomes of those that fail or are ended."""

import json
from typing import Any

import pytest

from conftest import Start, Wait
from footage import jpeg, video
from groundcam.audit import audit, totals
from groundcam_runtime.kafka.reader import Reader
from groundcam_runtime.settings import KafkaSettings
from serve_client import Answer, Client, serve

pytestmark = pytest.mark.broker

FILM = video("bikes.mp4").read_bytes()
"""250 frames in ten seconds."""


@pytest.fixture
def client(start: Start, wait: Wait, kafka: KafkaSettings) -> Client:
    start(kafka, "work", "--model", "fake", "--group", kafka.topic_prefix)
    _, found = serve(start, kafka)
    wait(lambda: found.is_ready and found.detect(jpeg(), "person").status == 200, 60, "an answer")
    return found


def send(client: Client, data: bytes, query: str = "question=person") -> Answer:
    return client.ask("POST", f"/v1/jobs?{query}", data, Content_Type="video/mp4")


def through(client: Client, wait: Wait, job: str) -> dict[str, Any]:
    """The job's status once it is through."""
    last: dict[str, Any] = {}

    def is_through() -> bool:
        last.update(client.get(f"/v1/jobs/{job}").json)
        return last["state"] in {"done", "failed"}

    wait(is_through, 90, "the job's end")
    return last


def told(kafka: KafkaSettings, topic: str, job: str) -> list[bool]:
    """Of each record about a job as if it were a camera, whether there is something in it."""
    with Reader(kafka, [topic], start="beginning") as reader:
        return [bool(one.value) for one in reader.to_the_end() if one.key == f"job-{job}".encode()]


def nothing_is_left(kafka: KafkaSettings, job: str) -> bool:
    return not any(told(kafka, topic, job)[-1:] == [True] for topic in (kafka.topics.prompts, kafka.topics.cameras))


def test_every_frame_of_a_film_is_answered_once_and_fetched_as_json_lines(
    client: Client, wait: Wait, kafka: KafkaSettings
) -> None:
    begun = send(client, FILM, "question=person,+bicycle&box_threshold=0.2")
    assert begun.status == 202, begun.body
    job = begun.json["id"]
    assert begun.headers["location"] == f"/v1/jobs/{job}"
    status = through(client, wait, job)
    assert (status["state"], status["frames"], status["answered"], status["progress"]) == ("done", 250, 250, 1.0), (
        status
    )
    lines = [json.loads(line) for line in client.get(status["results"]).body.splitlines()]
    assert sorted(line["frame"]["seq"] for line in lines) == list(range(250))
    assert {tuple(line["question"]["classes"]) for line in lines} == {("person", "bicycle")}
    assert {(line["source_width"], line["source_height"]) for line in lines} == {(640, 272)}
    assert len(client.get(f"{status['results']}?from=240").body.splitlines()) == 10
    assert client.get(f"/v1/questions/job-{job}").status == 403, "it is no camera, for anybody"
    assert told(kafka, kafka.topics.cameras, job)[0], "its producer has told of it"
    wait(lambda: nothing_is_left(kafka, job), 10, "its question and its state taken back")
    assert [one["id"] for one in client.get("/v1/jobs").json["jobs"]] == [job]
    assert totals(audit(kafka)).missing == 0
    assert client.ask("DELETE", f"/v1/jobs/{job}").status == 204
    assert client.get(f"/v1/jobs/{job}").status == 404


def test_some_frames_of_each_second_are_enough(client: Client, wait: Wait) -> None:
    status = through(client, wait, send(client, FILM, "question=person&fps=2").json["id"])
    assert (status["state"], status["frames"]) == ("done", 20)


def test_what_is_no_film_or_no_question_is_told_with_why(client: Client, wait: Wait) -> None:
    cases = [("", FILM, "question"), ("question=a&fps=0", FILM, "fps"), ("question=a", b"", "empty")]
    for query, data, says in cases:
        answer = send(client, data, query)
        assert (answer.status, says in answer.json["detail"]) == (422, True), answer.body
    for data in (b"no film at all", FILM[:3000]):
        status = through(client, wait, send(client, data).json["id"])
        assert status["state"] == "failed"
        assert status["reason"], status


def test_a_job_that_is_ended_leaves_nothing_behind(client: Client, wait: Wait, kafka: KafkaSettings) -> None:
    job = send(client, FILM).json["id"]
    assert client.ask("DELETE", f"/v1/jobs/{job}").status == 204
    assert client.get(f"/v1/jobs/{job}/results").status == 404
    wait(lambda: told(kafka, kafka.topics.prompts, job)[-1:] == [False], 20, "its question taken back")
    assert nothing_is_left(kafka, job)
