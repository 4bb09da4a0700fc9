"""Dead letters on Apache Kafka: listed, looked into, and replayed until the auditor finds nothing missing."""

import json
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import pytest

from conftest import Program, Start, Wait
from footage import frame, jpeg, publisher
from groundcam.audit import audit, totals
from groundcam_runtime.kafka.reader import Reader
from groundcam_runtime.kafka.record import Record
from groundcam_runtime.kafka.topics import TopicAdmin, TopicSpec
from groundcam_runtime.records import Consumed
from groundcam_runtime.settings import KafkaSettings
from groundcam_schemas import DeadLetter, encode

pytestmark = pytest.mark.broker

WORK = ("work", "--model", "fake", "--question", "person", "--max-age-s", "0")


def command(start: Start, kafka: KafkaSettings, *arguments: object, code: int = 0) -> Program:
    """`groundcam dead-letters ...`, ended."""
    program = start(kafka, "dead-letters", *arguments)
    assert program.process.wait(60) == code, program.log
    return program


def listed(start: Start, kafka: KafkaSettings, *arguments: object) -> list[str]:
    """The ids that `list` prints for programs."""
    lines = command(start, kafka, "list", "--json", *arguments).out.splitlines()
    return [json.loads(line)["id"] for line in lines]


def send(kafka: KafkaSettings, topic: str, values: Sequence[bytes], camera: str = "gate", partition: int = 1) -> None:
    with publisher(kafka) as out:
        for value in values:
            out.send(Record(topic, value, camera, partition, (("origin", b"here"),)))
        out.flush(30)
        assert not out.unfinished


def put_aside(kafka: KafkaSettings, value: bytes, **told: object) -> None:
    """As a worker does it."""
    fields = {"topic": kafka.topics.frames, "partition": 1, "offset": 0, "timestamp_ms": 0, "error_class": "E"} | told
    letter = DeadLetter.model_validate(fields)
    with publisher(kafka) as out:
        headers = (("origin", b"here"), *letter.headers())
        out.send(Record(kafka.topics.dead_letters, value, letter.camera_id or "gate", headers=headers))
        out.flush(30)
        assert not out.unfinished


def on(kafka: KafkaSettings, topic: str) -> list[Consumed]:
    with Reader(kafka, [topic], start="beginning") as reader:
        return list(reader.to_the_end())


@pytest.mark.parametrize("as_recording", [True, False])
def test_a_frame_that_was_refused_is_replayed_and_answered(
    kafka: KafkaSettings, start: Start, wait: Wait, tmp_path: Path, as_recording: bool
) -> None:
    """A worker that takes small pictures only puts all three aside; one that takes larger ones gets two of them."""
    good = jpeg()
    values = [encode(frame("gate", seq, good)) for seq in range(2)]
    send(kafka, kafka.topics.frames, [*values, b"nonsense"])
    strict = start(kafka, *WORK, GROUNDCAM_WORK__MAX_PIXELS="100")
    wait(lambda: totals(audit(kafka)).dead_lettered == 3, 60, "the dead letters")
    assert strict.stop() == 0

    table = command(start, kafka, "list").out.splitlines()
    assert [line.split()[0] for line in table] == ["ID", "0@0", "0@1", "0@2"]
    assert "BadPictureError" in table[1]
    assert "more than 100" in table[1]
    assert "BadMessageError" in table[3]
    shown = command(start, kafka, "show", "0@1", "--save", tmp_path / "saved.jpg")
    for words in (
        f"lay on {kafka.topics.frames}[1]@1", "BadPictureError: it has 320x240 pixels, more than 100", "run run-1, seq 1",
        "320x240 of a source of 640x480", "the picture can be read: 320x240", "origin: here",
    ):  # fmt: skip
        assert words in shown.out
    assert (tmp_path / "saved.jpg").read_bytes() == good

    to = ["--as-recording"] if as_recording else []
    topic = kafka.topics.recordings if as_recording else kafka.topics.frames
    before = len(on(kafka, topic))
    assert f"0@0: would go to {topic}[1]" in command(start, kafka, "replay", "--all", "--dry-run", *to).out
    assert len(on(kafka, topic)) == before
    done = command(start, kafka, "replay", "--error", "BadPictureError", *to)
    assert done.out.splitlines() == [f"0@0: on {topic}[1] again", f"0@1: on {topic}[1] again", "2 replayed"]
    again = on(kafka, topic)[before:]
    assert [record.value for record in again] == values
    assert {(record.key, record.partition.number) for record in again} == {(b"gate", 1)}
    assert [record.headers for record in again] == [
        (("origin", b"here"), ("groundcam-replayed-from", name)) for name in (b"0@0", b"0@1")
    ]

    start(kafka, *WORK)
    wait(lambda: totals(audit(kafka)).detected == 2, 60, "the answers")
    total = totals(audit(kafka))
    assert (total.detected, total.dead_lettered, total.missing, total.conflicting_ids) == (2, 1, 0, 0)


