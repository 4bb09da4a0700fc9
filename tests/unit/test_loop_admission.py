"""Frames that wait for admission: what they take, whose turn is next, and who is tried alone."""

import pytest

from groundcam_runtime.partitions.commit_note import CommitNote
from groundcam_runtime.partitions.partition import Claim, PartitionState
from groundcam_runtime.records import Gone, Partition
from groundcam_schemas import GapReason
from groundcam_worker.errors import BadPictureError
from groundcam_worker.frames import NS, Admitted, Answered, Decoded, Received, Rejected, Replied, Skipped, Stamps
from groundcam_worker.loop import instructions as do
from groundcam_worker.loop.admission import AdmissionQueue
from groundcam_worker.loop.batches import Batch, Job
from groundcam_worker.policy.limits import SHED_EVERY_S, Limits
from groundcam_worker.policy.picture_budget import PictureBudget
from groundcam_worker.quarantine.quarantine import Quarantine
from loop_frames import PARTITION, WIDE, an_answer, ours, received

IN_USE = CommitNote(in_use=True).text()


def test_a_frame_says_what_it_takes_before_and_after_it_is_decoded() -> None:
    assignment = ours()
    plain = received(assignment, 0, value=WIDE)
    enveloped = received(assignment, 1)
    assert plain.picture_bytes == enveloped.picture_bytes == 64 * 16 * 3
    assert plain.memory == len(WIDE)
    assert enveloped.memory == enveloped.record.size + len(WIDE), "its JPEG is a copy"


def test_frames_of_one_camera_on_two_partitions_have_lanes_of_their_own() -> None:
    assignment = ours()
    gate, again, yard = received(assignment, 0), received(assignment, 1), received(assignment, 2, "yard")
    assert gate.lane == again.lane != yard.lane
    elsewhere = Received(
        Claim(Partition("frames", 1), 0, gate.claim.state), gate.record, gate.content, is_live=True
    )  # fmt: skip
    assert elsewhere.lane != gate.lane


def test_what_is_published_about_a_frame_knows_its_camera_and_keeps_no_bytes() -> None:
    one = received(ours(), 0)
    answer = an_answer(one)
    assert (answer.camera_id, answer.record.value, answer.stamps) == ("gate", None, Stamps(0, 0, 0, 0))
    assert Skipped(one.claim, one.record, one.id, GapReason.STALE).camera_id == "gate"
    rejected = Rejected(one.claim, one.record, one.id, BadPictureError("x"))
    assert (rejected.camera_id, rejected.attempts) == ("gate", 1)
    assert Rejected(one.claim, one.record, None, BadPictureError("x")).camera_id == "unknown"
    assert NS == 10**9


@pytest.mark.parametrize(
    "kind",
    [Claim, PartitionState, Received, Admitted, Decoded, Answered, Replied, Skipped, Rejected, Job, Batch,
     do.PublishAnswer, do.PublishGap, do.PublishLetter, do.PublishReply],
)  # fmt: skip
def test_what_there_is_one_of_is_itself_and_not_what_looks_like_it(kind: type) -> None:
    """Two frames may be alike to the last bit; and pictures cannot be compared at all."""
    assert kind.__eq__ is object.__eq__
    assert kind.__hash__ is object.__hash__


class Queue:
    """An admission queue whose frames are stale, or not ours, where a test says so."""

    def __init__(self, suspects: int = 0) -> None:
        self.assignment = ours(suspects, IN_USE if suspects else "")
        self.stale: set[int] = set()
        self.queue = AdmissionQueue(
            self.assignment.is_ours, lambda frame: frame.claim.offset in self.stale,
            Limits(calm_s=10.0),
        )  # fmt: skip
        self.pictures: PictureBudget[Claim] = PictureBudget(2, 10**6)

    def push(self, *offsets: int, now_s: float = 0.0) -> list[Received]:
        frames = [received(self.assignment, offset) for offset in offsets]
        for frame in frames:
            self.queue.push(frame, now_s)
        return frames


def test_the_queue_is_searched_for_stale_frames_twenty_times_a_second() -> None:
    one = Queue()
    assert one.queue.deadline is None
    first, second = one.push(0, 1, now_s=100.0)
    assert one.queue.shed(100.0) == []
    assert one.queue.deadline == 100.0 + SHED_EVERY_S
    one.stale = {0}
    assert one.queue.shed(100.0 + SHED_EVERY_S / 2) == [], "not yet"
    assert one.queue.shed(100.0 + SHED_EVERY_S) == [first]
    assert one.queue.deadline == pytest.approx(100.0 + 2 * SHED_EVERY_S)
    one.stale = {1}
    assert one.queue.shed(109.0) == [second]
    assert one.queue.deadline is None


def test_the_first_search_does_not_wait() -> None:
    one = Queue()
    one.stale = {0}
    assert one.push(0) == one.queue.shed(SHED_EVERY_S)


