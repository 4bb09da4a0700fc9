"""An event that never happened, to try a webhook with."""

from groundcam_schemas import Cause, Event, EventType, FrameRef, Model, Motion, PathPoint, Sighting, ZoneVisit

NS = 1_000_000_000
CAMERA = "test"


def made_up(now_ns: int) -> Event:
    """Return the event of a person who has just appeared; its id is another one each second."""
    box = (600.0, 200.0, 760.0, 680.0)
    frame = FrameRef(run_id="test", seq=0, topic="test", partition=0, offset=0)
    look = Sighting(frame=frame, captured_at_ns=now_ns, box=box, score=0.9)
    return Event(
        id=f"test-{now_ns // NS}", n=0, type=EventType.NEW, cause=Cause.APPEARED, camera_id=CAMERA, label="person",
        class_id=0, question_id="test", question_version="test", model=Model(name="test"),
        source_width=1280, source_height=720, first=look, last=look, best=look, frames_seen=1, frames_missed=0,
        score_median=0.9, path=(PathPoint(x=0.53, y=0.94, at_ns=now_ns),),
        zones=(ZoneVisit(name="test", entered_ns=now_ns, dwell_ms=0, dwelt=True),),
        motion=Motion.MOVING, motion_since_ns=now_ns,
    )  # fmt: skip
