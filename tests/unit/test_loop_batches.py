"""When batches begin."""

import numpy as np
import pytest

from groundcam_schemas import Question
from groundcam_worker.loop.batches import Batches, Job


def job(shape: str = "wide", *, cost: int = 1, wanted: bool = True) -> Job:
    return Job(np.zeros((1, 1, 3), np.uint8), Question.of("a"), shape, cost, "gate", lambda: wanted, "origin")


def begun(batches: Batches, now_s: float, *, draining: bool = False) -> list[tuple[tuple[Job, ...], list[Job]]]:
    found = list(batches.begin(now_s, 77, draining=draining))
    assert all(batch is None or batch.at_ns == 77 for batch, _ in found)
    return [(batch.jobs if batch else (), unwanted) for batch, unwanted in found]


def test_an_idle_detector_waits_for_nobody_and_a_busy_one_lets_frames_gather() -> None:
    batches = Batches(3, 1.0)
    first, second, third = job(), job(), job()
    batches.push(first, 0.0)
    assert begun(batches, 0.0) == [((first,), [])]
    batches.push(second, 0.0)
    batches.push(third, 0.5)
    assert begun(batches, 0.9) == [], "the detector is busy: they wait for others"
    assert batches.deadline == 1.0
    assert begun(batches, 1.0) == [((second, third), [])]
    assert (batches.running, batches.deadline) == (2, None)
    assert batches.jobs == [first, second, third]


def test_one_batch_runs_and_one_is_ahead_and_the_next_begins_when_one_is_through() -> None:
    batches = Batches(1, 1.0)
    jobs = [job() for _ in range(4)]
    for one in jobs:
        batches.push(one, 0.0)
    (first, _), (second, _) = batches.begin(0.0, 77, draining=False)
    assert begun(batches, 9.0) == []
    assert batches.deadline is None, "the detector has enough: time alone changes nothing"
    assert second is not None
    batches.done(second)
    assert batches.deadline == 1.0
    assert begun(batches, 0.0) == [((jobs[2],), [])]
    assert first is not None
    assert batches.jobs == [jobs[3], jobs[0], jobs[2]]


def test_a_detector_that_is_drained_gets_what_there_is() -> None:
    batches = Batches(3, 1.0)
    batches.push(job(), 0.0)
    begun(batches, 0.0)
    late = job()
    batches.push(late, 0.0)
    assert begun(batches, 0.0) == []
    assert begun(batches, 0.0, draining=True) == [((late,), [])]


def test_jobs_that_nobody_wants_are_given_back_and_begin_no_batch() -> None:
    batches = Batches(2, 1.0)
    wanted, unwanted, neither = job(), job(wanted=False), job(wanted=False)
    for one in (wanted, unwanted, neither):
        batches.push(one, 0.0)
    assert begun(batches, 0.0, draining=True) == [((wanted,), [unwanted]), ((), [neither])]
    assert batches.running == 1


@pytest.mark.parametrize(("cost", "most"), [(0, 8), (1, 8), (2, 4), (3, 2), (4, 2), (5, 1), (8, 1), (9, 1), (32, 1)])
def test_a_batch_takes_no_more_passes_of_the_model_than_it_has_places(cost: int, most: int) -> None:
    batches = Batches(8, 1.0)
    for _ in range(9):
        batches.push(job(cost=cost), 0.0)
    assert len(begun(batches, 0.0)[0][0]) == most


def test_dear_questions_share_no_batch_with_cheap_ones_or_dearer_ones() -> None:
    batches = Batches(8, 1.0)
    cheap, dear, dearer = job(), job(cost=2), job(cost=3)
    for one in (cheap, dear, dearer):
        batches.push(one, 0.0)
    assert [jobs for jobs, _ in begun(batches, 0.0, draining=True)] == [(cheap,), (dear,)]
