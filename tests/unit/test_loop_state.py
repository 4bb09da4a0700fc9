"""Single stories of the loop's state machine."""

from collections.abc import Iterator
from typing import Any

import pytest

from groundcam_runtime.partitions.commit_note import CommitNote
from groundcam_runtime.records import Assigned, Consumed, Gone, Position
from groundcam_schemas import GapReason, Question
from groundcam_worker.errors import (
    BadPictureError,
    DetectorLostError,
    SandboxUnavailableError,
    UnansweredError,
)
from groundcam_worker.loop import events as on
from groundcam_worker.loop import instructions as do
from groundcam_worker.loop.batches import Job, Prepared
from invariants import validate
from loop_story import FOUND, IMAGE, OTHER, SHORT, P, Story, of


@pytest.fixture
def story() -> Iterator[Story]:
    one = Story()
    yield one
    validate(one.state)


def test_a_slow_picture_holds_its_own_camera_and_no_other(story: Story) -> None:
    story.ours()
    for offset, camera in enumerate(["slow", "slow", "quick"]):
        story.record(offset, camera)
    slow, other_quick, second = story.admitted(story.tick())
    cameras = [one.frame.id.camera_id for one in (slow, other_quick, second)]
    assert cameras == ["slow", "quick", "slow"]
    story(on.DecodeDone(other_quick, Prepared(IMAGE, "shape")))
    story(on.DecodeDone(second, Prepared(IMAGE, "shape")))
    (begin,) = of(do.Begin, story.tick())
    assert [job.origin.admitted.frame.id.camera_id for job in begin.batch.jobs] == ["quick"]
    story(on.DecodeDone(slow, Prepared(IMAGE, "shape")))
    (begin,) = of(do.Begin, story.tick())
    assert [job.origin.admitted.frame.id.seq for job in begin.batch.jobs] == [0, 1]


def test_a_picture_that_was_given_up_is_a_dead_letter_and_its_camera_goes_on(story: Story) -> None:
    story.ours()
    story.record(0)
    story.record(1)
    first, second = story.admitted(story.tick())
    story(on.DecodeDone(second, Prepared(IMAGE, "shape")))
    (letter,) = of(do.PublishLetter, story(on.DecodeDone(first, BadPictureError("not within 10 s"))))
    assert letter.rejected.id.seq == 0
    assert of(do.Begin, story.tick())


def test_a_partition_that_comes_back_in_another_epoch_finishes_nothing_of_the_first(story: Story) -> None:
    story.ours()
    story.record(0)
    (publication,) = of(do.PublishAnswer, story.detect(FOUND))
    story(Gone(frozenset([P])))
    story.ours(epoch=2)
    story(on.Delivered(publication))
    assert of(do.Commit, story.tick()) == []
    story.record(0)
    (again,) = of(do.PublishAnswer, story.detect(FOUND))
    story(on.Delivered(again))
    (commit,) = of(do.Commit, story.tick())
    assert commit.positions[P].offset == 1


def test_frames_of_a_partition_that_left_do_not_begin_at_the_detector(story: Story) -> None:
    story.ours()
    story.record(0)
    (admitted,) = story.admitted(story.tick())
    story(on.DecodeDone(admitted, Prepared(IMAGE, "shape")))
    story(Gone(frozenset([P])))
    assert of(do.Begin, story.tick()) == []
    assert story.state.is_idle


def test_a_dead_letter_is_answered_by_the_gap_that_follows_it(story: Story) -> None:
    story.ours()
    story(Consumed(P, 0, 0, b"gate", b"junk", (), story.ns))
    story.record(1)
    (answer,) = of(do.PublishAnswer, story.detect(FOUND))
    story(on.Delivered(answer))
    letter = next(one for one in story.state._outbox._unacknowledged if isinstance(one, do.PublishLetter))
    story(on.Delivered(letter))
    (noted,) = of(do.Commit, story.tick())
    assert noted.positions[P].offset == 0, "no gap has told its subscribers yet; the answer behind it is noted"
    (gap,) = of(do.PublishGap, story.tick(1.0))
    assert gap.gap.reason is GapReason.DEAD_LETTERED
    story(on.Delivered(gap))
    (commit,) = of(do.Commit, story.tick())
    assert commit.positions[P].offset == 2


def test_a_frame_that_does_not_fit_now_is_tried_again_and_not_dead_lettered(story: Story) -> None:
    story.ours()
    story.record(0)
    assert of(do.PublishLetter, story.detect(SHORT)) == []
    assert of(do.Decode, story.tick(0.4)) == []
    (admitted,) = story.admitted(story.tick(0.2))
    story(on.DecodeDone(admitted, Prepared(IMAGE, "shape")))
    (begin,) = of(do.Begin, story.tick())
    assert of(do.PublishAnswer, story(on.BatchDone(begin.batch, [FOUND], story.ns)))


