"""Requests beside cameras' frames: what each is replied, and what they may take of the detector."""

from typing import Any

import pytest

from footage import encoded, frame
from groundcam_runtime.partitions.assignment import Assignment
from groundcam_runtime.partitions.partition import Claim
from groundcam_runtime.records import Assigned, Consumed, Gone, Position
from groundcam_schemas import Question, ReplyProblem, ReplyTo, encode
from groundcam_worker.errors import BadPictureError, FatalFrameError, UnansweredError, UnaskableError
from groundcam_worker.frames import Admitted, Decoded, Received, Rejected, Replied
from groundcam_worker.loop import events as on
from groundcam_worker.loop import instructions as do
from groundcam_worker.loop.admission import AdmissionQueue
from groundcam_worker.loop.batches import Batch, Job, Prepared
from groundcam_worker.parse import ParsedFrame, parse
from groundcam_worker.policy.limits import Limits
from groundcam_worker.policy.picture_budget import PictureBudget
from loop_frames import QUESTION, REFERENCE
from loop_story import FOUND, IMAGE, NS, PICTURE, REQUESTS, P, Story, of


def replies(out: list[do.Instruction]) -> list[Replied]:
    return [one.replied for one in of(do.PublishReply, out)]


def story(**options: Any) -> Story:
    one = Story(**options)
    one.ours(P, REQUESTS)
    return one


def test_a_request_is_answered_with_its_own_question_and_committed_once_kafka_has_the_reply() -> None:
    one = story()
    one.request(0, to="door")
    out = one.detect(FOUND)
    (replied,) = replies(out)
    assert of(do.PublishReply, out)[0].is_answer, "readers see it once, where there are transactions"
    assert replied.answered is not None
    assert replied.camera_id == "http"
    assert (replied.reply_to.to, replied.problem, replied.answered.reference.id) == ("door", None, "frame")
    assert [found.label for found in replied.answered.objects] == ["dog"]
    assert not of(do.PublishAnswer, out)
    assert not of(do.FrameArrived, out), "it is no camera's"
    one(on.Delivered(of(do.PublishReply, out)[0]))
    (commit,) = of(do.Commit, one.tick())
    assert {partition: position.offset for partition, position in commit.positions.items()} == {REQUESTS: 1}


@pytest.mark.parametrize("waits_s", [0.0, 6.0])
def test_nobody_looks_at_a_request_whose_deadline_has_passed(waits_s: float) -> None:
    one = story(max_age_s=0.0)
    one.request(0, timeout_s=5.0)
    one.now += waits_s
    out = one.detect(FOUND)
    (replied,) = replies(out)
    assert replied.problem == (ReplyProblem.EXPIRED if waits_s else None)
    assert bool(of(do.Decode, out)) == (not waits_s)


def test_a_request_that_was_late_when_it_came_has_expired() -> None:
    one = story()
    one.request(0, timeout_s=-1.0)
    (replied,) = replies(one.detect(FOUND))
    assert replied.problem == ReplyProblem.EXPIRED


@pytest.mark.parametrize(
    ("error", "problem"),
    [
        (UnansweredError("no"), ReplyProblem.UNANSWERED),
        (BadPictureError("cut"), ReplyProblem.BAD_PICTURE),
        (UnaskableError("its question"), ReplyProblem.QUESTION_REFUSED),
    ],
)
def test_a_request_that_cannot_be_answered_is_told_so_and_is_no_dead_letter(
    error: Exception, problem: ReplyProblem
) -> None:
    one = story()
    one.request(0)
    out = one.detect(error)
    (replied,) = replies(out)
    assert (replied.problem, replied.detail) == (problem, str(error))
    assert not of(do.PublishLetter, out)
    assert not of(do.PublishGap, out)


def test_a_request_that_ends_processes_goes_to_the_dead_letters_and_is_replied_to() -> None:
    one = story()
    out = one.request(0)
    frame = one.admitted(one.tick())[0].frame
    one.state._outbox.reject(Rejected(frame.claim, frame.record, frame.id, FatalFrameError("ends"), 3, frame.reply_to))
    (letter,) = of(do.PublishLetter, one.state._out)
    one.state._out.clear()
    out = one.state.handle(on.Delivered(letter), one.state._now)
    assert [replied.problem for replied in replies(out)] == [ReplyProblem.UNANSWERED]


