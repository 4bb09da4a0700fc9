"""Which look a camera has: a picture with its own answer, with its gap, or with neither."""

from groundcam_runtime.records import Partition
from groundcam_schemas import Detections, FrameId, Gap, GapReason
from groundcam_serve.wall.looks import MOST_BYTES, CameraLooks, Picture
from walks import NS, answer, found, gap

ONE, TWO = Partition("frames", 0), Partition("frames", 1)


def picture(seq: int, data: bytes = b"jpeg", run: str = "run-1") -> Picture:
    return Picture(FrameId("gate", run, seq), seq * NS, data, (640, 360))


def answered(seq: int) -> Detections:
    return answer(seq, float(seq), [found("person", (1.0, 2.0, 30.0, 40.0))])


def shown(looks: CameraLooks) -> tuple[int, bool, str | None]:
    """The newest look's frame, whether it has an answer, and its gap."""
    look = looks.newest
    assert look is not None
    return look.picture.frame.seq, look.answer is not None, look.gap


# -- looks


def test_a_picture_waits_for_its_own_answer() -> None:
    looks = CameraLooks()
    assert not looks.picture(picture(0), 0.0)
    assert not looks.answer(answered(1), 0.1)
    assert looks.newest is None
    assert looks.picture(picture(1), 0.2)
    assert shown(looks) == (1, True, None)


def test_an_answer_to_an_older_frame_is_not_shown_any_more() -> None:
    looks = CameraLooks()
    for seq in range(3):
        looks.picture(picture(seq), 0.0)
    assert looks.answer(answered(2), 0.1)
    assert not looks.answer(answered(1), 0.2)
    assert shown(looks) == (2, True, None)


def test_without_a_worker_the_newest_picture_is_shown_unanswered_after_a_second() -> None:
    looks = CameraLooks()
    for seq in range(5):
        looks.picture(picture(seq), seq * 0.2)
    assert not looks.wait(0.9)
    assert looks.wait(1.3)
    assert shown(looks) == (1, False, None)
    assert not looks.wait(1.3)
    assert looks.wait(1.9)
    assert shown(looks) == (4, False, None)


def test_an_answer_that_comes_after_all_is_shown_on_its_picture() -> None:
    looks = CameraLooks()
    looks.picture(picture(0), 0.0)
    assert looks.wait(1.0)
    assert looks.answer(answered(0), 1.5)
    assert shown(looks) == (0, True, None)
    assert looks.newest is not None
    assert looks.newest.number == 2


def test_pictures_wait_for_a_slow_detector_as_long_as_it_answers() -> None:
    """Its answers take 4 s, at 5 frames a second: what is shown has boxes, and is 4 s old."""
    looks = CameraLooks()
    unanswered = 0
    for step in range(200):
        now_s = step * 0.2
        looks.picture(picture(step), now_s)
        if step >= 20:
            looks.answer(answered(step - 20), now_s)
        looks.wait(now_s)
        if step > 40 and looks.newest is not None:
            unanswered += looks.newest.answer is None
            assert shown(looks)[0] == step - 20
    assert unanswered == 0


def test_a_slow_detector_of_a_slow_camera_is_waited_for_too() -> None:
    """A frame each 2 s, answered after 3 s: after the first ones no picture is shown without its boxes."""
    looks = CameraLooks()
    numbers, without = [], 0
    for tick in range(0, 600, 2):
        now_s = tick / 10
        if tick % 20 == 0:
            looks.picture(picture(tick // 20), now_s)
        if tick >= 30 and (tick - 30) % 20 == 0:
            looks.answer(answered((tick - 30) // 20), now_s)
        looks.wait(now_s)
        if tick > 200 and looks.newest is not None:
            numbers.append(looks.newest.picture.frame.seq)
            without += looks.newest.answer is None
    assert without == 0
    assert numbers == sorted(numbers)


def test_a_gap_is_shown_on_the_picture_that_nobody_looked_at_whichever_comes_first() -> None:
    looks = CameraLooks()
    looks.picture(picture(0), 0.0)
    assert looks.gap(gap(0, 3), 0.1)
    assert shown(looks) == (0, False, "stale")
    assert looks.picture(picture(2), 0.2)
    assert shown(looks) == (2, False, "stale")
    assert not looks.gap(
        Gap(camera_id="gate", run_id="run-1", reason=GapReason.CAMERA_OFFLINE, from_ns=1, to_ns=2), 0.3
    )


def test_a_new_run_goes_on_where_the_one_before_ended() -> None:
    looks = CameraLooks()
    looks.picture(picture(900), 0.0)
    looks.answer(answered(900), 0.1)
    looks.picture(picture(0, run="run-2"), 0.2)
    assert looks.answer(answer(0, 0.0, [], run_id="run-2"), 0.3)
    assert shown(looks)[0] == 0


def test_pictures_that_wait_are_bounded_in_bytes() -> None:
    looks = CameraLooks()
    for seq in range(40):
        looks.picture(picture(seq, bytes(MOST_BYTES // 10)), 0.0)
    assert not looks.answer(answered(20), 0.1), "it was forgotten"
    assert looks.answer(answered(39), 0.2)


def test_the_same_frame_twice_is_one_look() -> None:
    looks = CameraLooks()
    looks.picture(picture(0), 0.0)
    assert not looks.picture(picture(0), 0.1)
    assert looks.answer(answered(0), 0.2)
    assert not looks.answer(answered(0), 0.3)
    assert not looks.picture(picture(0), 0.4)
    assert not looks.wait(9.0)
