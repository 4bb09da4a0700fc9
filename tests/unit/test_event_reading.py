"""What readers of events decide: which they want, what came before, what is open, what is on a page, and in words."""

import tracemalloc
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from groundcam.event_words import happened, life, line, table
from groundcam_runtime.events.filter import EventFilter, named_in
from groundcam_runtime.events.open_now import OpenNow
from groundcam_runtime.events.repeats import EventRepeats
from groundcam_runtime.records import Consumed, Partition
from groundcam_schemas import Cause, EndReason, Event, ObjectsNow, Severity, encode
from groundcam_serve.following.lives import LifeStream
from groundcam_serve.following.pages import Newest
from told_events import open_after, walk
from walks import Walker, away, film, followed, standing

EVENTS = walk()
PERSON = [one for one in EVENTS if one.label == "person"]
CAR = [one for one in EVENTS if one.label == "car"]
P0, P1 = Partition("t.events", 0), Partition("t.events", 1)


def record(partition: Partition, offset: int, event: Event | bytes, at_ms: int = 0) -> Consumed:
    key, value = (b"gate", event) if isinstance(event, bytes) else (event.camera_id.encode(), encode(event))
    return Consumed(partition, offset, at_ms, key, value, (), 0)


def of(cause: Cause) -> Event:
    return next(one for one in EVENTS if one.cause is cause)


@pytest.mark.parametrize(
    ("cause", "zones"),
    [
        (Cause.APPEARED, []),
        (Cause.ZONE_ENTERED, ["yard"]),
        (Cause.ZONE_DWELT, ["yard"]),
        (Cause.LINE_CROSSED, ["door"]),
        (Cause.ZONE_LEFT, ["yard"]),
        (Cause.ENDED, ["yard", "door"]),
    ],
)
def test_an_event_is_about_the_zone_that_it_tells_of_or_all_that_the_object_was_in(
    cause: Cause, zones: list[str]
) -> None:
    assert named_in(of(cause)) == zones


def test_everything_that_is_given_has_to_hold() -> None:
    def kept(**given: Any) -> list[Event]:
        wanted = EventFilter.of(**given)
        return [one for one in EVENTS if wanted.fits(one)]

    assert kept() == EVENTS
    assert kept(labels=["car"]) == CAR
    assert kept(cameras=["pier"]) == kept(cameras=[]) == []
    assert kept(zones=["door"], causes=["line_crossed", "ended"]) == [of(Cause.LINE_CROSSED), of(Cause.ENDED)]
    assert {one.cause for one in kept(severity="alert")} == {
        Cause.ZONE_DWELT, Cause.LINE_CROSSED, Cause.ZONE_LEFT, Cause.ENDED,
    }  # fmt: skip
    assert kept(severity=Severity.ALERT, labels=["car"]) == []


def test_a_record_of_another_camera_is_not_even_decoded() -> None:
    wanted = EventFilter.of(["gate"])
    assert wanted.read(b"gate", encode(EVENTS[0])) == EVENTS[0]
    assert wanted.read(None, encode(EVENTS[0])) == EVENTS[0], "without a key it has to be"
    assert wanted.read(b"pier", encode(EVENTS[0])) is None
    assert wanted.read(b"gate", b"rubbish") is None


@pytest.mark.parametrize("given", [{"causes": ["left"]}, {"severity": "high"}])
def test_an_unknown_name_is_refused_with_those_that_there_are(given: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"there is no (cause|severity) '(left|high)'; there are (appeared|info), "):
        EventFilter.of(**given)


def numbered(name: str, n: int, camera_id: str = "gate") -> Event:
    return PERSON[1].model_copy(update={"id": name, "n": n, "camera_id": camera_id})


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 6)), max_size=60))
def test_no_object_goes_back_and_nothing_new_is_dropped(steps: list[tuple[str, int]]) -> None:
    repeats, newest = EventRepeats(), dict[str, int]()
    for name, n in steps:
        assert repeats.is_repeat(numbered(name, n)) is (n <= newest.get(name, -1))
        newest[name] = max(n, newest.get(name, -1))


