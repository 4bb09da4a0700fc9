"""What strangers wrote, where it is shown: nothing of it steers a terminal or passes for a line of ours."""

import io
import json
import logging
import unicodedata
from collections.abc import Iterator

import msgpack
import pytest

from groundcam_runtime import logs
from groundcam_runtime.printable import printable, printable_json
from groundcam_runtime.question_text import parse_question
from groundcam_schemas import CameraQuestion, Frame, Question, SchemaError, decode
from groundcam_schemas.codec import VERSIONS
from groundcam_worker.errors import QuestionError

LONE = "\ud800"
STEERING = [
    "\x1b[2J", "\x1b]0;title\x07", "\n12:00:00 ERROR groundcam: forged", "\r", "\x00", "\x08", "\x7f", "\x85", "\x9b31m",
    "\u202e", "\u2066", "\u200f", "\u061c", "\u2028", "\u2029", "\ufeff", "\u200b", "\ud800", "\U000e0041",
]  # fmt: skip
PERSIAN = "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645"
"""A word with a joiner."""
WELCOME = [
    "person",
    "Füße",
    "красная машина",
    "日本の猫",
    PERSIAN,
    "👩\u200d🚒",
    "a b",
    'c\'est-à-dire "x" \\n',
]


@pytest.fixture(params=["human", "json"])
def log(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[io.StringIO]:
    """What a process writes, in each form."""
    root = logging.getLogger()
    monkeypatch.setattr(root, "handlers", list(root.handlers))
    stream = io.StringIO()
    before = root.level
    logs.configure(request.param, "info", stream)
    yield stream
    logs.configure("human")
    root.setLevel(before)


def steers(text: str) -> bool:
    return any(
        unicodedata.category(one) in ("Cc", "Cf", "Cs", "Zl", "Zp") and one not in "\u200c\u200d" for one in text
    )


# A lone surrogate in a captured log line ends a process of pytest-xdist, which sends it as UTF-8.
@pytest.mark.parametrize("text", [one for one in STEERING if one != LONE], ids=ascii)
def test_what_steers_is_escaped_wherever_it_is_shown(text: str, log: io.StringIO) -> None:
    assert steers(text)
    assert not steers(printable(f"a{text}b"))
    assert not steers(printable_json({"text": f"a{text}b"}))
    assert json.loads(printable_json({"text": f"a{text}b"})) == {"text": f"a{text}b"}
    logging.getLogger("gate").warning("a label %s", text, extra={"camera": f"x{text}"})
    try:
        raise ValueError(text)
    except ValueError:
        logging.getLogger("gate").exception("it failed")
    written = log.getvalue()
    assert not steers(written.replace("\n", ""))
    assert not any(line.startswith("12:00:00") for line in written.splitlines())


def test_half_of_a_character_is_escaped_too() -> None:
    assert printable(LONE) == "\\ud800"
    assert json.loads(printable_json({"text": LONE})) == {"text": LONE}
    assert printable_json({"text": LONE}).isascii()


@pytest.mark.parametrize("text", WELCOME, ids=ascii)
def test_what_people_write_is_shown_as_it_is(text: str) -> None:
    assert printable(text) == text
    assert parse_question(text.replace('"', ""))[1].labels


@pytest.mark.parametrize("text", [one for one in STEERING if one.strip() == one and one not in {LONE, "\x85"}])
def test_a_question_with_control_characters_is_refused_in_a_sentence(text: str) -> None:
    inside = f"per{text}son" if "\n" not in text else "per\x1bson"
    with pytest.raises(
        QuestionError, match=r"the character U\+[0-9A-F]+ at position 4 is a control character"
    ) as refused:
        parse_question(inside)
    assert not steers(str(refused.value))


def test_an_old_message_with_such_a_phrase_is_a_bad_question_and_no_crash() -> None:
    old = {"schema": VERSIONS[CameraQuestion], "camera_id": "gate", "classes": [{"phrase": "a\x1b[2J"}]}
    with pytest.raises(SchemaError, match=r"classes.0.phrase: the character U\+001B") as refused:
        decode(CameraQuestion, msgpack.packb(old))
    assert not steers(str(refused.value))
    frame = {
        "schema": VERSIONS[Frame], "camera_id": "gate", "run_id": "r", "seq": 0, "captured_at_ns": 0, "width": 8,
        "height": 8, "source_width": 8, "source_height": 8, "data": b"x",
        "question": {"classes": [{"phrase": "a\nb"}]},
    }  # fmt: skip
    with pytest.raises(SchemaError, match=r"question\.classes\.0\.phrase"):
        decode(Frame, msgpack.packb(frame))
    assert Question.of(PERSIAN)


def test_a_line_about_a_message_has_its_place_as_fields_for_machines() -> None:
    record = logging.makeLogRecord({"msg": "bad", "name": "x", "levelname": "WARNING"})
    record.__dict__ |= {"camera": "gate", "topic": "frames", "partition": 0, "offset": 12, "frames": 3}
    line = json.loads(logs.JsonFormatter().format(record))
    assert {name: line[name] for name in logs.FIELDS} == {
        "camera": "gate",
        "topic": "frames",
        "partition": 0,
        "offset": 12,
        "frames": 3,
    }


def test_what_we_say_of_the_broker_does_not_wait_behind_the_clients_own_chatter() -> None:
    now = 0.0
    chatter = logs.KafkaChatter(lambda: now)

    def passes(name: str, message: str, *arguments: object) -> bool:
        record = logging.makeLogRecord(
            {"name": name, "msg": message, "args": arguments, "levelno": logging.ERROR, "levelname": "ERROR"}
        )
        return chatter.filter(record)

    assert passes("kafka.net.connection", "socket disconnected")
    assert not passes("kafka.net.connection", "socket disconnected")
    assert passes(logs.OURS, "offsets were not committed (%s)", "x")
    assert not passes(logs.OURS, "offsets were not committed (%s)", "y")
    assert passes(logs.OURS, "%s; %d records wait", "refused", 3)
    now = logs.QUIET_S
    assert passes(logs.OURS, "offsets were not committed (%s)", "z")
