"""What a commit says of the frames before its offset."""

from groundcam_runtime.partitions.offsets import MAX_CAMERAS, OffsetLedger
from groundcam_schemas import FrameId


def finished(ledger: OffsetLedger, *frames: FrameId | None) -> None:
    for frame in frames:
        offset = ledger.next_offset
        ledger.begin(offset, frame)
        ledger.finish(offset)


def test_a_frame_that_was_replayed_does_not_move_what_is_known_of_its_camera_back() -> None:
    """Else the next owner would take the frames in between for deleted ones."""
    ledger = OffsetLedger({"gate": ("r", 41)})
    finished(ledger, FrameId("gate", "r", 42), FrameId("gate", "r", 7))
    assert ledger.last == {"gate": ("r", 42)}


def test_a_new_run_begins_where_it_begins() -> None:
    ledger = OffsetLedger({"gate": ("r", 41)})
    finished(ledger, FrameId("gate", "r2", 0))
    assert ledger.last == {"gate": ("r2", 0)}


def test_frames_are_known_once_everything_before_them_is_answered() -> None:
    ledger = OffsetLedger()
    ledger.begin(0, FrameId("gate", "r", 0))
    ledger.begin(1, FrameId("yard", "r", 5))
    ledger.finish(1)
    assert ledger.last == {}
    ledger.finish(0)
    assert ledger.last == {"gate": ("r", 0), "yard": ("r", 5)}


def test_of_more_cameras_than_it_remembers_the_longest_silent_are_forgotten() -> None:
    ledger = OffsetLedger({"silent": ("r", 1), "gate": ("r", 1)})
    for number in range(MAX_CAMERAS + 50):
        finished(ledger, FrameId(f"invented-{number}", "r", 0), FrameId("gate", "r", 2 + number))
        assert len(ledger.last) <= MAX_CAMERAS
        assert next(reversed(ledger.last)) == "gate", "who was heard of last is forgotten last"
    assert "silent" not in ledger.last
    assert ledger.last["gate"] == ("r", MAX_CAMERAS + 51)
    assert f"invented-{MAX_CAMERAS + 49}" in ledger.last


def test_what_is_no_frame_of_anybody_is_answered_and_not_remembered() -> None:
    ledger = OffsetLedger()
    finished(ledger, None)
    assert (ledger.last, ledger.end) == ({}, 1)


def test_a_new_run_counts_whatever_its_name_and_its_numbers_are() -> None:
    for run in ("a", "z"):
        ledger = OffsetLedger({"gate": ("m", 41)})
        finished(ledger, FrameId("gate", run, 0))
        assert ledger.last == {"gate": (run, 0)}


def test_who_repeats_itself_has_been_heard_of() -> None:
    ledger = OffsetLedger({"gate": ("r", 1), "yard": ("r", 1)})
    finished(ledger, FrameId("gate", "r", 1))
    assert [*ledger.last] == ["yard", "gate"]


def test_a_thousand_cameras_are_remembered() -> None:
    ledger = OffsetLedger()
    finished(ledger, *(FrameId(f"cam{number}", "r", 0) for number in range(1000)))
    assert len(ledger.last) == 1000
    finished(ledger, FrameId("one more", "r", 0))
    assert len(ledger.last) == 1000
    assert "cam0" not in ledger.last
