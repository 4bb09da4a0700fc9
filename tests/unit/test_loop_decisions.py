"""What the loop decides at each of its forks: bounds, deadlines, stamps, verdicts."""

from typing import Any

import pytest

from groundcam_runtime.partitions.commit_note import CommitNote
from groundcam_runtime.records import Assigned, Consumed, Gone, Position
from groundcam_schemas import GapReason, Question
from groundcam_worker.errors import FatalFrameError, UnansweredError
from groundcam_worker.frames import Instant, Stamps
from groundcam_worker.loop import events as on
from groundcam_worker.loop import instructions as do
from groundcam_worker.loop.batches import Batch, Prepared
from groundcam_worker.policy.limits import SHED_EVERY_S
from groundcam_worker.policy.questions import Questions
from loop_story import FOUND, IMAGE, NS, OTHER, SHORT, P, Story, of

IN_USE = CommitNote(in_use=True).text()
ODD = UnansweredError("odd")


def decoded(story: Story, count: int = 1) -> list[Any]:
    """Let so many frames come and be decoded; return them."""
    for offset in range(count):
        story.record(offset)
    admitted = story.admitted(story.tick())
    for one in admitted:
        story(on.DecodeDone(one, Prepared(IMAGE, "shape")))
    return admitted


def begun(story: Story, count: int = 1) -> Batch:
    decoded(story, count)
    (begin,) = of(do.Begin, story.tick())
    batch = begin.batch
    assert isinstance(batch, Batch)
    return batch


def gaps(out: list[do.Instruction]) -> list[GapReason]:
    return [one.gap.reason for one in of(do.PublishGap, out)]


def test_records_are_taken_until_what_waits_fills_its_memory() -> None:
    story = Story(max_waiting_bytes=10**9)
    story.ours()
    story.record(0)
    size = story.state.waiting_bytes
    assert size > 0
    for most, has_room in ((size + 1, True), (size, False), (size - 1, False)):
        story = Story(max_waiting_bytes=most)
        story.ours()
        assert story.state.has_room
        story.record(0)
        assert story.state.has_room is has_room


def test_records_are_taken_until_too_many_are_unanswered() -> None:
    story = Story()
    story.ours()

    def open_one(offset: int) -> None:
        """Of no frame, so that it takes no memory; and without a look at all of them after each."""
        record = Consumed(P, offset, 0, b"gate", b"junk", (), 0)
        story.state.handle(record, Instant(story.now, story.ns))

    for offset in range(1023):
        open_one(offset)
    assert story.state.has_room
    for offset in (1023, 1024):
        open_one(offset)
        assert not story.state.has_room


def test_a_loop_is_idle_when_nothing_is_in_work_and_kafka_has_everything() -> None:
    story = Story()
    assert story.state.is_idle
    story.ours()
    batch = begun(story)
    assert not story.state.is_idle, "a picture is at the detector"
    (answer,) = of(do.PublishAnswer, story(on.BatchDone(batch, [FOUND], story.ns)))
    assert not story.state.is_idle, "Kafka has not got the answer"
    story(on.Delivered(answer))
    assert not story.state.is_idle, "it is not committed"
    story.tick()
    assert story.state.is_idle
    story.record(1)
    assert story.state.is_idle, "what only waits, the next worker reads"


def test_a_loop_with_a_frame_in_quarantine_is_not_idle() -> None:
    story = Story()
    story.ours(note=IN_USE)
    story.record(0)
    assert story.state.is_idle
    story.tick()
    assert not story.state.is_idle


def test_a_loop_without_work_waits_for_nothing() -> None:
    story = Story()
    story.ours()
    assert story.state.deadline(draining=False) is None


def test_the_next_moment_is_that_of_the_first_thing_that_is_due() -> None:
    story = Story(batch_wait_s=0.02)
    story.ours()
    begun(story)
    story.record(1)
    (admitted,) = story.admitted(story.tick())
    story(on.DecodeDone(admitted, Prepared(IMAGE, "shape")))
    for draining in (False, True):
        assert story.state.deadline(draining=draining) == pytest.approx(story.now + 0.02), "a batch"
    story = Story(Questions([("gate", Question.of("a"))]))
    story.ours()
    story.record(0, "yard")
    story.tick()
    for draining in (False, True):
        assert story.state.deadline(draining=draining) == story.now + 1.0, "a gap"


def test_frames_that_wait_are_looked_at_again_unless_the_loop_is_draining() -> None:
    story = Story()
    story.ours()
    decoded(story, 7)  # as many as there is room for, and one
    story.record(7)
    story.tick()
    assert story.state.deadline(draining=False) == story.now + SHED_EVERY_S
    assert story.state.deadline(draining=True) != story.now + SHED_EVERY_S


