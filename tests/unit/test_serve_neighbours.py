"""What one caller of the HTTP service does is nobody else's business, and holds nobody up."""

import asyncio
import hashlib
import json
import socket
import threading
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from asgi_service import QUESTION, Service
from groundcam_runtime.events.filter import EventFilter
from groundcam_runtime.records import Partition
from groundcam_schemas import CameraQuestion, CameraState, CameraStatus, Question, Topics
from groundcam_schemas.identity import is_errand
from groundcam_serve import fetching
from groundcam_serve.api import questions
from groundcam_serve.api.moments import ns_of
from groundcam_serve.fetching import fetch
from groundcam_serve.following.stream import EventStream, positions_of
from groundcam_serve.jobs import runner as jobs
from groundcam_serve.jobs.runner import JobRunner
from groundcam_serve.jobs.store import Job, JobState
from groundcam_serve.problems import Problem
from groundcam_serve.settings import ServeSettings
from serve_client import form
from walks import answer

JOB = "job-0123456789abcdef"


def keys(folder: Path, **scopes: list[str]) -> Path:
    path = folder / "keys.yaml"
    some = [
        {"name": name, "sha256": hashlib.sha256(name.encode()).hexdigest(), "scopes": those}
        for name, those in scopes.items()
    ]
    path.write_text(json.dumps({"keys": some}))
    return path


def test_a_film_of_somebodys_is_no_camera_that_others_see_or_ask(tmp_path: Path) -> None:
    service = Service(keys_file=keys(tmp_path, bob=["read", "cameras", "ask"]))
    boards: Any = service.door.boards
    boards.questions |= {JOB: CameraQuestion(camera_id=JOB, classes=QUESTION.classes, set_by="alice")}
    boards.cameras |= {JOB: CameraStatus(camera_id=JOB, state=CameraState.ONLINE, since_ns=1, url="film")}
    for path in ("/v1/cameras", "/v1/questions", "/v1/health", "/v1/objects"):
        found = service.get(path, x_api_key="bob")
        assert found.status == 200, found.body
        assert JOB not in found.body.decode(), path
    for path in (f"/v1/questions/{JOB}", f"/v1/cameras/{JOB}/latest.jpg", f"/v1/cameras/{JOB}/zones"):
        assert service.get(path, x_api_key="bob").status == 403, path
    asked = service.send("PUT", f"/v1/questions/{JOB}?force=true", {"question": "cat"}, x_api_key="bob")
    assert asked.status == 403
    told = EventStream(None, None)
    assert told._is_of_interest(answer(0, 0.0, []))
    assert not told._is_of_interest(answer(0, 0.0, [], camera_id=JOB))
    assert [is_errand(name) for name in (JOB, "job-gate", "job-0123456789abcdeg", f"{JOB}0")] == [
        True,
        False,
        False,
        False,
    ]


def test_who_waits_for_a_verdict_on_one_camera_holds_up_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    service = Service(open=True)
    waiting, sent = asyncio.Event(), []

    async def verdict(_door: Any, camera: str, *_: Any) -> Any:
        if camera == "gate":
            waiting.set()
            await asyncio.Event().wait()
        return SimpleNamespace(refuses=[], takes=[], is_known=True)

    async def send(_door: Any, camera: str, _message: Any) -> None:
        sent.append(camera)

    monkeypatch.setattr(questions, "_verdict", verdict)
    monkeypatch.setattr(questions, "_send", send)

    async def put(camera: str) -> Any:
        body = json.dumps({"question": "cat"}).encode()
        return await service.asked("PUT", f"/v1/questions/{camera}", body, content_type="application/json")

    async def both() -> None:
        slow = asyncio.create_task(put("gate"))
        await waiting.wait()
        other = asyncio.create_task(put("gate"))
        assert (await asyncio.wait_for(put("yard"), 10)).status == 200
        assert sent == ["gate", "yard"], "of one camera one question is set after the other"
        slow.cancel()
        other.cancel()
        await asyncio.gather(slow, other, return_exceptions=True)

    asyncio.run(both())


