"""What events do not depend on: the order of boxes, and where a camera's state was written down and read."""

import random
from itertools import pairwise

from hypothesis import example, given, settings
from hypothesis import strategies as st

from groundcam_events.tracking.camera import Camera, CameraState
from groundcam_events.tracking.rules import LifeRules
from groundcam_events.tracking.state import decode_state, encode_state
from groundcam_schemas import Detections, Event, EventType, Gap, encode
from tracked import street, zones_of
from walks import at, followed

films = st.tuples(st.integers(0, 200), st.sampled_from([1.0, 2.0, 3.0, 5.0, 8.0, 25.0]))
SECONDS = 15.0


def film_of(seed: int, fps: float) -> list[Detections | Gap]:
    return street("gate", SECONDS, fps, seed)


def is_a_life(events: list[Event]) -> bool:
    """Each object is new once, then told of in order, and ends at most once, at the end."""
    lives: dict[str, list[Event]] = {}
    for event in events:
        lives.setdefault(event.id, []).append(event)
    return all(
        [one.n for one in life] == list(range(len(life)))
        and life[0].type is EventType.NEW
        and all(one.type is not EventType.END for one in life[:-1])
        and all(one.first == life[0].first and one.frames_seen >= life[0].frames_seen for one in life)
        for life in lives.values()
    )


@settings(max_examples=25, deadline=None)
@given(films)
def test_every_object_is_new_once_and_ends_at_most_once(film: tuple[int, float]) -> None:
    assert is_a_life(followed(film_of(*film), zones=zones_of("gate"))[0])


@settings(max_examples=20, deadline=None)
@given(films, st.integers(0, 2**32))
def test_the_order_of_boxes_in_a_frame_changes_nothing(film: tuple[int, float], seed: int) -> None:
    answers, rng = film_of(*film), random.Random(seed)
    shuffled = [
        one.model_copy(update={"objects": tuple(rng.sample(one.objects, len(one.objects)))})
        if isinstance(one, Detections)
        else one
        for one in answers
    ]
    events, other = (followed(some, zones=zones_of("gate"))[0] for some in (answers, shuffled))
    assert [encode(one) for one in events] == [encode(one) for one in other]


@settings(max_examples=15, deadline=None)
@given(films, st.sets(st.integers(0, 400), max_size=6))
def test_a_state_that_is_written_down_and_read_goes_on_as_if_it_had_not_been(
    film: tuple[int, float], cuts: set[int]
) -> None:
    answers = film_of(*film)
    expected, _ = followed(answers, zones=zones_of("gate"))
    camera = Camera(CameraState("gate"), LifeRules())
    camera.change_zones(zones_of("gate"))
    events: list[Event] = []
    for offset, one in enumerate(answers):
        if offset in cuts:
            camera = Camera(decode_state(encode_state(camera.state)), LifeRules())
        events += camera.take(one, at(one, offset))
    assert [encode(one) for one in events] == [encode(one) for one in expected]


@settings(max_examples=20, deadline=None)
@given(films, st.integers(0, 2**32))
@example((3, 1.0), 7398)  # a gap twice, before any other frame
def test_repeated_and_late_answers_change_nothing(film: tuple[int, float], seed: int) -> None:
    answers, rng = film_of(*film), random.Random(seed)
    again: list[Detections | Gap] = []
    for one in answers:
        again.append(one)
        if rng.random() < 0.2:
            again.append(rng.choice(again))
    events, other = (followed(some, zones=zones_of("gate"))[0] for some in (answers, again))
    assert [encode(one) for one in events] == [encode(one) for one in other]


@settings(max_examples=20, deadline=None)
@given(films, st.integers(-(10**9), 10**9), st.integers(0, 100))
def test_a_clock_that_is_set_ends_no_object_and_begins_none(film: tuple[int, float], jump_s: int, when: int) -> None:
    answers = [one for one in film_of(*film) if isinstance(one, Detections)]
    index = when * len(answers) // 101
    moved = [
        one
        if number < index
        else one.model_copy(update={"captured_at_ns": max(0, one.captured_at_ns + jump_s * 10**9)})
        for number, one in enumerate(answers)
    ]
    follows = [two.frame.seq == one.frame.seq + 1 for one, two in pairwise(answers)]
    # Where the clock is set between two neighbours, and how often this camera looks is known by then.
    if index == 0 or (follows[index - 1] and any(follows[: index - 1]) and (jump_s < 0 or jump_s > 100)):
        assert is_a_life(followed(moved)[0])
        begun = {one.id for one in followed(answers)[0] if one.type is EventType.NEW}
        assert {one.id for one in followed(moved)[0] if one.type is EventType.NEW} == begun