def test_what_waits_for_memory_is_tried_again_unless_the_loop_is_draining() -> None:
    story = Story()
    story.ours()
    batch = begun(story)
    story(on.BatchDone(batch, [SHORT], story.ns))
    assert story.state.deadline(draining=False) == story.now + 0.5
    assert story.state.deadline(draining=True) is None


def test_an_answer_says_when_its_frame_passed_each_stage() -> None:
    story = Story()
    story.ours()
    story.record(0)
    (admitted,) = story.admitted(story.tick(1.0))
    story(on.DecodeDone(admitted, Prepared(IMAGE, "shape")), after_s=2.0)
    (begin,) = of(do.Begin, story.tick(4.0))
    (answer,) = of(do.PublishAnswer, story(on.BatchDone(begin.batch, [FOUND], 1015 * NS), after_s=16.0))
    assert answer.answered.stamps == Stamps(1001 * NS, 1003 * NS, 1007 * NS, 1015 * NS)
    assert story.freshness.lead_s == 14.0, "so long the next frame will need from its admission to its answer"


def test_a_frame_that_is_not_answered_says_nothing_of_how_long_answers_take() -> None:
    story = Story()
    story.ours()
    story(on.BatchDone(begun(story, 2), [ODD, SHORT], story.ns + 9 * NS))
    assert story.freshness.lead_s == 0.0


def test_in_the_sandbox_a_frame_is_stamped_by_it() -> None:
    story = Story()
    story.ours(note=IN_USE)
    story.record(0)
    (mark,) = of(do.Mark, story.tick())
    (isolate,) = of(do.Isolate, story(on.AttemptMarked(mark.claim, 3)))
    assert isolate.admitted.attempts == 4
    out = story(on.SandboxDone(isolate.admitted, FOUND, 5, 7))
    (answer,) = of(do.PublishAnswer, out)
    assert answer.answered.stamps == Stamps(batched=5, inferred=7)
    assert answer.answered.attempts == 4
    assert of(do.ClearMarks, out) == [do.ClearMarks()]


@pytest.mark.parametrize(("deaths", "expected"), [(0, do.Decode), (1, do.Isolate), (4, do.Isolate), (5, do.PublishLetter), (6, do.PublishLetter)])  # fmt: skip
def test_a_frame_that_ended_processes_is_tried_apart_and_in_the_end_put_aside(deaths: int, expected: type) -> None:
    story = Story()
    story.ours(note=IN_USE)
    story.record(0)
    (mark,) = of(do.Mark, story.tick())
    assert mark.camera_id == "gate"
    out = story(on.AttemptMarked(mark.claim, deaths))
    assert [type(one) for one in out if isinstance(one, do.Decode | do.Isolate | do.PublishLetter)] == [expected]
    for letter in of(do.PublishLetter, out):
        assert isinstance(letter.rejected.error, FatalFrameError)
        assert letter.rejected.attempts == deaths + 1
        assert of(do.ClearMarks, out)


def test_a_mark_of_another_frame_than_the_one_whose_turn_it_is_says_nothing() -> None:
    story = Story()
    story.ours(note=IN_USE)
    story.record(0)
    story.record(1)
    other = story.state._admission.quarantine.waiting[1].claim
    assert story(on.AttemptMarked(other, 0)) == [], "nobody's turn yet"
    (mark,) = of(do.Mark, story.tick())
    assert story(on.AttemptMarked(other, 0)) == []
    assert of(do.Decode, story(on.AttemptMarked(mark.claim, 0)))


def test_the_last_mark_is_taken_back_and_no_earlier_one() -> None:
    story = Story()
    story.ours(note=IN_USE)
    story.record(0)
    story.record(1)
    cleared = []
    for _ in range(2):
        (mark,) = of(do.Mark, story.tick())
        (isolate,) = of(do.Isolate, story(on.AttemptMarked(mark.claim, 1)))
        cleared.append(len(of(do.ClearMarks, story(on.SandboxDone(isolate.admitted, FOUND, 5, 7)))))
    assert cleared == [0, 1]


def test_what_happens_in_the_sandbox_to_a_frame_that_is_another_members_by_now_does_not_matter() -> None:
    story = Story()
    story.ours(note=IN_USE)
    story.record(0)
    (mark,) = of(do.Mark, story.tick())
    (isolate,) = of(do.Isolate, story(on.AttemptMarked(mark.claim, 1)))
    story(Gone(frozenset([P])))
    out = story(on.SandboxDone(isolate.admitted, ODD, 5, 7))
    assert of(do.PublishLetter, out) == []
    assert story.state.is_idle


def test_partitions_that_are_taken_on_are_marked_as_in_use_and_their_clocks_recalled() -> None:
    story = Story()
    note = CommitNote(last={"gate": ("r", 6)}, clocks={"gate": 7000}).text()
    (commit,) = story(Assigned({P: Position(7, note), OTHER: None}, 1))
    assert isinstance(commit, do.Commit)
    assert commit.written
    assert {partition: one.offset for partition, one in commit.positions.items()} == {P: 7}
    assert story.freshness.remembered("gate") == 7000


