"""Frames for which memory is short: how long they wait, and what it ends with."""

from groundcam_worker.errors import DetectorLostError, OutOfMemoryError, UnansweredError
from groundcam_worker.frames import Admitted
from groundcam_worker.loop.retries import Retries
from loop_frames import QUESTION, REFERENCE, ours, received

SHORT = OutOfMemoryError("short")


def admitted(attempts: int = 1, count: int = 1) -> list[Admitted]:
    assignment = ours()
    return [Admitted(received(assignment, offset), REFERENCE, QUESTION, attempts, at_ns=0) for offset in range(count)]


def test_a_frame_waits_and_is_due_again() -> None:
    retries = Retries()
    assert (len(retries), retries.deadline, retries.claims) == (0, None, [])
    (one,) = admitted()
    assert retries.postpone(one, SHORT, 10.0) is None
    assert (len(retries), retries.deadline, retries.claims) == (1, 10.5, [one.frame.claim])
    assert retries.due(10.4) == []
    assert retries.due(10.5) == [one]
    assert len(retries) == 0
    retries.defer(one, 10.5)
    assert (retries.deadline, retries.claims) == (11.0, [one.frame.claim])


def for_a_minute(attempts: int, *, others_fitted: bool) -> tuple[Retries, object]:
    retries = Retries()
    (one,) = admitted(attempts)
    retries.postpone(one, SHORT, 0.0)
    retries.due(1.0)
    if others_fitted:
        retries.succeeded(30.0)
    return retries, retries.postpone(one, SHORT, 60.0)


def test_after_a_minute_a_frame_is_to_blame_while_others_were_answered_and_else_the_device_is() -> None:
    retries, error = for_a_minute(1, others_fitted=True)
    assert isinstance(error, UnansweredError)
    assert len(retries) == 0
    retries, error = for_a_minute(1, others_fitted=False)
    assert isinstance(error, DetectorLostError)
    assert len(retries) == 1, "the next worker answers it"


def test_a_frame_that_is_tried_alone_is_to_blame_itself() -> None:
    """No other one is tried meanwhile, and it has ended a process before."""
    retries, error = for_a_minute(2, others_fitted=False)
    assert isinstance(error, UnansweredError)
    assert len(retries) == 0


def test_a_frame_that_is_through_begins_anew() -> None:
    retries = Retries()
    (one,) = admitted()
    retries.postpone(one, SHORT, 0.0)
    retries.due(1.0)
    retries.forget(one.frame.claim)
    retries.postpone(one, SHORT, 60.0)
    assert retries.deadline == 60.5


def test_a_frame_can_be_withdrawn_while_it_waits() -> None:
    retries = Retries()
    first, second = admitted(count=2)
    retries.postpone(first, SHORT, 0.0)
    retries.postpone(second, SHORT, 0.0)
    assert retries.withdraw(first.frame.claim)
    assert retries.claims == [second.frame.claim]
    assert not retries.withdraw(first.frame.claim), "it waits no more"
    retries.postpone(first, SHORT, 90.0)
    assert retries.deadline == 0.5
    retries.due(0.5)
    assert retries.deadline == 90.5, "it has never failed before"
