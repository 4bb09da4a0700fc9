"""The tracker's loop on a Kafka made of lists: killed anywhere, overtaken, and told of other zones in the middle."""

import random
from collections import Counter

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from groundcam_events.tracking.state import decode_state
from groundcam_schemas import Event, decode, encode
from tracked import street, zones_of
from tracker_world import CAMERAS, LOGS, Kafka, Tracker, expected, once

STEPS = 150


def play(kafka: Kafka, rng: random.Random, *, zones: bool, by_transactions: bool = False) -> Tracker:
    """Do things to a tracker, and to Kafka."""
    tracker = Tracker(kafka, by_transactions=by_transactions)
    for _ in range(STEPS):
        what = rng.random()
        if what < 0.3:
            tracker.source.allow(rng.randint(1, 6))
        elif what < 0.85:
            topic = rng.choices(("events", "objects", "tracks"), (3, 3, 4))[0]
            tracker.outbox.acknowledge(topic, rng.randint(1, 10))
        elif what < 0.91:
            tracker = Tracker(kafka, by_transactions=by_transactions)  # the one before was killed
        elif what < 0.94 and kafka.tracks and not zones and not by_transactions:
            kafka.tracks.append(rng.choice(kafka.tracks[-8:]))  # one that was taken for dead writes what it had
            tracker = Tracker(kafka)
        elif what < 0.97 and len(tracker.source._next) == 2:
            number = rng.randint(0, 1)
            tracker.source.revoke(number)
            tracker.turn()
            tracker.source.give(number)
        elif zones:
            name = rng.choice(CAMERAS)
            kafka.zones[name] = None if kafka.zones[name] else zones_of(name)
        tracker.turn()
    return tracker


@settings(max_examples=24, deadline=None)
@given(st.integers(0, 2**32), st.integers(0, 2), st.booleans())
@example(3907576344, 0, False)  # a state that is overwritten by one which lacks nothing but a gap
@example(2968847736, 2, False)
def test_however_a_tracker_is_killed_and_overtaken_its_events_are_those_of_one_that_never_was(
    seed: int, which: int, with_zones: bool
) -> None:
    kafka = Kafka(LOGS[which])
    if with_zones:
        kafka.zones = {name: zones_of(name) for name in CAMERAS}
    play(kafka, random.Random(seed), zones=False).finish()
    wanted = expected(kafka)
    assert once(kafka.events) == wanted
    for name, now in kafka.objects.items():
        newest = {one.id: one for one in (decode(Event, value) for value in wanted[name])}
        right = {(one.id, one.n) for one in newest.values() if not one.end}
        assert {(one.id, one.n) for one in now.objects} == right, "what is open is right"


@settings(max_examples=24, deadline=None)
@given(st.integers(0, 2**32), st.integers(0, 2), st.booleans())
def test_with_transactions_every_event_is_on_kafka_once_however_a_tracker_is_killed(
    seed: int, which: int, zones: bool
) -> None:
    kafka = Kafka(LOGS[which])
    play(kafka, random.Random(seed), zones=zones, by_transactions=True).finish()
    events = [decode(Event, value) for value in kafka.events]
    assert max(Counter((one.id, one.n) for one in events).values()) == 1
    if not zones:
        assert once(kafka.events) == expected(kafka)
        for name, now in kafka.objects.items():
            still = {one.id for one in events if one.camera_id == name} - {one.id for one in events if one.end}
            assert {one.id for one in now.objects} == still, "what is open is right"


def test_with_transactions_what_was_decided_before_a_kill_is_told_once_by_those_who_come_after() -> None:
    kafka = Kafka(LOGS[0])
    tracker = Tracker(kafka, by_transactions=True)

    def step(one: Tracker, records: int = 0) -> None:
        one.source.allow(records)
        one.turn()
        one.outbox.acknowledge("", 0)

    while not any(one.objects for one in kafka.objects.values()):
        step(tracker, 1)
    tracker.driver.behind = dict.fromkeys(tracker.driver.partitions, 0)
    tracker.driver._heard_at = dict.fromkeys(tracker.driver.partitions, -1e9)  # nothing comes any more
    while not any(decode_state(value).untold for value in dict(kafka.tracks).values()):
        step(tracker)
    before = len(kafka.events)
    for _ in range(2):  # each takes over from one that was killed, and reads nothing new
        heir = Tracker(kafka, by_transactions=True)
        for _ in range(6):
            step(heir)
    assert len(kafka.events) > before
    Tracker(kafka, by_transactions=True).finish()
    assert max(Counter((one.id, one.n) for one in (decode(Event, value) for value in kafka.events)).values()) == 1


def test_probes_and_films_sent_over_http_are_no_cameras_and_nothing_is_told_of_them() -> None:
    errands = [encode(one) for name in ("groundcam-probe", f"job-{'0a' * 8}") for one in street(name, 25, 4, 7)]
    kafka = Kafka({number: [*errands, *records, *errands] for number, records in LOGS[0].items()})
    Tracker(kafka).finish()
    plain = Kafka(LOGS[0])
    Tracker(plain).finish()
    assert {name: len(told) for name, told in once(kafka.events).items()} == {
        name: len(told) for name, told in once(plain.events).items()
    }
    assert {name for name, _ in kafka.tracks} == set(kafka.objects) == set(CAMERAS)
    assert [one.offset for one in kafka.committed.values()] == [len(records) for records in kafka.log.values()]


@settings(max_examples=14, deadline=None)
@given(st.integers(0, 2**32), st.integers(0, 2))
@example(2816, 0)  # a partition that comes back before the checkpoint is through in which it left
def test_zones_that_change_in_the_middle_of_kills_never_tell_an_event_in_two_ways(seed: int, which: int) -> None:
    kafka = Kafka(LOGS[which])
    play(kafka, random.Random(seed), zones=True).finish()
    for events in once(kafka.events).values():
        by_id: dict[str, list[int]] = {}
        for value in events:
            event = decode(Event, value)
            by_id.setdefault(event.id, []).append(event.n)
        assert all(numbers == list(range(len(numbers))) for numbers in by_id.values()), "no number is missing"


@pytest.mark.parametrize("junk", [b"junk", b"\x82\xa6schema\xa8tracks/0\xa5state\x80"])
def test_states_that_cannot_be_read_are_made_again_from_the_answers(
    junk: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    kafka = Kafka(LOGS[0])
    play(kafka, random.Random(1), zones=False)
    kafka.tracks += [(name, junk) for name in CAMERAS]
    Tracker(kafka).finish()
    assert once(kafka.events) == expected(kafka)
    assert "its kept state is not used" in caplog.text
    assert "are old: their answers are read again" in caplog.text
