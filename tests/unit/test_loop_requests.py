"""Requests beside cameras' frames: what each is replied, and what they may take of the detector."""

from typing import Any

import pytest

from footage import encoded
from groundcam_runtime.records import Consumed, Gone
from groundcam_schemas import Question, ReplyProblem, ReplyTo
from groundcam_worker.errors import BadPictureError, FatalFrameError, UnansweredError, UnaskableError
from groundcam_worker.frames import Rejected, Replied
from groundcam_worker.loop import events as on
from groundcam_worker.loop import instructions as do
from groundcam_worker.loop.batches import Prepared
from groundcam_worker.policy.turns import Turns
from loop_story import FOUND, IMAGE, REQUESTS, P, Story, of


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
    assert replied.answered is not None
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


def served(requests_s: float, cameras_s: float, share: float, seconds: float = 60.0) -> dict[str, float]:
    """How long each had the detector where both always wait."""
    turns, had, now = Turns(share, 8, 3.0), {"requests": 0.0, "cameras": 0.0}, 0.0
    while now < seconds:
        turns.camera_came(now)
        if turns.may_be_requests(0, now, cameras_wait=True):
            turns.spent(cameras_s=0.0, requests_s=requests_s, cameras_wait=True)
            had["requests"] += requests_s
            now += requests_s
        else:
            turns.spent(cameras_s=cameras_s, requests_s=0.0, cameras_wait=True)
            had["cameras"] += cameras_s
            now += cameras_s
    return had


@pytest.mark.parametrize("share", [0.1, 0.2, 0.5])
@pytest.mark.parametrize(("requests_s", "cameras_s"), [(0.02, 0.02), (0.02, 0.002), (0.004, 0.05)])
def test_while_cameras_wait_requests_have_their_share_of_the_time(
    share: float, requests_s: float, cameras_s: float
) -> None:
    had = served(requests_s, cameras_s, share)
    assert had["requests"] / sum(had.values()) == pytest.approx(share, abs=0.03)


def test_without_cameras_requests_have_all_of_it() -> None:
    turns = Turns(0.2, 8, 3.0)
    assert turns.may_be_requests(100, 0.0, cameras_wait=False)
    turns.spent(cameras_s=0.0, requests_s=100.0, cameras_wait=False)
    assert turns.may_be_requests(100, 0.0, cameras_wait=False)


def test_where_there_are_cameras_less_than_a_batch_of_requests_is_in_work() -> None:
    turns = Turns(0.2, 8, 3.0)
    turns.camera_came(10.0)
    assert turns.may_be_requests(5, 11.0, cameras_wait=False)
    assert not turns.may_be_requests(6, 11.0, cameras_wait=False)
    assert turns.may_be_requests(8, 13.1, cameras_wait=False), "the last camera is gone"


def test_a_share_of_nothing_begins_no_request_while_cameras_wait() -> None:
    assert not Turns(0.0, 8, 3.0).may_be_requests(0, 0.0, cameras_wait=True)


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
