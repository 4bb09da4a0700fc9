"""How much a commit note says, and what is read of notes of other hands."""

import json
from collections.abc import Callable

import pytest

from groundcam_runtime.partitions.commit_note import MAX_AHEAD, MAX_BYTES, MAX_DISTANCE, CommitNote, read_note

EMPTY = len(CommitNote().text())


def longest(make: Callable[[str], CommitNote]) -> int:
    """How long the longest text of such a note is that still says everything, by the name of one camera."""
    texts = [make("x" * length).text() for length in range(3000, 3600)]
    whole = [len(text) for text in texts if read_note(text).whole]
    assert 0 < len(whole) < len(texts)
    assert whole == [len(text) for text in texts[: len(whole)]], "what is longer is cut"
    return max(whole)


def test_three_and_a_half_kilobytes_of_cameras_are_written_down() -> None:
    one = longest(lambda name: CommitNote(last={name: ("r", 1)}))
    assert MAX_BYTES - 20 <= one - EMPTY <= MAX_BYTES
    assert longest(lambda name: CommitNote(last={"gate": ("r", 1), name: ("r", 1), "yard": ("r", 1)})) == one


def test_wrong_clocks_are_part_of_them() -> None:
    one = longest(lambda name: CommitNote(last={"gate": ("r", 1), name: ("r", 1)}, clocks={"gate": 5}))
    assert MAX_BYTES - 20 <= one - EMPTY <= MAX_BYTES
    both = longest(lambda name: CommitNote(last={"gate": ("r", 1), name: ("r", 1)}, clocks={"gate": 5, "of nobody": 7}))
    assert both == one, "a clock of a camera that is not written down is not, either"


def test_what_does_not_fit_is_left_out_with_everything_that_is_older() -> None:
    note = CommitNote(last={"quiet": ("r", 1), "x" * 3600: ("r", 2), "gate": ("r", 3)}, clocks={"quiet": 5, "gate": 6})
    read = read_note(note.text())
    assert read == CommitNote(last={"gate": ("r", 3)}, whole=False, clocks={"gate": 6})


def test_a_note_of_nobody_says_that_nobody_works_there() -> None:
    assert read_note("") == CommitNote(in_use=False, last={}, whole=True, clocks={})


@pytest.mark.parametrize("version", [0, 2, -1, "1", None])
def test_a_note_of_another_version_says_nothing(version: object) -> None:
    text = json.dumps({"v": version, "in_use": True, "whole": True, "last": {"gate": ["r", 1]}})
    assert read_note(text) == CommitNote()


def test_a_note_from_before_notes_were_cut_is_whole() -> None:
    text = json.dumps({"v": 1, "in_use": False, "last": {"gate": ["r", 1]}})
    assert read_note(text) == CommitNote(in_use=False, last={"gate": ("r", 1)}, whole=True)


def test_a_delay_that_is_no_number_is_not_believed() -> None:
    told = {"gate": True, "yard": 1.5, "roof": "7", "lift": None, "door": -7}
    text = json.dumps({"v": 1, "in_use": False, "last": {}, "clocks": told})
    assert read_note(text).clocks == {"door": -7}
    assert read_note(text.replace('{"gate"', '[{"gate"').replace("-7}", "-7}]")).clocks == {}


@pytest.mark.parametrize(
    "text",
    [
        '{"v": 1, "in_use": true, "last": {"a": ["r", 1e400]}}',
        "[" * 3000,
        '{"v": 1, "in_use": true, "last": ' + '{"a":' * 2000,
    ],
)
def test_a_note_that_breaks_its_reader_says_nothing(text: str) -> None:
    assert read_note(text) == CommitNote()


def test_a_delay_beyond_all_time_is_not_believed() -> None:
    written = f'{{"v": 1, "in_use": true, "last": {{"a": ["r", 1]}}, "clocks": {{"a": -1{"0" * 400}, "b": 5}}}}'
    assert read_note(written).clocks == {"b": 5}


def test_what_is_answered_ahead_is_written_down_as_far_as_there_is_room_and_nothing_else_is_believed() -> None:
    note = CommitNote(last={"gate": ("r", 1)}, ahead=tuple(range(2, 2 + 2 * MAX_AHEAD)))
    assert read_note(note.text()).ahead == tuple(range(2, 2 + MAX_AHEAD))
    assert read_note(CommitNote(ahead=(3, MAX_DISTANCE, MAX_DISTANCE + 1)).text()).ahead == (3, MAX_DISTANCE)
    assert "ahead" not in CommitNote(last={"gate": ("r", 1)}).text(), "a note of before, where there is nothing"
    for told in ('[0, -1, true, 2.5, "3", null, 7]', "7", '{"7": 1}'):
        text = f'{{"v": 1, "in_use": true, "last": {{}}, "ahead": {told}}}'
        assert read_note(text).ahead == ((7,) if told.startswith("[") else ())


FRAME = len('{"v": 1, "in_use": false, "whole": true, }')


@pytest.mark.parametrize(("length", "is_whole"), [(3499, True), (3500, True), (3501, False)])
def test_3500_bytes_of_cameras_are_whole_and_no_byte_more(length: int, is_whole: bool) -> None:
    """Kafka takes 4,096, and what is answered ahead comes beside them."""
    spare = length + FRAME - len(CommitNote(last={"": ("r", 1)}).text())
    note = CommitNote(last={"x" * spare: ("r", 1)})
    assert read_note(note.text()).whole == is_whole
    assert len(note.text()) == (length + FRAME if is_whole else EMPTY + 1)


@pytest.mark.parametrize("kept", [50, 98])
def test_of_cameras_that_do_not_fit_as_many_are_kept_as_surely_do(kept: int) -> None:
    """Of each its place with braces, `{"...": ["r", 1]}`; beside them an empty list of clocks."""
    size = len('"last": {}, "clocks": {"": 0}')
    each = (3500 - size) // kept
    wide = 3500 - size - (kept - 1) * each
    spare = len('{"": ["r", 1]}')
    names = ["w" * (wide - spare), *(f"{number:0{each - spare}}" for number in range(kept - 1))]
    cameras = dict.fromkeys(["oldest" * 100, *names], ("r", 1))
    assert len(read_note(CommitNote(last=cameras).text()).last) == kept
    one_more = dict.fromkeys(["oldest" * 100, f"{names[0]}w", *names[1:]], ("r", 1))
    assert len(read_note(CommitNote(last=one_more).text()).last) == kept - 1
    clocks = dict.fromkeys(names[-10:], 7)
    slower = read_note(CommitNote(last=cameras, clocks=clocks).text())
    assert slower.clocks == clocks
    assert len(slower.last) < kept


def test_a_delay_of_2_to_the_53_is_the_largest_that_is_believed() -> None:
    told = {"a": 2**53, "b": 2**53 + 1, "c": -(2**53), "d": -(2**53) - 1}
    text = json.dumps({"v": 1, "in_use": False, "last": {}, "clocks": told})
    assert read_note(text).clocks == {"a": 2**53, "c": -(2**53)}


def test_sixty_four_records_ahead_are_noted_up_to_9999_behind_the_offset() -> None:
    assert len(read_note(CommitNote(ahead=tuple(range(1, 100))).text()).ahead) == 64
    text = json.dumps({"v": 1, "in_use": False, "last": {}, "ahead": [*range(1, 100)]})
    assert len(read_note(text).ahead) == 64
    for far in (9999, 10_000):
        told = json.dumps({"v": 1, "in_use": False, "last": {}, "ahead": [far]})
        assert read_note(told).ahead == read_note(CommitNote(ahead=(far,)).text()).ahead == (far,) * (far == 9999)
