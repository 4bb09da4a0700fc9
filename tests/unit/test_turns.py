"""Whose turn it is at the detector, second by second."""

import pytest

from groundcam_worker.policy.turns import Turns


def after(*spent: tuple[float, float, bool], share: float = 0.2) -> Turns:
    """Turns after the detector's time went to cameras and to requests, while cameras waited or not."""
    turns = Turns(share, 8, 3.0)
    for cameras_s, requests_s, cameras_wait in spent:
        turns.spent(cameras_s=cameras_s, requests_s=requests_s, cameras_wait=cameras_wait)
    return turns


def may(turns: Turns, in_work: int = 0, *, cameras_wait: bool = True) -> bool:
    return turns.may_be_requests(in_work, 0.0, cameras_wait=cameras_wait)


def test_a_second_of_requests_is_paid_back_by_four_of_cameras_where_a_fifth_is_theirs() -> None:
    assert may(after())
    assert not may(after((0.0, 0.1, True)))
    assert not may(after((0.0, 0.1, True), (0.39, 0.0, True)))
    assert may(after((0.0, 0.1, True), (0.4, 0.0, True)))
    assert may(after((0.0, 0.1, True), (0.5, 0.0, True)))


def test_no_more_than_a_quarter_of_a_second_is_owed_or_saved() -> None:
    assert may(after((0.0, 9.0, True), (1.0, 0.0, True)))
    assert not may(after((0.0, 9.0, True), (0.99, 0.0, True)))
    assert may(after((99.0, 0.0, True), (0.0, 0.25, True)))
    assert not may(after((99.0, 0.0, True), (0.0, 0.26, True)))


def test_what_requests_have_while_no_camera_waits_they_do_not_owe() -> None:
    assert may(after((0.0, 9.0, False)))
    assert not may(after((0.0, 0.1, True), (0.0, 9.0, False)))


def test_while_there_are_cameras_three_quarters_of_a_batch_are_in_work() -> None:
    for cameras_wait in (True, False):
        turns = after()
        turns.camera_came(0.0)
        assert [may(turns, count, cameras_wait=cameras_wait) for count in (0, 5, 6, 7)] == [True, True, False, False]


@pytest.mark.parametrize("batch_size", [1, 2])
def test_of_a_batch_of_one_there_is_one(batch_size: int) -> None:
    assert may(Turns(0.2, batch_size, 3.0), 0)
    assert not may(Turns(0.2, batch_size, 3.0), 1)


def test_cameras_are_gone_after_a_while_without_a_frame() -> None:
    turns = Turns(0.2, 8, 3.0)
    turns.camera_came(10.0)
    assert [turns.may_be_requests(99, now_s, cameras_wait=False) for now_s in (12.0, 13.0, 13.5)] == [
        False,
        False,
        True,
    ]


def test_a_share_of_nothing_begins_no_request_beside_cameras() -> None:
    assert not may(after(share=0.0))
    assert not may(after((5.0, 0.0, True), share=0.0))


def served(requests_s: float, cameras_s: float, share: float, seconds: float = 60.0) -> dict[str, float]:
    """How long each had the detector where both always wait."""
    turns, had, now = Turns(share, 8, 3.0), {"requests": 0.0, "cameras": 0.0}, 0.0
    while now < seconds:
        turns.camera_came(now)
        if turns.may_be_requests(0, now, cameras_wait=True):
            turns.spent(cameras_s=0.0, requests_s=requests_s, cameras_wait=True)
            had["requests"] += requests_s
            now += requests_s
        else:
            turns.spent(cameras_s=cameras_s, requests_s=0.0, cameras_wait=True)
            had["cameras"] += cameras_s
            now += cameras_s
    return had


@pytest.mark.parametrize("share", [0.1, 0.2, 0.5])
@pytest.mark.parametrize(("requests_s", "cameras_s"), [(0.02, 0.02), (0.02, 0.002), (0.004, 0.05)])
def test_while_cameras_wait_requests_have_their_share_of_the_time(
    share: float, requests_s: float, cameras_s: float
) -> None:
    had = served(requests_s, cameras_s, share)
    assert had["requests"] / sum(had.values()) == pytest.approx(share, abs=0.03)


def test_without_cameras_requests_have_all_of_it() -> None:
    turns = Turns(0.2, 8, 3.0)
    assert turns.may_be_requests(100, 0.0, cameras_wait=False)
    turns.spent(cameras_s=0.0, requests_s=100.0, cameras_wait=False)
    assert turns.may_be_requests(100, 0.0, cameras_wait=False)


def test_where_there_are_cameras_less_than_a_batch_of_requests_is_in_work() -> None:
    turns = Turns(0.2, 8, 3.0)
    turns.camera_came(10.0)
    assert turns.may_be_requests(5, 11.0, cameras_wait=False)
    assert not turns.may_be_requests(6, 11.0, cameras_wait=False)
    assert turns.may_be_requests(8, 13.1, cameras_wait=False), "the last camera is gone"
