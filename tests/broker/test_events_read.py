"""Events on Apache Kafka, read by subscribers, by `watch --events` and by `event`; zones set by the command line."""

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

import groundcam.event_subscriber as subscriber
from conftest import Start, Wait
from footage import jpeg, publisher
from groundcam import subscribe_events
from groundcam.command_line import app
from groundcam.errors import EventError
from groundcam.event_subscriber import follow_events
from groundcam_runtime.events.filter import EventFilter
from groundcam_runtime.kafka.camera_zones import camera_zones
from groundcam_runtime.kafka.reader import Reader
from groundcam_runtime.kafka.record import Record
from groundcam_runtime.settings import KafkaSettings
from groundcam_schemas import Cause, Event, ObjectsNow
from groundcam_schemas.codec import VERSIONS
from told_events import ZONES, keep_picture, open_after, tell, tell_open, walk

pytestmark = pytest.mark.broker

ALL = EventFilter()


def names(events: list[Event]) -> list[tuple[str, int]]:
    return [(one.id, one.n) for one in events]


def take(stream: Iterator[Event | None], count: int) -> list[Event]:
    """The next so many events; fails where they do not come."""
    found: list[Event] = []
    deadline = time.monotonic() + 30
    while len(found) < count:
        event = next(stream)
        if event is not None:
            found.append(event)
        assert time.monotonic() < deadline, names(found)
    return found


def is_quiet(stream: Iterator[Event | None]) -> bool:
    """Whether nothing comes for a moment."""
    return next(stream) is None


def state_of(events: list[Event]) -> dict[str, tuple[int, bool]]:
    """What somebody who reads these events believes: of each object its number, and whether it is open."""
    return {one.id: (one.n, one.end is None) for one in events}


@pytest.fixture
def mine(kafka: KafkaSettings, monkeypatch: pytest.MonkeyPatch) -> KafkaSettings:
    """The command line in this process talks to this Kafka."""
    monkeypatch.setenv("GROUNDCAM_KAFKA__BOOTSTRAP_SERVERS", kafka.bootstrap_servers)
    monkeypatch.setenv("GROUNDCAM_KAFKA__TOPIC_PREFIX", kafka.topic_prefix)
    return kafka


@pytest.mark.parametrize("middle", [1, 4, -1])
def test_a_late_subscriber_is_right_at_once_and_then_as_one_that_was_there_from_the_beginning(
    kafka: KafkaSettings, middle: int
) -> None:
    events = walk()
    before, after = events[:middle], events[middle:]
    tell(kafka, *before)
    tell_open(kafka, open_after(before))
    late = follow_events(kafka, ALL, "open", drop_repeats=True)
    there = open_after(before).objects
    first = take(late, len(there))
    assert sorted(names(first)) == sorted(names(list(there)))
    assert is_quiet(late)
    tell(kafka, *after)
    then = take(late, len(after))
    assert names(then) == names(after)
    early = list(take(follow_events(kafka, ALL, "beginning", drop_repeats=True), len(events)))
    known = {one.id for one in (*first, *then)}
    assert state_of([*first, *then]) == {name: state for name, state in state_of(early).items() if name in known}


