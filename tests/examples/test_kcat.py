"""kcat's lines do what their page says."""

import json
from collections import Counter

import pytest

from example_commands import LINES, Shell
from example_topics import Filled
from groundcam_schemas import Detections, Gap, decode_answer, rfc3339
from npm import has

pytestmark = pytest.mark.broker


def run(shell: Shell, words: str, one: Filled, *needed: str, **variables: str) -> list[str]:
    """Run the one example with these words, where these topics are; returns the lines that it prints."""
    has("kcat", *needed)
    (line,) = [each for each in LINES if words in each]
    line = line.replace("localhost:9092", one.kafka.bootstrap_servers).replace("groundcam.", one.kafka.topic_prefix)
    done = shell.run(line, one.kafka, **variables)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.splitlines()


@pytest.mark.parametrize("as_json", [True, False])
def test_labels_are_counted_from_headers_in_either_form(
    filled: dict[bool, Filled], shell: Shell, as_json: bool
) -> None:
    one = filled[as_json]
    lines = [line.split(maxsplit=1) for line in run(shell, "uniq -c", one)]
    expected = Counter(f"label={label}" for a in one.detections for label in {thing.label for thing in a.objects})
    assert {name: int(count) for count, name in lines} == expected


def with_a_forklift(one: Filled) -> list[Detections]:
    """Of those that are JSON: msgpack lies among them."""
    answers = [a for a in one.in_json if isinstance(a, Detections)]
    return [a for a in answers if "forklift" in {thing.label for thing in a.objects}]


def test_frames_are_chosen_by_their_label_with_jq(in_json: Filled, shell: Shell) -> None:
    assert run(shell, "jq -r", in_json, "jq") == [
        f"{a.camera_id}\t{rfc3339(a.captured_at_ns)}\t{', '.join(thing.label for thing in a.objects)}"
        for a in with_a_forklift(in_json)
    ]


def test_frames_are_chosen_by_their_label_without_jq(in_json: Filled, shell: Shell) -> None:
    printed = "\n".join(run(shell, "label=forklift[", in_json)).replace("\n}\n{", "\n}\0{").split("\0")
    assert [decode_answer(one.encode()) for one in printed] == with_a_forklift(in_json)


def test_gaps_are_chosen_by_their_schema(in_json: Filled, shell: Shell) -> None:
    printed = run(shell, "schema=gap", in_json)
    gaps = [one for one in in_json.in_json if isinstance(one, Gap)]
    assert sorted(json.dumps(json.loads(line), sort_keys=True) for line in printed)
    assert sorted(map(repr, (decode_answer(line.encode()) for line in printed))) == sorted(map(repr, gaps))


def test_the_picture_of_an_event_is_its_best_one(in_json: Filled, shell: Shell) -> None:
    event_id, picture = next(iter(in_json.pictures.items()))
    run(shell, "best.jpg", in_json, EVENT_ID=event_id)
    assert (shell.folder / "best.jpg").read_bytes() == picture


def test_every_line_of_the_page_is_run_here() -> None:
    assert len(LINES) == 5