def test_dead_letters_are_chosen_by_what_they_are(kafka: KafkaSettings, start: Start) -> None:
    for number, (camera, error) in enumerate([("gate", "A"), ("yard", "A"), ("gate", "B"), ("gate", "A")]):
        put_aside(kafka, b"x" * number, camera_id=camera, error_class=error, run_id="r", seq=number)
    assert listed(start, kafka) == ["0@0", "0@1", "0@2", "0@3"]
    assert listed(start, kafka, "--camera", "gate", "--error", "a") == ["0@0", "0@3"]
    assert listed(start, kafka, "--limit", 2) == ["0@2", "0@3"]
    assert listed(start, kafka, "--since", "1h") == ["0@0", "0@1", "0@2", "0@3"]
    nothing = command(start, kafka, "list", "--since", "2999-01-01")
    assert (nothing.out, "none of the 4 dead letters" in nothing.log) == ("", True)
    done = command(start, kafka, "replay", "--camera", "yard")
    assert done.out.splitlines()[-1] == "1 replayed"
    assert [record.key for record in on(kafka, kafka.topics.frames)] == [b"yard"]
    row = json.loads(command(start, kafka, "show", "0@2", "--json").out)
    assert (row["camera_id"], row["error_class"], row["seq"], row["bytes"], row["frame"]) == ("gate", "B", 2, 2, None)
    assert row["problems"] == ["neither a frame (is not readable as msgpack (ExtraData)) nor a JPEG"]


def test_what_is_not_there_is_one_sentence(kafka: KafkaSettings, start: Start) -> None:
    where = f"{kafka.topics.dead_letters} on {kafka.bootstrap_servers}"
    empty = f"groundcam: there are no dead letters on {where}\n"
    assert command(start, kafka, "list").log == empty
    for arguments in (("show", "0@0"), ("replay", "--all"), ("replay", "0@0")):
        assert command(start, kafka, *arguments, code=1).log == empty
    put_aside(kafka, b"x")
    absent = f"groundcam: there is no dead letter 0@9 on {where}\n"
    assert command(start, kafka, "show", "0@9", code=1).log == absent
    assert command(start, kafka, "replay", "0@0", "0@9", code=1).log == absent
    assert on(kafka, kafka.topics.frames) == []
    none = command(start, kafka, "replay", "--error", "Nosuch", code=1)
    assert none.log == f"groundcam: none of the 1 dead letters on {where} is like that\n"


def test_what_cannot_go_back_holds_nothing_else_up(kafka: KafkaSettings, start: Start) -> None:
    """Of another topic, or larger than the topic takes now."""
    small = kafka.model_copy(update={"topic_prefix": f"{kafka.topic_prefix}small."})
    with closing(TopicAdmin(kafka)) as admin:
        specs = [TopicSpec(small.topics.frames, 1, {"max.message.bytes": "20000"})]
        specs += [TopicSpec(name, 1, {}) for name in (small.topics.recordings, small.topics.dead_letters)]
        admin.ensure(specs, None)
    put_aside(small, b"x" * 30_000)
    put_aside(small, b"x", topic="elsewhere")
    put_aside(small, b"good", partition=7)
    large = r"0@0 cannot be replayed: 3"
    assert large in command(start, small, "replay", "0@0", "0@2", code=1).log
    assert on(small, small.topics.frames) == []

    done = command(start, small, "replay", "--all", code=1)
    assert done.out.splitlines() == [f"0@2: on {small.topics.frames} again", "1 replayed, 2 not"]
    assert large in done.log
    assert f"are more than the 20000 of {small.topics.frames}" in done.log
    assert "0@1 cannot be replayed: it lay on elsewhere, which is neither" in done.log
    assert "is a live frame older than work.max_age_s (3 s), which a worker may skip as stale" in done.log
    assert [record.value for record in on(small, small.topics.frames)] == [b"good"]
    aside = command(start, small, "replay", "0@0", "--as-recording")
    assert aside.out.splitlines() == [f"0@0: on {small.topics.recordings} again", "1 replayed"]
    assert "stale" not in aside.log


def test_a_file_is_never_written_over_and_no_payload_reaches_a_terminal(
    kafka: KafkaSettings, start: Start, tmp_path: Path
) -> None:
    put_aside(kafka, b"\x1b[2Jsecret")
    saved = tmp_path / "letter.bin"
    for code in (0, 2):
        shown = command(start, kafka, "show", "0@0", "--save", saved, code=code)
        assert "secret" not in shown.out + shown.log
    assert saved.read_bytes() == b"\x1b[2Jsecret"
    assert f"{saved}: File exists" in shown.log