@given(st.lists(st.tuples(st.sampled_from("abcd"), st.integers(0, 9)), max_size=150))
def test_what_was_seen_is_bounded_by_camera_and_in_all(steps: list[tuple[str, int]]) -> None:
    repeats = EventRepeats(3, 7)
    for camera, name in steps:
        repeats.is_repeat(numbered(str(name), 1, camera))
        assert repeats.is_repeat(numbered(str(name), 1, camera)), "at once after"
        kept = repeats._cameras
        assert sum(map(len, kept.values())) == repeats._objects <= 7
        assert all(0 < len(one) <= 3 for one in kept.values())


def test_the_memory_of_a_hundred_thousand_objects_is_some_megabytes() -> None:
    repeats = EventRepeats()
    tracemalloc.start()
    try:
        for number in range(130_000):
            event = Event.model_construct(id=f"{number:032x}", n=1, camera_id=f"camera-{number % 200}")
            repeats.is_repeat(event)
        taken = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert repeats._objects == 100_000
    assert taken < 40_000_000, taken


def opened(now: ObjectsNow | None, events: list[tuple[Event, int]], told_ms: int = 100) -> set[tuple[str, int, bool]]:
    found = OpenNow()
    if now is not None:
        found.take_list(b"gate", encode(now), told_ms)
    for event, at_ms in events:
        found.take_event(event, at_ms)
    return {(one.id, one.n, one.end is None) for one in found.newest()}


def test_the_list_and_what_came_after_it_say_together_what_is_open() -> None:
    person, car = PERSON, CAR
    now = open_after([person[0], car[0]])
    assert opened(now, []) == {(person[0].id, 0, True), (car[0].id, 0, True)}
    assert (person[-1].id, person[-1].n, False) in opened(now, [(person[-1], 100)]), "it ended meanwhile"
    assert opened(open_after([car[0]]), [(person[1], 101)]) == {(person[0].id, 1, True), (car[0].id, 0, True)}
    assert opened(open_after([car[0]]), [(person[1], 99)]) == {(car[0].id, 0, True)}, "the list knows better"
    assert opened(open_after([car[1]]), [(car[0], 101)]) == {(car[0].id, 1, True)}, "written again"
    assert opened(None, [(car[0], 5)]) == {(car[0].id, 0, True)}, "no list has come yet"


def test_a_list_that_was_taken_back_or_is_none_changes_what_it_should() -> None:
    found = OpenNow()
    found.take_list(b"gate", encode(open_after(CAR)), 1)
    found.take_list(b"gate", b"rubbish", 2)
    assert [one.id for one in found.newest()] == [CAR[0].id]
    found.take_list(b"gate", None, 3)
    assert found.newest() == []


@given(
    st.lists(st.tuples(st.integers(0, 1), st.integers(0, 30), st.booleans()), max_size=60), st.integers(1, 5),
    st.integers(1, 7),
)  # fmt: skip
def test_pages_hold_everything_that_fits_once_newest_first(
    steps: list[tuple[int, int, bool]], limit: int, block: int
) -> None:
    """Whatever the time stamps, which senders give, and wherever the pages end."""
    topics: dict[Partition, list[Consumed]] = {P0: [], P1: []}
    wanted: list[str] = []
    for number, (which, at_ms, fits) in enumerate(steps):
        place = (P0, P1)[which]
        event = numbered(f"id-{number}", 1).model_copy(update={"label": "person" if fits else "dog"})
        topics[place].append(record(place, len(topics[place]), event, at_ms))
        wanted += [event.id] if fits else []
    before = {place: len(records) for place, records in topics.items()}
    seen: list[str] = []
    while True:
        page = Newest(EventFilter.of(labels=["person"]), limit, {})
        upto = dict(before)
        while any(upto.values()) and not page.is_full:
            down = {place: max(0, offset - block) for place, offset in upto.items() if offset}
            page.take([one for place, begin in down.items() for one in topics[place][begin : upto[place]]], down)
            upto |= down
        events, rest = page.page()
        assert len(events) <= limit
        seen += [one.id for one in events]
        if rest is None:
            break
        before = {place: rest.get(place, 0) for place in before}
    assert sorted(seen) == sorted(wanted)
    for place in (P0, P1):
        mine = [one for one in (event_id(each) for each in topics[place]) if one in set(wanted)]
        assert [one for one in seen if one in mine] == mine[::-1]


