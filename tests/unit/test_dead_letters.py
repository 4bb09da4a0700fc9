"""What is decided about dead letters, without a broker."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from command_line import run
from footage import frame, jpeg
from groundcam.dead_letters.letters import (
    Letter,
    LetterFilter,
    check_id,
    contents,
    letter_of,
)
from groundcam.dead_letters.replay import Planner, original
from groundcam.dead_letters.report import as_object, as_text, table
from groundcam.errors import DeadLetterError
from groundcam.since import since_ms
from groundcam_runtime.records import Consumed, Partition
from groundcam_schemas import DeadLetter, Topics, encode

TOPICS = Topics("t.")
NOW_S = 1_900_000_000.0


def letter(
    value: bytes = b"x", *, offset: int = 7, headers: tuple[tuple[str, bytes], ...] = (), **origin: object
) -> Letter:
    """A letter that lay on t.frames[3]@5, unless `origin` says otherwise."""
    fields = {"topic": TOPICS.frames, "partition": 3, "offset": 5, "timestamp_ms": 1_899_999_000_000,
              "error_class": "BadPictureError", "error_text": "no end", "camera_id": "gate", "run_id": "r", "seq": 4}  # fmt: skip
    dead = DeadLetter.model_validate(fields | origin)
    record = Consumed(
        Partition(TOPICS.dead_letters, 0), offset, 1_899_999_001_000, b"gate", value, (*headers, *dead.headers()), 0
    )
    return letter_of(record)


def planner(*, as_recording: bool = False, limit: int | None = None, max_age_s: float = 3.0) -> Planner:
    partitions = {TOPICS.frames: 4, TOPICS.recordings: 2}
    return Planner(TOPICS, partitions, dict.fromkeys(partitions, limit), max_age_s, as_recording)


@pytest.mark.parametrize("text", ["", "7", "0@", "@7", "-1@7", "0@x", "0@1@2", "0@" + "9" * 30])
def test_what_is_no_id_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="no id of a dead letter"):
        check_id(text)


def test_an_id_is_its_place() -> None:
    assert letter().id == check_id("00@007") == "0@7"


@pytest.mark.parametrize(("text", "seconds"), [("90s", 90), ("15m", 900), ("2h", 7200), ("3d", 259_200)])
def test_a_time_ago_is_read(text: str, seconds: int) -> None:
    assert since_ms(text, NOW_S) == (NOW_S - seconds) * 1000


def test_a_time_of_the_clock_is_read() -> None:
    at = datetime(2030, 1, 31, 14, 0, tzinfo=UTC)
    assert since_ms("2030-01-31T14:00:00Z", NOW_S) == at.timestamp() * 1000
    assert since_ms("2030-01-31T14:00", NOW_S) == at.replace(tzinfo=None).timestamp() * 1000
    for text in ("yesterday", "2 h", "1e3s", "-5m", ""):
        with pytest.raises(ValueError, match="neither like 2h nor a time"):
            since_ms(text, NOW_S)


def test_a_wish_is_for_what_fits_all_of_it() -> None:
    one = letter()
    for fits in (
        LetterFilter(),
        LetterFilter(frozenset(["0@7"])),
        LetterFilter(camera="gate", error="badpictureerror", since_ms=1_899_999_001_000),
    ):
        assert fits.fits(one)
    for misses in (
        LetterFilter(frozenset(["0@8"])),
        LetterFilter(camera="yard"),
        LetterFilter(error="Bad"),
        LetterFilter(camera="gate", since_ms=1_899_999_001_001),
    ):
        assert not misses.fits(one)


def test_a_letter_goes_back_to_its_partition_while_there_is_one() -> None:
    assert str(planner().plan(letter(), NOW_S)) == "t.frames[3]"
    assert str(planner().plan(letter(topic=TOPICS.recordings, partition=1), NOW_S)) == "t.recordings[1]"
    gone = planner().plan(letter(topic=TOPICS.recordings), NOW_S)
    assert (str(gone), gone.partition) == ("t.recordings", None)
    assert str(planner(as_recording=True).plan(letter(partition=1), NOW_S)) == "t.recordings[1]"


@pytest.mark.parametrize(
    ("one", "says"),
    [
        (letter(topic="t.detections"), "0@7 cannot be replayed: it lay on t.detections, which is neither"),
        (letter(topic="other.frames"), "it lay on other.frames"),
        (Letter(letter().record, None), "its headers do not say where it lay"),
        (letter(b"x" * 2000), r"2\d\d\d bytes are more than the 2000 of t.frames"),
    ],
)
def test_what_cannot_go_back_is_told_in_a_sentence(one: Letter, says: str) -> None:
    with pytest.raises(DeadLetterError, match=says):
        planner(limit=2000).plan(one, NOW_S)


def test_only_an_old_live_frame_is_late() -> None:
    def captured(seconds_ago: float) -> bytes:
        return encode(frame("gate", 0, jpeg()).model_copy(update={"captured_at_ns": int((NOW_S - seconds_ago) * 1e9)}))

    assert planner().plan(letter(captured(10)), NOW_S).is_late
    assert planner().plan(letter(b"\xff\xd8\xff"), NOW_S).is_late  # by when it was sent
    assert not planner().plan(letter(captured(1)), NOW_S).is_late
    assert not planner(max_age_s=0).plan(letter(captured(10)), NOW_S).is_late
    assert not planner(as_recording=True).plan(letter(captured(10)), NOW_S).is_late
    assert not planner().plan(letter(captured(10), topic=TOPICS.recordings, partition=0), NOW_S).is_late


def test_a_message_goes_back_as_it_came_but_for_where_it_has_been() -> None:
    theirs = (("content-type", b"application/msgpack"), ("origin", b"\xff"), ("groundcam-replayed-from", b"0@1"))
    one = letter(b"\x00payload", headers=theirs)
    record = original(one, planner().plan(one, NOW_S))
    assert (record.topic, record.partition, record.key, record.value) == (TOPICS.frames, 3, b"gate", b"\x00payload")
    assert record.headers == (*theirs[:2], ("groundcam-replayed-from", b"0@7"))


@pytest.mark.parametrize("key", [None, b"", b"\xff\x01"])
def test_a_key_goes_back_byte_for_byte(key: bytes | None) -> None:
    one = letter()
    one = Letter(replace(one.record, key=key), one.origin)
    assert original(one, planner().plan(one, NOW_S)).key_bytes == key


@pytest.mark.parametrize(("origin", "what"), [
    ({"value_bytes": 4_194_000}, "its value of 4194000 bytes and its headers were"),
    ({"value_bytes": 3, "key_bytes": 4_000_000}, "its value of 3 bytes and its key of 4000000 bytes and its headers were"),
])  # fmt: skip
def test_a_letter_without_the_message_says_so_and_is_not_replayed(origin: dict[str, object], what: str) -> None:
    one = letter(b"", **origin)
    sentence = f"{what} too large to be put aside: they are on t.frames[3]@5 while Kafka keeps them"
    assert contents(one).errors == (sentence,)
    assert sentence in as_text(one, contents(one))
    assert "bytes, of something else" not in as_text(one, contents(one))
    row = as_object(one)
    assert (row["bytes"], row["left_out"]) == (origin["value_bytes"], True)
    assert f"{origin['value_bytes']} left out" in table([row])
    with pytest.raises(DeadLetterError, match="0@7 cannot be replayed: its value of"):
        planner().plan(one, NOW_S)


def test_an_empty_message_is_not_taken_for_one_that_was_left_out() -> None:
    one = letter(b"")
    assert as_object(one)["left_out"] is False
    assert str(planner().plan(one, NOW_S)) == "t.frames[3]"


def test_a_letter_is_looked_into() -> None:
    good, cut = jpeg(), jpeg()[:-100]
    whole = contents(letter(encode(frame("gate", 3, good))))
    assert (whole.frame is not None, whole.size, whole.errors) == (True, (320, 240), ())
    plain = contents(letter(good))
    assert (plain.frame, plain.jpeg, plain.size) == (None, good, (320, 240))
    bad = contents(letter(encode(frame("gate", 3, cut))))
    assert bad.frame is not None
    assert (bad.size, bad.errors) == (None, ("the picture is bad: its end is missing",))
    neither = contents(letter(encode(frame("gate", 3, good)).replace(b"frame/1", b"frame/9")))
    assert (neither.frame, neither.jpeg) == (None, None)
    assert neither.errors[0].startswith("neither a frame (schema: 'frame/9")


def test_nothing_that_was_sent_steers_a_terminal() -> None:
    evil = "\x1b]0;owned\x07\n"
    one = letter(b"\x1b[2J", error_text=evil, camera_id=evil, headers=((evil, evil.encode()),))
    for text in (as_text(one, contents(one)), table([as_object(one)])):
        assert all(line.isprintable() for line in text.splitlines())
        assert "[2J" not in text
    assert "BadPictureError" in table([as_object(one)])


@pytest.mark.parametrize(
    ("arguments", "names"),
    [
        (["replay"], "--all"),
        (["replay", "0@1", "--all"], "--all"),
        (["replay", "--all", "--camera", "gate"], "--all"),
        (["replay", "first"], "'first'"),
        (["show", "7"], "'7'"),
        (["list", "--since", "soon"], "--since"),
        (["list", "--limit", "0"], "--limit"),
    ],
)
def test_wrong_options_are_one_sentence(arguments: list[str], names: str) -> None:
    done = run("dead-letters", *arguments)
    assert (done.returncode, len(done.stderr.strip().splitlines())) == (2, 1), done.stderr
    assert names in done.stderr


@pytest.mark.parametrize("command", ["list", "show", "replay"])
def test_dead_letter_commands_explain_themselves(command: str) -> None:
    assert f"groundcam dead-letters {command}" in run("dead-letters", command, "--help").stdout
