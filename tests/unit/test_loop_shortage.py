"""What a loop admits while memory is short, and what is said of frames that are tried again."""

from typing import Any

from groundcam_runtime.partitions.commit_note import CommitNote
from groundcam_runtime.records import Gone
from groundcam_worker.errors import SandboxUnavailableError
from groundcam_worker.loop import events as on
from groundcam_worker.loop import instructions as do
from groundcam_worker.loop.batches import Prepared
from loop_story import IMAGE, OTHER, SHORT, P, Story, of


def failing(story: Story, admitted: list[Any]) -> None:
    """Decode these, and let every batch find too little memory."""
    for one in admitted:
        story(on.DecodeDone(one, Prepared(IMAGE, "shape")))
    while batches := [one.batch for one in of(do.Begin, story.tick(0.1, draining=True))]:
        for batch in batches:
            story(on.BatchDone(batch, [SHORT] * len(batch.jobs), story.ns))


def test_while_memory_is_short_frames_in_work_and_frames_that_wait_are_bounded_together() -> None:
    """By what may be in work at all: six pictures for batches of two."""
    story = Story(batch_size=2)
    story.ours()
    for offset in range(30):
        story.record(offset)
    first = story.admitted(story.tick())
    assert len(first) == 6
    for one in first[:2]:
        story(on.DecodeDone(one, Prepared(IMAGE, "shape")))
    (begin,) = of(do.Begin, story.tick())
    out = story(on.BatchDone(begin.batch, [SHORT, SHORT], story.ns))
    assert len(story.state._retries) == 2
    assert story.admitted(out + story.tick()) == [], "four are in work, and two wait"
    failing(story, first[2:4])
    assert len(story.state._retries) + len(story.state._pictures) == 6


def test_where_few_wait_for_memory_others_are_admitted_beside_them() -> None:
    story = Story(batch_size=2)
    story.ours()
    story.record(0)
    failing(story, story.admitted(story.tick()))
    assert len(story.state._retries) == 1
    for offset in range(1, 20):
        story.record(offset)
    assert len([one for one in story.admitted(story.tick()) if not one.is_retry]) == 5


def test_a_frame_that_is_tried_again_says_so() -> None:
    story = Story()
    story.ours()
    story.record(0)
    (first,) = story.admitted(story.tick())
    failing(story, [first])
    (again,) = story.admitted(story.tick(1.0))
    assert (first.is_retry, again.is_retry) == (False, True)


def test_a_frame_for_which_there_is_no_second_process_is_tried_again_in_this_one() -> None:
    story = Story()
    story.ours(note=CommitNote(in_use=True).text())
    story.record(0)
    (mark,) = of(do.Mark, story.tick())
    (isolate,) = of(do.Isolate, story(on.AttemptMarked(mark.claim, 2)))
    out = story(on.SandboxDone(isolate.admitted, SandboxUnavailableError("no room"), 5, 7))
    assert [one.is_retry for one in story.admitted(out)] == [True]


def test_a_frame_that_has_left_holds_up_no_retry_of_another() -> None:
    story = Story()
    story.ours(P, OTHER)
    story.record(0, "gate", P)
    story.record(0, "yard", OTHER)
    failing(story, story.admitted(story.tick()))
    story(Gone(frozenset([P])))
    assert [one.frame.id.camera_id for one in story.admitted(story.tick(1.0))] == ["yard"]
