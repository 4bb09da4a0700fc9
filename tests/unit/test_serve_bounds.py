"""What holds at the service's bounds: nothing goes on that was refused, and nobody holds what others need."""

import asyncio
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from starlette.responses import StreamingResponse

from groundcam_schemas import ClassSpec, Question, Topics
from groundcam_serve.api import streaming
from groundcam_serve.door import together
from groundcam_serve.jobs import runner as jobs
from groundcam_serve.jobs.runner import JobRunner
from groundcam_serve.jobs.store import Job
from groundcam_serve.problems import Problem
from groundcam_serve.settings import ServeSettings


def test_of_pictures_one_of_which_is_refused_none_is_still_asked_when_the_request_is_answered() -> None:
    going_on: set[int] = set()

    async def ask(number: int) -> int:
        going_on.add(number)
        try:
            if number == 3:
                raise Problem(422, "unprocessable", "it is damaged")
            await asyncio.Event().wait()
        finally:
            going_on.discard(number)
        return number

    async def asked() -> None:
        with pytest.raises(Problem, match="damaged"):
            await together(ask(number) for number in range(8))
        assert going_on == set()

    asyncio.run(asked())


def test_of_readers_that_come_at_once_no_more_are_let_in_than_may_be(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also while their readers connect, which takes its time; and whoever leaves makes room."""
    connected = threading.Event()
    door: Any = SimpleNamespace(streams=0, settings=SimpleNamespace(max_streams=4))
    monkeypatch.setattr(streaming, "Feed", lambda *_: SimpleNamespace(events=nothing))

    def begin() -> Any:
        connected.wait()
        return None, None

    async def come() -> StreamingResponse | Problem:
        try:
            return await streaming.streamed(door, None, None, begin)  # type: ignore[arg-type]
        except Problem as problem:
            return problem

    async def all_come() -> list[StreamingResponse | Problem]:
        coming = asyncio.as_completed([come() for _ in range(12)])
        found = [await next(coming) for _ in range(8)]
        connected.set()
        found += [await one for one in coming]
        for one in found:
            if isinstance(one, StreamingResponse):
                await one({"type": "http", "asgi": {"spec_version": "2.4"}}, left, left)
        return found

    found = asyncio.run(all_come())
    assert [one.status for one in found if isinstance(one, Problem)] == [503] * 8
    assert door.streams == 0


def test_a_reader_that_cannot_begin_leaves_its_room() -> None:
    door: Any = SimpleNamespace(streams=0, settings=SimpleNamespace(max_streams=1))

    def begin() -> Any:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        asyncio.run(streaming.streamed(door, None, None, begin))  # type: ignore[arg-type]
    assert door.streams == 0


async def nothing() -> Any:
    return
    yield


async def left(*_: Any) -> Any:
    """A client that is gone."""
    return {"type": "http.disconnect"}


class Films:
    """A runner of jobs without Kafka, whose calls take until they are let go; what happened, in order."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, held: str) -> None:
        self.happened: list[str] = []
        self.reached, self.go_on = threading.Event(), threading.Event()
        self._held = held
        monkeypatch.setattr(jobs, "send_now", lambda _kafka, records, _what: self._do(
            "question" if records[0].value else "tombstone"))  # fmt: skip

        async def until(*_: Any) -> None:
            return None

        kafka: Any = SimpleNamespace(topics=Topics())
        boards: Any = SimpleNamespace(workers=[], until=until)
        self.runner = JobRunner(kafka, boards, self._start, ServeSettings(max_jobs_bytes=10_240))

    def _do(self, what: str) -> None:
        if what == self._held:
            self.reached.set()
            assert self.go_on.wait(20)
        self.happened.append(what)

    def _start(self, _camera: str, _film: Path, _fps: float | None) -> Any:
        self._do("start")
        return SimpleNamespace(wait=lambda: (1, ""), stop=lambda: self.happened.append("stop"))


@pytest.mark.parametrize(
    ("held", "order"),
    [("question", ["question", "tombstone"]), ("start", ["question", "start", "stop", "tombstone"])],
)
def test_a_job_that_is_cancelled_while_something_begins_undoes_it_afterwards(
    held: str, order: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def cancelled() -> list[str]:
        films = Films(monkeypatch, held)
        job_id, film = films.runner.new_film()
        job = Job(job_id, "me", 0.0)
        assert films.runner.begin(job, film, Question(classes=(ClassSpec(phrase="person"),)), None)
        await asyncio.to_thread(films.reached.wait, 20)
        films.runner.cancel(job)
        for _ in range(100):  # so that what would overtake has its chance
            await asyncio.sleep(0)
        films.go_on.set()
        await films.runner.close()
        return films.happened

    assert asyncio.run(cancelled()) == order


def test_a_film_that_only_announces_its_bytes_keeps_nobody_out(monkeypatch: pytest.MonkeyPatch) -> None:
    async def filled() -> None:
        runner = Films(monkeypatch, "").runner
        _, slow = runner.new_film()
        _, quick = runner.new_film()
        assert runner.grow(slow, 100)
        assert runner.has_room(9000)
        assert runner.grow(quick, 9000)
        assert not runner.grow(slow, 2000), "the rest is not there any more"
        assert (runner.bytes, slow.size) == (9100, 100)
        runner.release(quick)
        assert runner.grow(slow, 50_000), "who is alone may send any film"
        runner.release(slow)
        assert runner.bytes == 0
        await runner.close()

    asyncio.run(filled())