def test_a_host_that_sends_a_byte_now_and_then_occupies_no_thread_after_the_deadline(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ours, theirs = socket.socketpair()
    ended = threading.Event()

    def drip(_host: str, _target: str, _most: int, connected: list[socket.socket]) -> bytes:
        connected.append(ours)
        data = b""
        while chunk := ours.recv(1):
            data += chunk
        ended.set()
        return data

    monkeypatch.setattr(fetching, "_get", drip)
    monkeypatch.setattr(fetching, "TIMEOUT_S", 0.1)
    theirs.sendall(b"12")
    with pytest.raises(Problem, match="TimeoutError"):
        asyncio.run(fetch("https://pictures.example/a.jpg", 0, ("pictures.example",), 100))
    assert ended.wait(20), "the thread still reads"
    ours.close()
    theirs.close()


@pytest.mark.parametrize(
    "address", ["64:ff9b::a9fe:a9fe", "64:ff9b:1::1", "2002:7f00:1::", "::7f00:1", "fec0::1", "fd00::1", "::1"]
)
def test_an_address_that_holds_one_of_another_network_is_not_public(address: str) -> None:
    assert not fetching._is_public(address)
    assert fetching._is_public("2606:4700:4700::1111")


class Decoded:
    """A producer that has put so many frames on Kafka."""

    def wait(self) -> tuple[int | None, str]:
        return 300, ""

    def stop(self) -> None:
        """There is nothing to stop."""


@pytest.mark.parametrize(
    ("others", "longest_s", "state"),
    [(True, 60.0, JobState.ANSWERING), (True, 0.6, JobState.FAILED), (False, 60.0, JobState.FAILED)],
)
def test_a_film_waits_for_its_turn_while_other_frames_are_answered(
    monkeypatch: pytest.MonkeyPatch, others: bool, longest_s: float, state: JobState
) -> None:
    """Its frames lie behind another film's, on the same partition; or cameras take the detector."""
    monkeypatch.setattr(jobs, "STALL_S", 0.3)
    monkeypatch.setattr(jobs, "LONGEST_STALL_S", longest_s)
    monkeypatch.setattr(jobs, "send_now", lambda *_: None)

    async def until(_is_so: Any, _seconds: float) -> bool:
        return True

    async def run() -> JobState:
        boards: Any = SimpleNamespace(workers=[], until=until)
        kafka: Any = SimpleNamespace(topics=Topics())
        runner = JobRunner(kafka, boards, lambda *_: Decoded(), ServeSettings())
        job = Job("0" * 16, "alice", 0)
        _, film = runner.new_film()
        film.path.write_bytes(b"film")
        assert runner.begin(job, film, Question.of("person"), None)
        deadline = time.monotonic() + 2
        while time.monotonic() < deadline and not job.state.is_through:
            if others:
                runner.take(answer(0, 0.0, []))
            await asyncio.sleep(0.05)
        found = job.state
        await runner.close()
        return found

    assert asyncio.run(run()) is state


def test_the_id_of_what_was_lost_names_every_partition() -> None:
    """Who comes again with it would read the others from their beginning."""
    stream = EventStream(None, None)
    places = [Partition("detections", number) for number in range(3)]
    stream.begin({places[0]: 3, places[1]: 5000, places[2]: 7}, {places[0]: 20, places[1]: 0, places[2]: 9})
    ids = [one.decode().partition("\n")[0].removeprefix("id: ") for one in stream.lost()]
    assert len(ids) == 2
    assert {tuple(positions_of(one, "detections").items()) for one in ids} == {
        ((places[0], 20), (places[1], 5000), (places[2], 9))
    }


def test_a_time_is_read_to_the_microsecond() -> None:
    from datetime import UTC, datetime, timedelta

    begin = datetime(2026, 11, 27, 8, tzinfo=UTC)
    for number in range(1000):
        assert ns_of(begin + timedelta(milliseconds=number), 0) == 1_795_766_400_000_000_000 + number * 1_000_000
    assert ns_of(datetime.max.replace(tzinfo=UTC), 0) == 2**63 - 1
    assert ns_of(datetime.min.replace(tzinfo=UTC), 7) == 0


def test_what_an_address_can_be_asked_is_said_where_it_cannot_be_asked_something() -> None:
    service = Service(open=True)
    allowed = {
        path: service.ask("PATCH", path).headers["allow"]
        for path in ("/v1/cameras", "/v1/questions/gate", "/v1/session", "/v1/detect", "/healthz")
    }
    assert allowed["/v1/cameras"] == "GET"
    assert allowed["/v1/questions/gate"] == "DELETE, GET, PUT"
    assert allowed["/v1/session"] == "DELETE, GET, POST"
    assert allowed["/v1/detect"] == "POST"
    assert allowed["/healthz"] == "GET, HEAD"
    assert service.ask("HEAD", "/healthz").status == 200


def test_a_redirect_behind_https_stays_there() -> None:
    service = Service(open=True, trusted_proxies=["192.0.2.1"], proxy_user_header="")
    path = "/v1/cameras/"
    assert service.get(path, peer="192.0.2.1", x_forwarded_proto="https").headers["location"].startswith("https://")
    assert service.get(path, peer="192.0.2.9", x_forwarded_proto="https").headers["location"].startswith("http://")


@pytest.mark.parametrize("name", [None, "blob", "q.json"])
def test_a_forms_part_request_is_read_whatever_name_its_file_has(name: str | None) -> None:
    """Browsers give every part that has a type of its own a file's name."""
    service = Service(open=True)
    body, kind = form(
        [("request", name, json.dumps({"question": "person:1.5"}).encode()), ("image", "a.jpg", b"\xff\xd8")]
    )
    found = service.ask("POST", "/v1/detect", body, content_type=kind)
    assert (found.status, found.json["field"]) == (422, "question"), found.body


def test_a_text_is_no_list_of_names() -> None:
    with pytest.raises(ValueError, match=r"'gate' is a text, not a list: write \['gate'\]"):
        EventFilter.of(cameras="gate")
