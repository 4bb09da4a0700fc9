"""What is learned of clocks that are not ours, stamp by stamp."""

import pytest

from groundcam_worker.policy.clocks import NS, RunClock, Sight, Smallest

BUCKET_S = 2.5


def ns(seconds: float) -> int:
    return round(seconds * NS)


def noted(*values: tuple[float, float], believed: float | None = None) -> float | None:
    """The smallest after these values, each with its moment; all in seconds."""
    smallest = Smallest(None if believed is None else ns(believed))
    for value_s, at_s in values:
        smallest.note(ns(value_s), ns(at_s))
    return None if smallest.value is None else smallest.value / NS


def test_until_there_is_a_value_there_is_none_or_what_somebody_else_believes() -> None:
    assert noted() is None
    assert noted(believed=7.0) == 7.0
    assert noted((9.0, 0.0)) == 9.0


def test_the_smallest_of_a_bucket_counts_and_is_kept_for_one_more() -> None:
    values = [(5.0, 0.0), (3.0, 1.0), (4.0, 2.4)]
    assert noted(*values) == 3.0
    assert noted(*values, (5.0, BUCKET_S)) == 3.0
    assert noted(*values, (5.0, BUCKET_S), (5.0, 4.9)) == 3.0
    assert noted(*values, (5.0, BUCKET_S), (4.8, 3.0), (5.0, 2 * BUCKET_S)) == 4.8


def test_a_bucket_ends_with_the_first_value_after_its_time() -> None:
    assert noted((3.0, 0.0), (5.0, 2.499), (5.0, 2.6), (5.0, 5.0)) == 3.0
    assert noted((3.0, 0.0), (5.0, 2.5), (5.0, 4.99), (5.0, 5.0)) == 5.0


def test_silence_forgets_nothing() -> None:
    assert noted((3.0, 0.0), (5.0, 9000.0)) == 3.0
    assert noted((3.0, 0.0), (5.0, 9000.0), (5.0, 9002.5)) == 5.0


def test_what_is_believed_counts_until_a_bucket_is_full() -> None:
    assert noted((9.0, 0.0), believed=7.0) == 7.0
    assert noted((9.0, 0.0), (9.0, 2.4), believed=7.0) == 7.0
    assert noted((9.0, 0.0), (9.0, 2.5), believed=7.0) == 9.0


def test_a_moment_that_lies_before_the_bucket_ends_it() -> None:
    assert noted((3.0, 10.0), (5.0, 9.9), (5.0, 12.4)) == 5.0


def test_a_moment_before_the_bucket_ends_it_however_short() -> None:
    hair = 1e-9
    assert noted((3.0, 10.0), (5.0, 10.0 - hair), (5.0, 12.5 - hair)) == 5.0


def test_values_that_fall_are_a_queue_that_empties_and_do_not_push_out_what_was_before() -> None:
    falling = [(9.0, 2.5), (7.9, 4.0), (9.0, 5.0)]
    assert noted((3.0, 0.0), *falling) == 3.0
    assert noted((3.0, 0.0), (9.0, 2.5), (9.0, 4.0), (7.9, 5.0)) == 3.0, "also where the next bucket begins lower"
    level = [(9.0, 2.5), (8.0, 4.0), (9.0, 5.0)]
    assert noted((3.0, 0.0), *level) == 8.0, "a second is no fall"
    assert noted((3.0, 0.0), (9.0, 2.5), (9.0, 5.0)) == 9.0


def test_values_that_fall_from_the_beginning_are_all_that_there_is() -> None:
    assert noted((9.0, 0.0), (5.0, 1.0), (7.0, 2.5)) == 5.0


def sight(
    captured: float, came: float, *, waited: float = 0.0, exact: bool = True, appended: float | None = None
) -> Sight:
    return Sight(ns(captured), ns(came), ns(waited), exact, None if appended is None else ns(appended))


def test_a_sight_bounds_the_difference_of_two_clocks() -> None:
    one = sight(100.0, 107.0, waited=2.0, appended=104.0)
    assert (one.most, one.to_kafka) == (ns(5.0), ns(4.0))
    assert sight(100.0, 107.0).to_kafka is None


