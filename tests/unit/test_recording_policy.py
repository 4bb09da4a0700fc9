"""When a run of the network is worth recording."""

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