@pytest.mark.parametrize("missing", ["reply_to", "question"])
def test_a_request_without_what_it_needs_harms_nobody(missing: str) -> None:
    one = story()
    out = one.request(0, **{missing: None})
    if missing == "question":
        assert [replied.problem for replied in replies(out)] == [ReplyProblem.UNANSWERED]
    else:
        (letter,) = of(do.PublishLetter, out)
        assert letter.rejected.id is None, "no gap of a camera that there is not"
        assert "reply_to" in str(letter.rejected.error)


def test_a_damaged_picture_is_replied_to_before_anything_is_decoded() -> None:
    one = story()
    (replied,) = replies(one.request(0, data=b"\xff\xd8\xff damaged"))
    assert replied.problem == ReplyProblem.BAD_PICTURE


@pytest.mark.parametrize("encoding", ["png", "webp", "jpeg"])
def test_a_request_may_be_a_png_or_a_webp(encoding: str) -> None:
    one = story()
    one.request(0, encoding=encoding, data=encoded(encoding))
    assert one.admitted(one.tick())[0].frame.content.picture_size == (16, 16)


def test_too_many_requests_are_refused_at_once_and_cameras_have_room() -> None:
    one = story(request_share=0.2, batch_size=1)
    most = one.state._limits.requests
    refused = [reply for offset in range(most + 3) for reply in replies(one.request(offset))]
    assert [reply.problem for reply in refused] == [ReplyProblem.OVERLOADED] * 3
    assert one.state.has_room


def test_an_answer_that_kafka_does_not_take_is_replied_to_without_it() -> None:
    one = story()
    one.request(0)
    publication = of(do.PublishReply, one.detect(FOUND))[0]
    (again,) = replies(one(on.Delivered(publication, ValueError("too large"))))
    assert (again.problem, again.answered) == (ReplyProblem.TOO_LARGE, None)


def test_requests_of_different_shapes_do_not_wait_for_each_other() -> None:
    """In one lane, every change of shape would begin another batch."""
    one = story(batch_size=4)
    for offset in range(4):
        one.request(offset)
    out = one.tick()
    for number, admitted in enumerate(one.admitted(out)):
        out += one(on.DecodeDone(admitted, Prepared(IMAGE, number % 2)))
    out += one.tick(0.1)
    assert [len(one.batch.jobs) for one in of(do.Begin, out)] == [2, 2]


def test_a_bad_record_on_the_requests_topic_is_a_dead_letter_of_nobody() -> None:
    one = story()
    out = one(Consumed(REQUESTS, 0, 0, b"gate", b"junk", (), one.ns))
    (letter,) = of(do.PublishLetter, out)
    assert letter.rejected.id is None


def test_a_camera_frame_with_reply_to_is_a_camera_frame() -> None:
    one = story()
    one.record(0, reply_to=ReplyTo(to="door", deadline_ns=one.ns))
    out = one.detect(FOUND)
    assert not replies(out)
    assert len(of(do.PublishAnswer, out)) == 1


def test_the_question_of_a_request_is_not_that_of_a_camera() -> None:
    one = story()
    one.request(0, question=Question.of("cat", "zebra"))
    (admitted,) = one.admitted(one.tick())
    assert admitted.question.labels == ("cat", "zebra")


def test_a_reply_that_is_too_large_is_said_to_be_so_unless_the_next_owner_answers_by_now() -> None:
    one = story()
    one.request(0)
    (publication,) = of(do.PublishReply, one.detect(FOUND))
    (said,) = replies(one(on.Delivered(publication, ValueError("too large"))))
    assert said.problem is ReplyProblem.TOO_LARGE
    one.request(1)
    (publication,) = of(do.PublishReply, one.detect(FOUND))
    one(Gone(frozenset([REQUESTS])))
    assert not replies(one(on.Delivered(publication, ValueError("too large"))))