def test_a_frame_that_never_fits_while_others_do_is_to_blame(story: Story) -> None:
    story.ours(P, OTHER)
    story.record(0, "large")
    letters = []
    for offset in range(40):
        story.now += 3.0
        story.record(offset, "small", OTHER)
        letters += of(do.PublishLetter, story.pump(lambda job: SHORT if job.shape == "large" else FOUND))
    (letter,) = letters
    assert letter.rejected.id.camera_id == "large"
    assert isinstance(letter.rejected.error, UnansweredError)


def test_a_device_on_which_nothing_fits_for_a_minute_ends_the_worker(story: Story) -> None:
    story.ours()
    story.record(0)
    failures: list[Any] = []
    while not failures and story.now < 1100.0:
        story.now += 3.0
        failures = of(do.Fail, story.pump(lambda _job: SHORT))
    assert isinstance(failures[0].error, DetectorLostError)


def test_while_memory_is_short_no_more_frames_are_begun_than_may_wait(story: Story) -> None:
    story.ours()
    for offset in range(40):
        story.record(offset)
    for _ in range(30):
        for admitted in story.admitted(story.tick()):
            story(on.DecodeDone(admitted, SHORT))
    assert len(story.state._retries) <= story.state._limits.pictures


def test_frames_and_jobs_of_others_share_a_batch_and_each_gets_its_own_answer(story: Story) -> None:
    story.ours()
    story.record(0)
    (admitted,) = story.admitted(story.tick())
    story(on.DecodeDone(admitted, Prepared(IMAGE, "shape")))
    story(on.JobOffered(Job(IMAGE, Question.of("dog"), "shape", 1, "somebody", lambda: True, "their call")))
    (begin,) = of(do.Begin, story.tick())
    assert len(begin.batch.jobs) == 2
    out = story(on.BatchDone(begin.batch, [FOUND, FOUND], story.ns))
    assert [one.origin for one in of(do.Reply, out)] == ["their call"]
    assert len(of(do.PublishAnswer, out)) == 1


def test_a_job_that_nobody_wants_any_more_is_not_begun(story: Story) -> None:
    story(on.JobOffered(Job(IMAGE, Question.of("dog"), "shape", 1, "somebody", lambda: False, "their call")))
    assert of(do.Begin, story.tick()) == []


def test_at_most_two_batches_are_at_the_detector(story: Story) -> None:
    story.ours()
    for offset in range(6):
        story.record(offset)
    for admitted in story.admitted(story.tick()):
        story(on.DecodeDone(admitted, Prepared(IMAGE, "shape")))
    begun = of(do.Begin, story.tick())
    assert [len(one.batch.jobs) for one in begun] == [2, 2]
    assert len(of(do.Begin, story(on.BatchDone(begun[0].batch, [FOUND] * 2, story.ns)) + story.tick())) == 1


def test_a_sandbox_that_cannot_be_had_leaves_the_frame_to_the_worker_itself(story: Story) -> None:
    story.ours(note=CommitNote(in_use=True).text())
    story.record(0)
    (mark,) = of(do.Mark, story.tick())
    (isolate,) = of(do.Isolate, story(on.AttemptMarked(mark.claim, 1)))
    out = story(on.SandboxDone(isolate.admitted, SandboxUnavailableError("no room"), 0, 1))
    assert [one.attempts for one in story.admitted(out)] == [2]


def test_a_mark_that_cannot_be_written_is_tried_again_after_a_second_and_marks_are_read_anew(story: Story) -> None:
    story.ours(note=CommitNote(in_use=True).text())
    story.record(0)
    (mark,) = of(do.Mark, story.tick())
    assert mark.read
    story(on.AttemptMarked(mark.claim, None))
    assert of(do.Mark, story.tick(0.9)) == []
    (again,) = of(do.Mark, story.tick(0.2))
    assert again.read


def test_nothing_else_begins_while_frames_are_in_quarantine(story: Story) -> None:
    story.ours(P, note=CommitNote(in_use=True).text())
    story(Assigned({OTHER: Position(0)}, 2))
    story.record(0)
    story.record(0, "other", OTHER)
    out = story.tick()
    assert of(do.Decode, out) == []
    (mark,) = of(do.Mark, out)
    story(on.AttemptMarked(mark.claim, 0))
    assert story.admitted(story.tick()) == []


def test_a_frame_that_waits_for_memory_is_through_before_another_is_tried_alone(story: Story) -> None:
    story.ours()
    story.record(0)
    (admitted,) = story.admitted(story.tick())
    story(on.DecodeDone(admitted, SHORT))
    story(Assigned({OTHER: Position(0, CommitNote(in_use=True).text())}, 2))
    story.record(0, "other", OTHER)
    assert of(do.Mark, story.tick()) == []
    assert of(do.PublishAnswer, story.pump(lambda _job: FOUND)) == []
    story.now += 1.0
    out = story.pump(lambda _job: FOUND)
    assert [one.answered.camera_id for one in of(do.PublishAnswer, out)] == ["gate"]
    assert [one.camera_id for one in of(do.Mark, out)] == ["other"]