def test_frames_that_are_suspect_wait_in_quarantine_and_take_memory_there() -> None:
    one = Queue(suspects=2)
    suspect, another, usual = one.push(0, 1, 2)
    assert one.queue.quarantine.waiting == (suspect, another)
    assert one.queue.bytes == suspect.memory + another.memory + usual.memory
    assert one.queue.claims == [usual.claim, suspect.claim, another.claim]
    assert one.queue.pop(one.pictures, 0.0) is None, "nothing else is begun"
    assert one.queue.mark(one.pictures, 0.0) == (suspect, True)
    assert one.queue.claims == [usual.claim, another.claim, suspect.claim]
    assert one.queue.bytes == another.memory + usual.memory


def test_nothing_is_marked_while_pictures_are_in_work() -> None:
    one = Queue(suspects=1)
    one.push(0)
    one.pictures.hold(one.push(1)[0].claim, 10)
    assert one.queue.mark(one.pictures, 0.0) is None


def test_stale_frames_and_those_of_others_leave_quarantine_without_an_attempt() -> None:
    one = Queue(suspects=3)
    first, second, _ = one.push(0, 1, 2)
    one.stale = {0, 1}
    assert one.queue.shed(0.0) == [first, second], "also between two searches of the backlog"
    one.assignment.leave(Gone(frozenset([PARTITION])))
    assert [frame.claim.offset for frame in one.queue.shed(0.0)] == [2]
    assert (one.queue.bytes, one.queue.quarantine.is_active) == (0, False)


def test_a_frame_leaves_the_queue_when_there_is_room_for_its_picture() -> None:
    one = Queue()
    first, second = one.push(0, 1)
    one.pictures = PictureBudget(2, 2 * first.picture_bytes)
    assert one.queue.pop(one.pictures, 0.0) is first
    one.pictures.hold(first.claim, first.picture_bytes + 1)
    assert one.queue.pop(one.pictures, 0.0) is None
    one.pictures.hold(first.claim, first.picture_bytes)
    assert one.queue.pop(one.pictures, 0.0) is second
    assert one.queue.pop(one.pictures, 0.0) is None


def test_frames_of_a_partition_that_was_revoked_leave_the_queue_at_once() -> None:
    one = Queue()
    one.push(0, 1)
    one.assignment.leave(Gone(frozenset([PARTITION])))
    one.queue.drop_revoked()
    assert (one.queue.bytes, one.queue.claims) == (0, [])


def test_in_quarantine_one_frame_after_the_other_has_its_turn() -> None:
    assignment = ours()
    first, second = received(assignment, 0), received(assignment, 1)
    quarantine = Quarantine()
    assert (quarantine.is_active, quarantine.begin(0.0)) == (False, None)
    for one in (first, second):
        quarantine.push(one)
    assert (quarantine.is_active, quarantine.bytes) == (True, first.memory + second.memory)
    assert quarantine.begin(0.0) == (first, True)
    assert (quarantine.current, quarantine.waiting, quarantine.bytes) == (first, (second,), second.memory)
    assert quarantine.begin(9.0) is None, "the first is not through"
    assert quarantine.done(second.claim) is False, "it is not its turn"
    assert quarantine.done(first.claim) is False, "another one waits"
    assert (quarantine.current, quarantine.is_active) == (None, True)
    assert quarantine.begin(9.0) == (second, False), "nobody else has written marks meanwhile"
    assert quarantine.is_active
    assert quarantine.done(second.claim) is True, "the last mark can be taken back"
    assert (quarantine.is_active, quarantine.bytes, quarantine.done(second.claim)) == (False, 0, False)
    quarantine.expect_marks()
    quarantine.push(first)
    assert quarantine.begin(9.0) == (first, True)


def test_a_mark_that_failed_is_written_again_after_a_second_with_the_same_frame_first() -> None:
    assignment = ours()
    first, second = received(assignment, 0), received(assignment, 1)
    quarantine = Quarantine()
    quarantine.failed(0.0)
    assert quarantine.waiting == ()
    for one in (first, second):
        quarantine.push(one)
    quarantine.begin(5.0)
    quarantine.failed(5.0)
    assert (quarantine.waiting, quarantine.bytes) == ((first, second), first.memory + second.memory)
    assert quarantine.begin(5.9) is None
    assert quarantine.begin(6.0) == (first, True)
    quarantine.done(first.claim)
    quarantine.drop(lambda _frame: True)


def test_the_first_frames_that_are_due_leave_quarantine_and_no_later_one() -> None:
    assignment = ours()
    frames = [received(assignment, offset) for offset in range(3)]
    quarantine = Quarantine()
    for one in frames:
        quarantine.push(one)
    assert quarantine.drop(lambda frame: frame.claim.offset != 1) == [frames[0]]
    assert (quarantine.waiting, quarantine.bytes) == ((frames[1], frames[2]), frames[1].memory + frames[2].memory)
