"""What bounds a worker's memory, and where that is said."""

import dataclasses

import pytest

from groundcam_worker.policy.limits import GAP_DELAY_S, HEAD, SHED_EVERY_S, Limits
from groundcam_worker.run import limits_of
from groundcam_worker.settings import WorkSettings


def test_limits_of_nobodys_choice_are_those_that_the_settings_default_to() -> None:
    assert limits_of(WorkSettings()) == Limits()


def test_every_limit_can_be_set() -> None:
    settings = WorkSettings(
        batch_size=16, batch_wait_s=0.5, max_age_s=7.0, decode_threads=5, max_pixels=1000, max_queued_bytes=5000,
        max_picture_bytes=6000, request_share=0.5,
    )  # fmt: skip
    limits = limits_of(settings)
    assert limits == Limits(16, 0.5, 7.0, 5, 1000, 2500, 6000, 0.5)
    defaults = Limits()
    for field in dataclasses.fields(Limits):
        assert getattr(limits, field.name) != getattr(defaults, field.name)


@pytest.mark.parametrize(
    ("device", "cores", "set_to", "threads"),
    [("cpu", 16, None, 2), ("cuda", 4, None, 4), ("cuda", 64, None, 8), ("cuda", 1, None, 2), ("cuda", 64, 3, 3)],
)
def test_beside_a_gpu_more_threads_decode(device: str, cores: int, set_to: int | None, threads: int) -> None:
    assert limits_of(WorkSettings(decode_threads=set_to), device, cores).decode_threads == threads


def test_where_nothing_is_too_old_a_camera_must_keep_up_for_the_usual_time() -> None:
    assert limits_of(WorkSettings(max_age_s=0.0)).calm_s == 3.0


def test_limits_cannot_be_changed_while_a_worker_runs() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        Limits().batch_size = 9  # type: ignore[misc]


def test_a_gap_and_a_look_at_what_is_too_old_come_soon_enough_for_the_answers_after_them() -> None:
    """Subscribers are promised a gap within a second; a frame's age is checked far more often than it grows old."""
    assert GAP_DELAY_S == 1.0
    assert 0 < SHED_EVERY_S <= 0.1


def test_requests_may_wait_for_a_quarter_of_the_room() -> None:
    assert (Limits().requests, Limits().request_bytes) == (256, 8 * 1024 * 1024)
    assert Limits(batch_size=64, max_waiting_bytes=1000).requests == 1024
    assert Limits(max_waiting_bytes=1000).request_bytes == 250


def test_a_partition_with_eight_records_of_lag_counts_as_read_to_its_end() -> None:
    """Docs and dashboards say so."""
    assert HEAD == 8
