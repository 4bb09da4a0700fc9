"""When a run of the network is worth recording."""

import pytest

from groundcam_worker.detectors.grounding_dino.recording_policy import (
    AGED_AFTER,
    BURST_S,
    FAILURES,
    RETRY_S,
    SHARE,
    RecordingPolicy,
)


def policy(most: int = 2) -> RecordingPolicy:
    return RecordingPolicy(most, 0.0)


def test_what_came_up_once_is_not_recorded() -> None:
    chosen = policy()
    chosen.used("a")
    assert not chosen.wants("a", [], 1.0)
    chosen.used("a")
    assert chosen.wants("a", [], 1.0)


def test_what_leaves_is_what_is_used_least_and_only_for_what_is_used_twice_as_much() -> None:
    chosen = policy()
    for key, uses in (("a", 5), ("b", 3), ("c", 6)):
        for _ in range(uses):
            chosen.used(key)
    assert chosen.victim(["a", "b"]) == "b"
    assert not chosen.wants("c", ["a", "b"], 1.0)
    chosen.used("c")
    assert chosen.wants("c", ["a", "b"], 1.0)
    assert not chosen.wants("a", ["b", "c"], 1.0), "more than what leaves, and not twice as much"
    assert not chosen.wants("b", ["a", "b", "c"], 1.0), "nor where more are kept than should be"


def test_time_that_is_spent_comes_back_as_a_share_of_what_passes() -> None:
    chosen = policy()
    chosen.used("a")
    chosen.used("a")
    chosen.spent(BURST_S + 1.0)
    assert not chosen.wants("a", [], 1.0)
    assert not chosen.wants("a", [], 1.0 / SHARE - 1)
    assert chosen.wants("a", [], 1.0 / SHARE + 1)
    chosen.spent(BURST_S)
    assert not chosen.wants("a", [], 1.0 / SHARE + 1)
    assert chosen.wants("a", [], 1e9), "and no more than a burst is saved up"
    chosen.spent(BURST_S)
    assert not chosen.wants("a", [], 1e9)


def test_five_seconds_may_be_spent_at_once() -> None:
    chosen = policy()
    chosen.used("a")
    chosen.used("a")
    chosen.spent(4.99)
    assert chosen.wants("a", [], 0.0)
    chosen.spent(0.01)
    assert not chosen.wants("a", [], 0.0)
    assert chosen.wants("a", [], 1.0), "a fiftieth of a second came back"


def test_what_failed_is_tried_again_after_ten_minutes() -> None:
    chosen = policy()
    chosen.used("a")
    chosen.used("a")
    chosen.failed("a", 10.0)
    assert [chosen.wants("a", [], now) for now in (609.9, 610.0, 700.0)] == [False, True, True]


@pytest.mark.parametrize("faults", [3, 4, 5])
def test_after_three_faults_one_behind_the_other_nothing_is_recorded(faults: int) -> None:
    chosen = policy()
    for count in range(faults):
        assert chosen.is_off == (count >= 3)
        chosen.failed("b", 0.0)
    assert chosen.is_off


def test_a_size_that_failed_is_left_alone_for_a_while_and_others_are_not() -> None:
    for note in ("failed", "had_no_room"):
        chosen = policy()
        for key in ("a", "a", "b", "b"):
            chosen.used(key)
        getattr(chosen, note)("a", 10.0)
        assert chosen.wants("b", [], 10.0)
        assert not chosen.wants("a", [], 9.0 + RETRY_S)
        assert chosen.wants("a", [], 10.0 + RETRY_S)


def test_recording_is_left_alone_after_faults_one_behind_the_other_and_memory_is_no_fault() -> None:
    chosen = policy()
    chosen.used("a")
    chosen.used("a")
    for _ in range(FAILURES):
        chosen.had_no_room("b", 0.0)
        chosen.failed("b", 0.0)
        chosen.succeeded()
    assert not chosen.is_off
    for count in range(FAILURES):
        assert not chosen.is_off, count
        chosen.failed("b", 0.0)
    assert chosen.is_off
    assert not chosen.wants("a", [], 1e9)


def test_after_all_was_given_up_nothing_is_recorded_for_a_while() -> None:
    chosen = policy()
    chosen.used("a")
    chosen.used("a")
    chosen.released(5.0)
    assert not chosen.wants("a", [], 4.0 + RETRY_S)
    assert chosen.wants("a", [], 5.0 + RETRY_S)


def test_what_was_used_long_ago_counts_less() -> None:
    chosen = policy()
    for _ in range(100):
        chosen.used("old")
    for number in range(4 * AGED_AFTER):
        chosen.used(f"new {number % 50}")
    assert chosen.victim(["old", "new 1"]) == "old"


def test_every_4096_uses_all_counts_are_halved() -> None:
    """Five become two, three become one, and two become one: with its next use that one is worth recording again."""
    chosen = policy()
    for _ in range(2):
        for key, uses in (("five", 5), ("three", 3), ("two", 2), ("ever", 4085)):
            for _ in range(uses):
                chosen.used(key)
        assert all(chosen.wants(key, [], 0.0) for key in ("five", "three", "two"))
        chosen.used("ever")
        assert [chosen.wants(key, [], 0.0) for key in ("five", "three", "two")] == [True, False, False]
        chosen.used("two")
        assert chosen.wants("two", [], 0.0)
        for number in range(4095):
            chosen.used(f"{number % 500}")


def test_of_more_than_1024_sizes_those_that_came_up_once_are_forgotten() -> None:
    chosen = policy()
    chosen.used("often")
    chosen.used("often")
    for number in range(1023):
        chosen.used(number)
        assert chosen.wants("often", [], 0.0)
    chosen.used("one more")
    assert not chosen.wants("often", [], 0.0), "its count was halved"
    chosen.used("often")
    assert chosen.wants("often", [], 0.0), "and those of the others are gone"