class Camera:
    """A run of a camera one of whose clocks is off."""

    def __init__(self) -> None:
        self.clock = RunClock()
        self.seq = -1

    def frame(self, at_s: float, *, off_s: float = 0.0, way_s: float = 0.1, exact: bool = True, waited: float = 0.0,
              appended: float | None = None) -> bool:  # fmt: skip
        """A frame that is captured at a moment of ours; whether the difference of the clocks is learned from it."""
        self.seq += 1
        self.last = sight(at_s + off_s, at_s + way_s + waited, waited=waited, exact=exact, appended=appended)
        return self.clock.came(self.seq, self.last)

    def age(self, *guesses: float) -> float:
        """The age of the newest frame when it came, in s."""
        return self.clock.age(self.seq, self.last, tuple(map(ns, guesses))) / NS


@pytest.mark.parametrize("off_s", [0.0, 300.0, -300.0])
def test_the_shortest_path_is_taken_for_the_difference_of_the_clocks(off_s: float) -> None:
    camera = Camera()
    assert camera.frame(10.0, off_s=off_s, way_s=0.5)
    assert camera.age() == 0.0
    assert camera.frame(11.0, off_s=off_s, way_s=0.2)
    assert camera.age() == 0.0
    assert camera.frame(12.0, off_s=off_s, way_s=1.7)
    assert camera.age() == pytest.approx(1.5)
    assert camera.clock.frames == 3


def test_what_lay_on_kafka_counts_as_age_and_teaches_the_difference_where_it_is_known_exactly() -> None:
    camera = Camera()
    assert camera.frame(10.0, waited=5.0)
    assert camera.age() == pytest.approx(5.0)
    assert not camera.frame(11.0, waited=5.0, exact=False)
    assert camera.age() == pytest.approx(5.0)


def test_a_frame_that_comes_again_teaches_nothing() -> None:
    camera = Camera()
    camera.frame(10.0)
    camera.frame(11.0)
    assert not camera.clock.came(1, sight(11.0, 50.0))
    assert not camera.clock.came(0, sight(10.0, 50.0))
    assert camera.clock.known.value == ns(0.1)
    assert camera.clock.frames == 2


def test_a_camera_that_numbers_anew_is_believed_where_its_time_goes_on() -> None:
    camera = Camera()
    camera.frame(10.0)
    camera.frame(11.0)
    assert camera.clock.came(0, sight(12.0, 12.3))
    assert not camera.clock.came(0, sight(13.0, 13.3, exact=False)), "it may as well have come again"


@pytest.mark.parametrize("step_s", [-300.0, 300.0])
def test_a_clock_that_was_set_is_believed_with_the_second_frame(step_s: float) -> None:
    camera = Camera()
    for second in range(3):
        camera.frame(10.0 + second)
    assert not camera.frame(13.0, off_s=step_s)
    assert camera.age() == 0.0, "nobody can tell: it is looked at"
    assert camera.frame(14.0, off_s=step_s, way_s=0.3)
    assert camera.age() == pytest.approx(0.2)
    assert camera.clock.frames == (5 if step_s > 0 else 2), "one that was set back is another clock"


@pytest.mark.parametrize("stamp_s", [-1e6, 1e6])
def test_a_single_absurd_stamp_changes_nothing(stamp_s: float) -> None:
    camera = Camera()
    for second in range(3):
        camera.frame(10.0 + second)
    assert not camera.frame(13.0, off_s=stamp_s)
    assert camera.frame(14.0, way_s=1.1)
    assert camera.age() == pytest.approx(1.0)
    assert camera.clock.frames == 4


def test_stamps_that_fall_by_a_second_are_the_same_clocks() -> None:
    camera = Camera()
    camera.frame(10.0)
    assert camera.frame(11.0, off_s=-2.0, way_s=0.1), "a second before the one before"
    assert not camera.frame(12.0, off_s=-3.001)


def test_the_broker_tells_how_long_a_frame_was_on_its_way_where_we_did_not_look() -> None:
    camera = Camera()
    camera.frame(10.0, off_s=50.0, appended=10.2)
    camera.frame(11.0, off_s=50.0, way_s=9.0, exact=False, appended=11.9)
    assert camera.age() == pytest.approx(0.7)
    camera.frame(12.0, off_s=50.0, way_s=9.0, exact=False, waited=4.0, appended=12.2)
    assert camera.age() == pytest.approx(4.0)