def test_a_draining_loop_finishes_what_was_begun_and_begins_nothing(story: Story) -> None:
    story.ours()
    for offset in range(2):
        story.record(offset)
    admitted = story.admitted(story.tick())
    story.record(2)
    for one in admitted:
        story(on.DecodeDone(one, Prepared(IMAGE, "shape")))
    out = story.tick(draining=True)
    assert story.admitted(out) == []
    (begin,) = of(do.Begin, out)
    for publication in of(do.PublishAnswer, story(on.BatchDone(begin.batch, [FOUND] * 2, story.ns))):
        story(on.Delivered(publication))
    assert not story.state.is_idle, "its offsets are not committed yet"
    assert of(do.Commit, story.tick(draining=True))
    assert story.state.is_idle


def test_questions_of_many_passes_share_no_batch_with_others_and_come_in_smaller_ones(story: Story) -> None:
    story.ours()
    for offset, camera in enumerate(["cheap", "dear", "dear", "cheap"]):
        story.record(offset, camera)
    for admitted in story.admitted(story.tick()):
        cost = 32 if admitted.frame.id.camera_id == "dear" else 1
        story(on.DecodeDone(admitted, Prepared(IMAGE, "shape", cost)))
    begun = of(do.Begin, story.tick())
    begun += of(do.Begin, story(on.BatchDone(begun[0].batch, [FOUND] * len(begun[0].batch.jobs), story.ns)))
    begun += of(do.Begin, story.tick())
    assert sorted([job.cost for job in one.batch.jobs] for one in begun) == [[1, 1], [32], [32]]


def test_what_is_tried_again_keeps_within_the_bound_on_pictures() -> None:
    story = Story(max_picture_bytes=2 * 3 * 16 * 16)
    story.ours()
    for offset in range(6):
        story.record(offset)
    held = []
    for _ in range(40):
        out = story.tick(0.1)
        for admitted in story.admitted(out):
            story(on.DecodeDone(admitted, SHORT))
        held.append(len(story.state._pictures))
        for admitted in story.admitted(story.tick(0.1)):  # these are still being decoded at the next look
            held.append(len(story.state._pictures))
            story(on.DecodeDone(admitted, SHORT))
    assert max(held) <= 2


def test_the_time_that_a_frame_waited_for_memory_is_not_taken_for_the_detectors(story: Story) -> None:
    story.ours()
    story.record(0)
    story.detect(SHORT)
    story.now += 30.0
    assert of(do.PublishAnswer, story.pump(lambda _job: FOUND))
    assert story.state._freshness.lead_s < 1.0


def test_a_draining_loop_does_not_wait_for_answers_that_an_unread_frame_holds_back() -> None:
    """With transactions an answer goes together with those before it, and the frame before it only waits."""
    story = Story(by_transactions=True, max_picture_bytes=2 * 3 * 16 * 16)
    story.ours()
    for offset, camera in enumerate("aab"):
        story.record(offset, camera)
    admitted = story.admitted(story.tick())
    assert [one.frame.claim.offset for one in admitted] == [0, 2], "cameras take turns, and 1 waits"
    for one in admitted:
        story(on.DecodeDone(one, Prepared(IMAGE, "shape")))
    (begin,) = of(do.Begin, story.tick(draining=True))
    answers = of(do.PublishAnswer, story(on.BatchDone(begin.batch, [FOUND] * 2, story.ns)))
    (plan,) = of(do.Transact, story(on.TransactionDue(answers, {P: 1})))
    assert [one.answered.id.seq for one in plan.publications] == [0]
    assert not story.state.is_idle
    story(on.TransactionCommitted(plan.positions))
    story(on.Delivered(plan.publications[0]))
    story.tick(draining=True)
    assert story.state.is_idle


def test_a_draining_loop_leaves_a_quarantined_frame_that_waits_for_memory_to_the_next_worker(story: Story) -> None:
    story.ours(note=CommitNote(in_use=True).text())
    story.record(0)
    (mark,) = of(do.Mark, story.tick())
    (decode,) = of(do.Decode, story(on.AttemptMarked(mark.claim, 0)))
    story(on.DecodeDone(decode.admitted, SHORT))
    assert not story.state.is_idle
    assert of(do.ClearMarks, story.tick(draining=True)), "else its mark would count as a death"
    assert story.state.is_idle


def test_a_quarantined_frame_that_has_ended_a_process_and_never_fits_is_to_blame(story: Story) -> None:
    """Nothing else is tried beside it, so that no other frame's success can show it."""
    story.ours(note=CommitNote(in_use=True).text())
    story.record(0)
    (mark,) = of(do.Mark, story.tick())
    (isolate,) = of(do.Isolate, story(on.AttemptMarked(mark.claim, 1)))
    (decode,) = of(do.Decode, story(on.SandboxDone(isolate.admitted, SandboxUnavailableError("no"), 0, 1)))
    out = story(on.DecodeDone(decode.admitted, SHORT))
    while story.now < 1100.0:
        out += story.tick(3.0)
        for admitted in story.admitted(out):
            out = story(on.DecodeDone(admitted, SHORT))
        if of(do.PublishLetter, out):
            break
    (letter,) = of(do.PublishLetter, out)
    assert isinstance(letter.rejected.error, UnansweredError)
    assert of(do.Fail, out) == []