def test_requests_wait_in_a_quarter_of_the_memory_but_for_the_first() -> None:
    """Kafka's records and pictures together count, to the byte."""
    one = story()
    one.request(0)
    size = one.state.waiting_bytes
    assert size > len(encoded("jpeg"))
    for room, refused in ((2 * size, 0), (2 * size - 1, 1), (1, 1)):
        full = story(max_waiting_bytes=4 * room)
        out = [reply for offset in range(2) for reply in replies(full.request(offset))]
        assert [reply.problem for reply in out] == [ReplyProblem.OVERLOADED] * refused


def admission() -> tuple[AdmissionQueue, Assignment]:
    assignment = Assignment(0)
    assignment.arrive(Assigned({P: Position(0), REQUESTS: Position(0)}, 1))
    queue = AdmissionQueue(lambda _claim: True, lambda _frame: False, Limits(), REQUESTS.topic)
    return queue, assignment


def waiting(assignment: Assignment, offset: int, *, asks: bool) -> Received:
    """A camera's frame, or a request."""
    partition = REQUESTS if asks else P
    record = Consumed(partition, offset, 0, b"gate", encode(frame("gate", offset, PICTURE)), (), 0)
    parsed = parse(record, 10**6)
    assert isinstance(parsed, ParsedFrame)
    claim = assignment.begin(record, parsed.id)
    assert claim is not None
    return Received(claim, record, parsed, is_live=True, reply_to=ReplyTo(to="door", deadline_ns=NS) if asks else None)


@pytest.mark.parametrize("asked", [0, 1, 2, 3])
def test_of_a_batch_requests_owe_what_they_had_and_cameras_earn_it_back(asked: int) -> None:
    """Three jobs in 0.3 s: while cameras wait, a request pays with four times its time of theirs."""
    queue, assignment = admission()
    frames = [waiting(assignment, number, asks=number < asked) for number in range(3)]
    jobs = [
        Job(IMAGE, QUESTION, "shape", 1, "lane", lambda: True, Decoded(Admitted(one, REFERENCE, QUESTION, 1, 0), 0))
        for one in frames
    ]
    queue.push(waiting(assignment, 10, asks=False), 0.0)
    queue.push(waiting(assignment, 11, asks=True), 0.0)
    queue.spent(Batch(tuple(jobs), 0), 0.3)
    first = queue.pop(PictureBudget(9, 10**9), 0.0)
    assert first is not None
    assert (first.reply_to is not None) == (asked == 0)
    owed_s = asked * 0.1 - (3 - asked) * 0.1 / 4
    queue.push(waiting(assignment, 12, asks=False), 0.0)
    queue.push(waiting(assignment, 13, asks=True), 0.0)
    others = [waiting(assignment, 20, asks=False)]
    paid = Batch(
        (Job(IMAGE, QUESTION, "s", 1, "l", lambda: True, Decoded(Admitted(others[0], REFERENCE, QUESTION, 1, 0), 0)),),
        0,
    )
    if asked:
        queue.spent(paid, 4 * min(owed_s, 0.25) - 0.001)
        assert not queue._turns.may_be_requests(0, 0.0, cameras_wait=True)
        queue.spent(paid, 0.002)
        assert queue._turns.may_be_requests(0, 0.0, cameras_wait=True)


def test_in_work_are_requests_and_no_frames_of_cameras() -> None:
    """Six of a batch of eight, while there are cameras."""
    for asked, may in ((5, True), (6, False)):
        queue, assignment = admission()
        pictures: PictureBudget[Claim] = PictureBudget(99, 10**9)
        for number in range(8):
            pictures.hold(waiting(assignment, number, asks=False).claim, 1)
        for number in range(asked):
            pictures.hold(waiting(assignment, number, asks=True).claim, 1)
        queue.push(waiting(assignment, 20, asks=False), 0.0)
        queue.push(waiting(assignment, 21, asks=True), 0.0)
        popped = queue.pop(pictures, 0.0)
        assert popped is not None
        assert (popped.reply_to is not None) == may


def test_requests_of_a_partition_are_numbered_by_themselves() -> None:
    """One service numbers those of all its partitions, and each partition is read by one worker."""
    _, assignment = admission()
    camera, request = waiting(assignment, 3, asks=False), waiting(assignment, 3, asks=True)
    assert camera.clock == camera.id
    assert request.clock == request.id._replace(run_id=f"{request.id.run_id}/0")