def test_where_nothing_is_known_the_guess_that_makes_a_frame_youngest_and_is_possible_counts() -> None:
    camera = Camera()
    camera.frame(100.0, way_s=60.0, exact=False)
    assert camera.age(0.0) == pytest.approx(60.0)
    assert camera.age(0.0, 40.0) == pytest.approx(20.0)
    assert camera.age(40.0, 0.0) == pytest.approx(20.0)
    assert camera.age(0.0, 60.9) == 0.0, "as good as now"
    assert camera.age(0.0, 62.0) == pytest.approx(60.0), "it would come from the future"
    assert camera.age(62.0) == 0.0


def test_a_known_difference_counts_before_any_guess() -> None:
    camera = Camera()
    camera.frame(100.0, way_s=0.5)
    camera.frame(101.0, way_s=60.0, exact=False)
    assert camera.age(40.0) == pytest.approx(59.5)


def test_every_frame_bounds_the_difference_for_those_after_it() -> None:
    """No frame was captured after it came."""
    camera = Camera()
    camera.frame(100.0, way_s=20.0, exact=False)
    camera.frame(101.0, way_s=60.0, exact=False)
    assert camera.age(50.0) == pytest.approx(40.0)


def test_stamps_that_fall_by_just_a_second_behind_an_odd_one_go_on_from_it() -> None:
    camera = Camera()
    for second in range(3):
        camera.frame(10.0 + second)
    assert not camera.frame(13.0, off_s=300.0)
    assert camera.frame(14.0, off_s=298.0, way_s=0.1)


def test_a_clock_that_was_set_back_is_known_by_its_difference_to_a_second() -> None:
    """Where so much time has passed that its stamps are newer again."""
    for way_s, frames in ((1.1, 2), (1.101, 4)):
        camera = Camera()
        for second in range(3):
            camera.frame(10.0 + second)
        assert not camera.frame(13.0, off_s=-5.0)
        assert camera.frame(18.0, off_s=-5.0, way_s=way_s)
        assert camera.clock.frames == frames


def test_only_the_newest_frame_is_odd() -> None:
    camera = Camera()
    camera.frame(10.0)
    camera.frame(11.0, way_s=1.6)
    late, odd = camera.last, sight(312.0, 12.1)
    assert not camera.clock.came(2, odd)
    assert camera.clock.age(2, odd, ()) == 0
    assert camera.clock.age(1, late, ()) == ns(1.5)
    assert camera.clock.age(3, sight(13.0, 13.0 + 1.6), ()) == ns(1.5), "one that has not come yet"


def test_a_path_that_is_a_little_shorter_than_ever_is_no_age() -> None:
    camera = Camera()
    camera.frame(10.0, off_s=50.0, appended=10.2)
    for appended in (11.2, 11.15):
        camera.frame(11.0, off_s=50.0, way_s=9.0, exact=False, waited=4.0, appended=appended)
        assert camera.clock.age(camera.seq, camera.last, ()) == ns(4.0)


def test_a_guess_that_is_a_second_too_much_is_possible() -> None:
    camera = Camera()
    camera.frame(100.0, way_s=60.0, exact=False)
    assert camera.age(0.0, 61.0) == 0.0
    assert camera.age(0.0, 61.001) == 60.0


def test_a_clock_that_differs_by_a_second_is_the_same() -> None:
    camera = Camera()
    camera.frame(10.0)
    assert camera.frame(11.0, off_s=1.0)
    assert not camera.frame(12.0, off_s=2.001)


@pytest.mark.parametrize("is_exact", [True, False])
def test_only_a_frame_that_shows_the_difference_exactly_contradicts_one_that_was_told(is_exact: bool) -> None:
    """By a commit note: the other would only say that it is not larger."""
    camera = Camera()
    camera.clock.known = Smallest(ns(50.0))
    assert not camera.frame(10.0, exact=is_exact)
    assert camera.clock.frames == (0 if is_exact else 1)


def test_a_path_that_is_shorter_than_any_before_gives_an_age_of_no_less_than_what_it_lay_there() -> None:
    camera = Camera()
    camera.frame(10.0, off_s=50.0, appended=10.2)
    shorter = sight(61.0, 20.0, waited=4.0, exact=False, appended=11.1)
    assert camera.clock.age(7, shorter, ()) == ns(4.0), "before anything is learned from it"