def event_id(one: Consumed) -> str:
    found = EventFilter().read(one.key, one.value)
    assert found is not None
    return found.id


def test_a_stream_tells_what_is_open_without_a_place_and_then_what_comes() -> None:
    stream = LifeStream(EventFilter(), [PERSON[-1], CAR[0]], [PERSON[0]])
    stream.begin({P0: 5}, {})
    (told,) = stream.opening()
    assert told.startswith(b"event: open\ndata: {")
    assert CAR[0].id.encode() in told
    assert list(stream.opening()) == []
    assert stream.take(record(P0, 5, CAR[0])) is None, "it was told"
    assert stream.take(record(P0, 6, PERSON[2])) is None, "it has ended"
    assert stream.take(record(P0, 7, b"rubbish")) is None
    update = stream.take(record(P0, 8, CAR[1]))
    assert update is not None
    assert update.startswith(b"id: 0:9\nevent: update\n")
    assert stream.place() == b"id: 0:9\n\n"


def test_each_cause_is_said_in_words() -> None:
    said = {one.cause: happened(one) for one in EVENTS}
    assert said[Cause.APPEARED] == "appeared"
    assert said[Cause.ZONE_ENTERED] == "entered yard"
    assert said[Cause.ZONE_DWELT].startswith("has been in yard for 2.")
    assert said[Cause.LINE_CROSSED] == "crossed door: in"
    assert said[Cause.ZONE_LEFT].startswith("left yard after 4.")
    assert said[Cause.ENDED].startswith("ended: it left the picture, it was there for 10.")
    assert said[Cause.STOPPED].startswith("stands still since ")
    texts = {happened(CAR[-1].model_copy(update={"cause": cause})) for cause in Cause}
    assert all(texts), "there is one for each"
    assert "is still there, for 10.2 s" in texts


@pytest.mark.parametrize("reason", EndReason)
def test_each_end_is_said_in_words(reason: EndReason) -> None:
    end = PERSON[-1]
    assert end.end is not None
    other = end.model_copy(update={"end": end.end.model_copy(update={"reason": reason})})
    assert happened(other).startswith("ended: ")
    assert reason.value not in happened(other) or reason in {EndReason.LOST, EndReason.LEFT}


def test_a_line_has_the_camera_the_label_and_how_much_it_matters_and_steers_no_terminal() -> None:
    shown = line(of(Cause.LINE_CROSSED))
    assert shown.startswith("gate         ")
    assert f"person crossed door: in [alert]  {PERSON[0].id[:12]}" in shown
    assert "[" not in line(PERSON[0])
    forged = line(PERSON[0].model_copy(update={"label": "per\x1b[2Json\n", "id": "a\nb"}))
    assert forged.isprintable()


def test_a_life_says_what_is_not_on_kafka_any_more_and_what_nobody_looked_at() -> None:
    shown = life([PERSON[2], PERSON[4]])
    assert "(of those before this one 2 are not on Kafka)" in shown
    assert "(of those before this one 1 are not on Kafka)" in shown
    ship = replace(Walker("ship", standing(500, 400)), label="car")
    looked = [*film([ship], seconds=4, fps=5), away(4, 7), *film([ship], seconds=4, fps=5, first_seq=60, from_s=7)]
    gone, _ = followed(looked)
    unseen = [one for one in gone if one.unseen]
    assert all("not looked at: camera offline" in life([one]) for one in unseen)
    assert [row.split()[2] for row in table([PERSON[-1], CAR[-1]]).splitlines()] == ["LABEL", "person", "car"]
