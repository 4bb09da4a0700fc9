"""Streams on Apache Kafka: recorded, replayed elsewhere, and read as they were."""

import itertools
from pathlib import Path

import pytest

from conftest import Start, Wait
from groundcam import subscribe, subscribe_events
from groundcam.testing import Story, Stream, cases, record, walks
from groundcam_runtime.settings import KafkaSettings

pytestmark = pytest.mark.broker


def test_a_story_on_kafka_is_what_subscribers_read(kafka: KafkaSettings) -> None:
    story = Story().shows(2, walks("person")).gap(1).nothing(1)
    Stream.of([*story, *story.events()]).publish(settings=kafka)
    assert list(itertools.islice(subscribe(settings=kafka, start="beginning"), 16)) == list(story)
    told = story.events()
    assert list(itertools.islice(subscribe_events(settings=kafka, start="beginning"), len(told))) == told


def test_what_is_recorded_is_replayed_byte_for_byte(
    kafka: KafkaSettings, start: Start, wait: Wait, tmp_path: Path
) -> None:
    for case in cases():
        case.stream.publish(settings=kafka)
    file, again = tmp_path / "stream", tmp_path / "again"
    recorder = start(kafka, "stream", "record", file, "--from-beginning")
    assert recorder.process.wait(30) == 0, recorder.log
    kept = Stream.load(file)
    assert f"{len(kept.records)} records" in recorder.log
    assert len(kept.records) == sum(len(case.stream.records) for case in cases())

    player = start(kafka, "stream", "replay", file)
    assert player.process.wait(30) == 0, player.log
    assert record(again, settings=kafka) == 2 * len(kept.records)
    twice = Stream.load(again).records
    for topic, key in {(one.topic, one.key) for one in kept.records}:
        mine = [(one.value, one.headers) for one in kept.records if (one.topic, one.key) == (topic, key)]
        assert [(one.value, one.headers) for one in twice if (one.topic, one.key) == (topic, key)] == mine * 2


def test_a_recording_ends_after_so_many_records_or_so_long(kafka: KafkaSettings, start: Start, tmp_path: Path) -> None:
    Stream.of(Story().nothing(10)).publish(settings=kafka)
    some = start(kafka, "stream", "record", tmp_path / "some", "--from-beginning", "--count", "7")
    none = start(kafka, "stream", "record", tmp_path / "none", "--topic", "events", "--for", "500ms")
    assert (some.process.wait(30), none.process.wait(30)) == (0, 0)
    assert (len(Stream.load(tmp_path / "some").records), len(Stream.load(tmp_path / "none").records)) == (7, 0)


def test_what_cannot_be_recorded_or_replayed_is_told(kafka: KafkaSettings, start: Start, tmp_path: Path) -> None:
    (tmp_path / "text").write_text("no stream")
    tries = {
        ("record", tmp_path / "file", "--topic", "moods"): "there is no moods",
        ("record", tmp_path / "missing" / "file", "--from-beginning"): "cannot be written: No such file or directory",
        ("replay", tmp_path / "text"): "is no stream of groundcam",
        ("replay", tmp_path / "nowhere"): "cannot be read: No such file or directory",
    }
    for words, sentence in tries.items():
        program = start(kafka, "stream", *words)
        assert program.process.wait(30) == 2, words
        assert sentence in program.log
