"""Work for which memory is short: when it is tried again, and who is to blame in the end."""

from groundcam_worker.policy.shortage import Shortage, Verdict

RETRY, ITS_FAULT, DEVICE_EXHAUSTED = Verdict.RETRY, Verdict.ITS_FAULT, Verdict.DEVICE_EXHAUSTED


def pauses(shortage: Shortage[str], until: float) -> list[float]:
    """Fail whenever an attempt is due; return the pauses before each."""
    now, found = 0.0, []
    assert shortage.failed("a", "key", now) is RETRY
    while (deadline := shortage.deadline) is not None and deadline < until:
        found.append(deadline - now)
        now = deadline
        assert shortage.due(now) == ["a"]
        shortage.failed("a", "key", now)
    return found


def test_pauses_double_from_half_a_second_to_eight() -> None:
    assert pauses(Shortage(), 39.0) == [0.5, 1.0, 2.0, 4.0, 8.0, 8.0, 8.0]


def test_what_is_through_begins_anew_when_it_fails_again() -> None:
    shortage: Shortage[str] = Shortage()
    pauses(shortage, 5.0)
    shortage.due(10.0)
    shortage.forget("key")
    shortage.forget("never known")
    shortage.failed("a", "key", 100.0)
    assert shortage.deadline == 100.5


def test_work_waits_for_its_own_moment() -> None:
    shortage: Shortage[str] = Shortage()
    assert (shortage.deadline, shortage.waiting, shortage.due(9.0)) == (None, [], [])
    shortage.failed("a", "a", 1.0)
    shortage.failed("b", "b", 1.2)
    assert (shortage.deadline, shortage.waiting) == (1.5, ["a", "b"])
    assert shortage.due(1.4) == []
    assert shortage.due(1.5) == ["a"]
    assert (shortage.deadline, shortage.waiting) == (1.7, ["b"])
    assert shortage.due(9.0) == ["b"]
    assert (shortage.deadline, shortage.waiting) == (None, [])


def failing_for(seconds: float, *, succeeded_at: float | None = None) -> Verdict:
    shortage: Shortage[str] = Shortage()
    shortage.failed("a", "key", 1000.0)
    if succeeded_at is not None:
        shortage.succeeded(succeeded_at)
    return shortage.failed("a", "key", 1000.0 + seconds)


def test_for_a_minute_nobody_is_to_blame() -> None:
    assert failing_for(59.9) is RETRY
    assert failing_for(59.9, succeeded_at=1030.0) is RETRY


def test_after_a_minute_it_is_the_device_if_nothing_else_fitted_since_and_the_work_if_something_did() -> None:
    assert failing_for(60.0) is DEVICE_EXHAUSTED
    assert failing_for(60.0, succeeded_at=1030.0) is ITS_FAULT
    assert failing_for(90.0, succeeded_at=1000.1) is ITS_FAULT
    for before in (999.0, 1000.0):
        assert failing_for(90.0, succeeded_at=before) is DEVICE_EXHAUSTED


def test_work_that_is_to_blame_waits_no_longer_and_other_work_does() -> None:
    shortage: Shortage[str] = Shortage()
    shortage.failed("a", "a", 0.0)
    shortage.due(1.0)
    shortage.succeeded(30.0)
    assert shortage.failed("a", "a", 60.0) is ITS_FAULT
    assert shortage.failed("b", "b", 60.0) is RETRY
    assert shortage.waiting == ["b"]


def test_work_for_an_exhausted_device_still_waits() -> None:
    """Whoever ends the worker may not come to it at once."""
    shortage: Shortage[str] = Shortage()
    shortage.failed("a", "a", 0.0)
    shortage.due(1.0)
    assert shortage.failed("a", "a", 60.0) is DEVICE_EXHAUSTED
    assert (shortage.waiting, shortage.deadline) == (["a"], 61.0)


def test_work_for_whose_picture_there_is_no_room_waits_for_half_a_second_and_has_not_failed() -> None:
    shortage: Shortage[str] = Shortage()
    shortage.failed("a", "a", 0.0)
    shortage.due(0.5)
    shortage.defer("a", 10.0)
    assert (shortage.deadline, shortage.waiting) == (10.5, ["a"])
    shortage.due(10.5)
    shortage.failed("a", "a", 10.5)
    assert shortage.deadline == 11.5, "it has failed twice"


def test_what_is_removed_waits_no_more_and_the_rest_does() -> None:
    shortage: Shortage[str] = Shortage()
    for item in ("a", "b", "c"):
        shortage.failed(item, item, 0.0)
    shortage.remove(lambda item: item == "b")
    assert shortage.waiting == ["a", "c"]
    assert shortage.due(9.0) == ["a", "c"]