def test_what_comes_while_somebody_begins_is_neither_missed_nor_told_twice(
    kafka: KafkaSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The tracker goes on between the look at the ends and the look at the list."""
    events = walk()
    tell(kafka, *events[:3])
    tell_open(kafka, open_after(events[:3]))
    original = subscriber.open_now

    def meanwhile(settings: KafkaSettings, reader: Reader) -> object:
        tell(kafka, *events[3:8])
        tell_open(kafka, open_after(events[:8]))
        return original(settings, reader)

    monkeypatch.setattr(subscriber, "open_now", meanwhile)
    late = follow_events(kafka, ALL, "open", drop_repeats=True)
    first = take(late, len(open_after(events[:8]).objects))
    assert sorted(names(first)) == sorted(names(list(open_after(events[:8]).objects)))
    known = {one.id: one.n for one in first}
    news = [one for one in events[3:] if one.n > known.get(one.id, -1)]
    tell(kafka, *events[8:])
    assert names(take(late, len(news))) == names(news), "of what is open nothing comes twice or goes back"
    assert is_quiet(late)


def test_a_list_that_is_a_moment_behind_the_events_makes_nobody_wrong(kafka: KafkaSettings) -> None:
    """It still has an object that has ended, and not yet one that has appeared."""
    events = walk()
    end = next(index for index, one in enumerate(events) if one.end is not None)
    appeared = [index for index, one in enumerate(events) if one.cause is Cause.APPEARED]
    tell_open(kafka, open_after(events[: appeared[-1]]))
    tell(kafka, *events[: end + 1])
    late = follow_events(kafka, ALL, "open", drop_repeats=True)
    there = open_after(events[: end + 1]).objects
    assert len(there) == 1
    assert names(take(late, 1)) == names(list(there))
    assert is_quiet(late)


def test_what_is_written_again_comes_once(kafka: KafkaSettings) -> None:
    """As after a tracker's death, which goes on from what it last knew."""
    events = walk()
    tell(kafka, *events[:6], *events[2:9], *events[4:])
    assert names(take(follow_events(kafka, ALL, "beginning", drop_repeats=True), len(events))) == names(events)
    again = take(follow_events(kafka, ALL, "beginning", drop_repeats=False), 6 + 7 + len(events) - 4)
    assert names(again) == names([*events[:6], *events[2:9], *events[4:]])


def test_a_subscriber_chooses_and_what_is_no_event_is_passed_over(kafka: KafkaSettings) -> None:
    events, others = walk(), walk("pier")
    with publisher(kafka) as out:
        out.send(Record(kafka.topics.events, b"of another program", "gate"))
        out.flush(30)
    tell(kafka, *others, *events)
    stream = subscribe_events(settings=kafka, cameras=["gate"], labels=["person"], causes=["line_crossed"],
                              start="beginning")  # fmt: skip
    crossed = next(stream)
    assert (crossed.camera_id, crossed.label, crossed.lines[-1].name) == ("gate", "person", "door")
    alerts = subscribe_events(
        settings=kafka, zones=["yard"], severity="alert", start="beginning", causes=["zone_dwelt"]
    )
    assert {next(alerts).camera_id, next(alerts).camera_id} == {"gate", "pier"}
    with pytest.raises(ValueError, match="there is no cause 'left'; there are appeared"):
        next(subscribe_events(settings=kafka, causes=["left"]))


def test_watch_prints_a_line_for_each_event(kafka: KafkaSettings, start: Start, wait: Wait) -> None:
    events = walk()
    tell(kafka, *events)
    people = [one for one in events if one.label == "person"]
    watching = start(kafka, "watch", "--events", "--label", "person", "--from-beginning", "--count", str(len(people)))
    assert watching.process.wait(60) == 0, watching.log
    lines = watching.out.splitlines()
    assert len(lines) == len(people)
    for words in (
        "person appeared ",
        "person entered yard",
        "person has been in yard for 2.",
        "person crossed door: in [alert]",
        "person left yard after ",
        "person ended: it left the picture, it was there for ",
    ):
        assert any(words in line for line in lines), (words, lines)
    assert all(line.startswith("gate         ") and people[0].id[:12] in line for line in lines)
    tell_open(kafka, open_after(events))
    late = start(kafka, "watch", "--events", "--json", "--camera", "gate", "--count", "1")
    assert late.process.wait(60) == 0, late.log
    (shown,) = map(json.loads, late.out.splitlines())
    assert (shown["schema"], shown["label"], shown["type"]) == (VERSIONS[Event], "car", "update")


def test_an_object_is_found_by_the_beginning_of_its_id_and_its_whole_life_is_shown(
    mine: KafkaSettings, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    events, others = walk(), walk("pier")
    tell(mine, *others, *events, *events[:3])
    person = next(one.id for one in events if one.label == "person" and one.camera_id == "gate")
    lived = [one for one in events if one.id == person]

    def said(*arguments: str) -> str:
        app(["event", *arguments], standalone_mode=False)
        return capsys.readouterr().out

    listed = said("list", "--camera", "gate", "--since", "1h").splitlines()
    assert [line.split()[1:3] for line in listed] == [["CAMERA", "LABEL"], ["gate", "person"], ["gate", "car"]]
    assert [line.split()[2] for line in said("list", "--zone", "door").splitlines()[1:]] == ["person", "person"]
    assert said("list", "--since", "2999-01-01T00:00") == ""
    tell_open(mine, open_after(events), open_after(others, "pier"))
    still = [json.loads(line) for line in said("list", "--open", "--json").splitlines()]
    assert [(one["camera_id"], one["label"], one["end"]) for one in still] == [
        ("gate", "car", None),
        ("pier", "car", None),
    ]
    life = said("show", person[:8])
    assert life.startswith(f"person in front of gate, {person}\n")
    assert len([line for line in life.splitlines() if line[4:5].isdigit()]) == len(lived)
    assert "crossed door: in" in life
    shown = [json.loads(line) for line in said("show", person, "--json").splitlines()]
    assert [one["n"] for one in shown] == [one.n for one in lived], "each once, in order"
    with pytest.raises(EventError, match="there is no event of ffffffff on"):
        said("show", "ffffffff")
    picture = tmp_path / "best.jpg"
    with pytest.raises(EventError, match=f"there is no picture of {person}"):
        said("show", person[:12], "--picture", str(picture))
    keep_picture(mine, person, b"", "expired: Kafka has deleted the frame")
    with pytest.raises(EventError, match="expired: Kafka has deleted the frame"):
        said("show", person[:12], "--picture", str(picture))
    for seed, name in ((1, person), (2, person), (3, "another")):
        keep_picture(mine, name, jpeg(seed))
    keep_picture(mine, person, b"", "expired: Kafka has deleted the frame")
    said("show", person[:12], "--picture", str(picture))
    assert picture.read_bytes() == jpeg(2), "the newest one that could be had"


def test_zones_that_are_set_by_options_or_by_a_file_are_the_same_message(
    mine: KafkaSettings, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    def zones(*arguments: str) -> str:
        app(["zones", *arguments], standalone_mode=False)
        return capsys.readouterr().out

    polygon = "0.3,0,0.7,0,0.7,1,0.3,1"
    said = zones(
        "set", "gate", "--zone", f"yard={polygon}", "--dwell", "yard=2", "--severity", "yard=alert", "--line",
        "door=0.5,0,0.5,1", "--to-right", "out", "--to-left", "door=in", "--force",
    )  # fmt: skip
    by_options = camera_zones(mine)["gate"]
    assert by_options.version == ZONES.version
    assert ZONES.version in said
    assert (by_options.set_by != "", by_options.set_at_ns > 0) == (True, True)
    file = tmp_path / "zones.yaml"
    file.write_text(zones("show", "gate") + "pier: {lines: {quay: {start: [0, 0.5], end: [1, 0.5]}}}\n")
    assert yaml.safe_load(file.read_text())["gate"]["zones"]["yard"]["dwell_s"] == 2
    zones("remove", "gate")
    assert list(camera_zones(mine)) == []
    zones("set", "--file", str(file), "--force")
    assert camera_zones(mine)["gate"].version == ZONES.version
    listed = [json.loads(line) for line in zones("list", "--json").splitlines()]
    assert [(one["camera_id"], len(one["zones"]), len(one["lines"])) for one in listed] == [
        ("gate", 1, 1),
        ("pier", 0, 1),
    ]
    zones("set", "gate", "--zone", "dock=0,0,0.2,0.2", "--add")
    assert [one.name for one in camera_zones(mine)["gate"].zones] == ["yard", "dock"]
    zones("remove", "gate", "dock")
    assert camera_zones(mine)["gate"].version == ZONES.version
    zones("remove", "pier", "quay")
    with Reader(mine, [mine.topics.zones], start="beginning") as reader:
        nulls = [record.key for record in reader.to_the_end() if record.value is None]
    assert nulls == [b"gate", b"pier"], "the last one takes the message along"


def test_an_empty_list_is_no_reason_to_wait(kafka: KafkaSettings) -> None:
    tell_open(kafka, ObjectsNow(camera_id="gate", partition=0, offset=0))
    assert is_quiet(follow_events(kafka, ALL, "open", drop_repeats=True))