def test_frames_that_have_become_too_old_while_they_waited_are_skipped() -> None:
    story = Story(max_age_s=3.0)
    story.ours()
    decoded(story, 7)
    for offset in range(7, 10):
        story.record(offset)
    story.tick()
    out = story.tick(4.0)
    assert [one.reason for one in of(do.FramesDropped, out)] == [GapReason.STALE] * 4
    assert gaps(story.tick(1.0)) == [GapReason.STALE]


def test_a_frame_that_is_too_old_when_its_mark_is_written_is_skipped() -> None:
    story = Story(max_age_s=3.0)
    story.ours(note=IN_USE)
    story.record(0)
    (mark,) = of(do.Mark, story.tick())
    out = story(on.AttemptMarked(mark.claim, 0), after_s=4.0)
    assert [one.reason for one in of(do.FramesDropped, out)] == [GapReason.STALE]
    assert of(do.ClearMarks, out)
    assert story.state._admission.quarantine.current is None


def test_a_frame_that_is_too_old_when_its_memory_comes_is_skipped() -> None:
    story = Story(max_age_s=3.0)
    story.ours()
    story(on.BatchDone(begun(story), [SHORT], story.ns))
    out = story.tick(4.0)
    assert [one.reason for one in of(do.FramesDropped, out)] == [GapReason.STALE]
    assert of(do.Decode, out) == []
    assert len(story.state._pictures) == 0


def test_a_frame_that_waits_for_memory_and_is_another_members_by_now_is_forgotten() -> None:
    story = Story()
    story.ours()
    story(on.BatchDone(begun(story), [SHORT], story.ns))
    story(Gone(frozenset([P])))
    assert story.tick(9.0) == []
    assert story.state.is_idle


def test_a_camera_that_nobody_asks_about_is_told_so() -> None:
    story = Story(Questions([("gate", Question.of("a"))]))
    story.ours()
    story.record(0, "yard")
    (dropped,) = of(do.FramesDropped, story.tick())
    assert (dropped.camera_id, dropped.reason) == ("yard", GapReason.NO_QUESTION)
    assert len(story.state._pictures) == 0


def test_a_frame_may_bring_its_own_question() -> None:
    story = Story()
    story.ours()
    story.record(0, question=Question.of("bicycle"))
    (admitted,) = story.admitted(story.tick())
    assert (admitted.question, admitted.reference.id) == (Question.of("bicycle"), "frame")
    assert admitted.attempts == 1


def test_each_frame_of_a_batch_gets_its_own_result() -> None:
    story = Story()
    story.ours()
    out = story(on.BatchDone(begun(story, 2), [ODD, FOUND], story.ns))
    (letter,) = of(do.PublishLetter, out)
    (answer,) = of(do.PublishAnswer, out)
    assert (letter.rejected.id.seq, letter.rejected.error) == (0, ODD)
    assert answer.answered.id.seq == 1
    assert [one.class_id for one in answer.answered.objects] == [0]
    assert len(story.state._pictures) == 0


def test_a_detector_that_gives_too_few_results_is_not_believed() -> None:
    story = Story()
    story.ours()
    batch = begun(story, 2)
    with pytest.raises(ValueError, match="shorter"):
        story.state.handle(on.BatchDone(batch, [FOUND], story.ns), story.state._now)


def test_a_batch_of_which_one_frame_fits_shows_that_the_device_is_not_exhausted() -> None:
    """So the one that never fits is to blame, and not the device."""
    story = Story()
    story.ours()
    story.record(0, "large")
    story.record(1, "small")
    found: list[do.Instruction] = []
    for offset in range(2, 40):
        story.now += 3.0
        story.record(offset, "small")
        found += story.pump(lambda job: SHORT if job.origin.admitted.frame.id.camera_id == "large" else FOUND)
    (letter,) = of(do.PublishLetter, found)
    assert letter.rejected.id.camera_id == "large"
    assert of(do.Fail, found) == []


def test_a_picture_that_is_at_the_detector_when_its_partition_leaves_takes_no_room_any_more() -> None:
    story = Story()
    story.ours()
    batch = begun(story)
    story(Gone(frozenset([P])))
    out = story(on.BatchDone(batch, [FOUND], story.ns))
    assert of(do.PublishAnswer, out) == []
    assert len(story.state._pictures) == 0
    assert story.state.is_idle


def test_pictures_are_decoded_up_to_their_bound_and_no_further() -> None:
    story = Story(max_picture_bytes=3 * 16 * 16 * 2)
    story.ours()
    for offset in range(5):
        story.record(offset)
    assert len(story.admitted(story.tick())) == 2
    assert story.admitted(story.tick()) == []
