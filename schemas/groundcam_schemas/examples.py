"""One example of each message: a person who walks through the gate."""

import base64
import json
from functools import cache
from typing import Any

from pydantic import BaseModel

from groundcam_schemas.codec import VERSIONS, Message, encode_json
from groundcam_schemas.deadletter import DeadLetter
from groundcam_schemas.events import (
    Cause,
    End,
    EndReason,
    Event,
    EventType,
    LineCrossing,
    Motion,
    ObjectsNow,
    PathPoint,
    Sighting,
    Unseen,
    ZoneVisit,
)
from groundcam_schemas.identity import FrameId, detections_id, event_id
from groundcam_schemas.messages import (
    Attempt,
    CameraState,
    CameraStatus,
    Detections,
    Frame,
    FrameRef,
    Gap,
    GapReason,
    Model,
    Object,
    QuestionRef,
    TimingsNs,
)
from groundcam_schemas.questions import CameraQuestion, ClassSpec
from groundcam_schemas.replies import Reply
from groundcam_schemas.workers import Verdict, WorkerState, WorkerStatus
from groundcam_schemas.zones import CameraZones, Line, Severity, Zone

CAMERA = "gate"
MS = 1_000_000
CAPTURED_NS = 1_795_405_362_484_651_239
RUN = "01a2067fb41c-71c437"
WORKER = "pod-1/7/0a1b2c3d"
MODEL = Model(name="tiny", revision="a2bb814dd30d776d")
JPEG = b"\xff\xd8\xff\xe0\x00\x10JFIF\x00\x01\x01\x00\x00\x01\x00\x01\x00\x00\xff\xd9"
"""The beginning and the end of a picture file: what lies in between is left out."""
BOX = (912.5, 240.25, 1044.0, 655.5)


@cache
def examples() -> dict[type[BaseModel], dict[str, Any]]:
    """Return an example of each message as JSON has it; of a dead letter, its headers' fields."""
    letter = DeadLetter(
        topic="groundcam.frames", partition=2, offset=41, timestamp_ms=CAPTURED_NS // MS,
        error_class="BadPictureError", error_text="the picture's end is missing", attempts=1, worker_version="0.2.0",
        camera_id=CAMERA, run_id=RUN, seq=7,
    )  # fmt: skip
    return {type(one): _as_json(one) for one in _messages()} | {DeadLetter: letter.model_dump(exclude_none=True)}


def _as_json(message: Message) -> dict[str, Any]:
    if isinstance(message, Frame):
        content = message.model_dump(mode="python") | {"data": base64.b64encode(message.data).decode()}
        return {"schema": VERSIONS[Frame], **json.loads(json.dumps(content))}
    content = json.loads(encode_json(message))
    return dict(content)


def _messages() -> list[Message]:
    event = _event()
    return [
        Frame(
            camera_id=CAMERA, run_id=RUN, seq=7, captured_at_ns=CAPTURED_NS, pts_ns=280 * MS, width=960, height=540,
            source_width=1920, source_height=1080, encoding="jpeg", data=JPEG, question=_question(),
        ),
        _detections(),
        Gap(camera_id=CAMERA, run_id=RUN, reason=GapReason.STALE, first_seq=8, last_seq=11),
        _question(),
        CameraStatus(
            camera_id=CAMERA, state=CameraState.ONLINE, since_ns=CAPTURED_NS - 60_000 * MS, url="rtsp://10.0.0.5/stream",
            width=1920, height=1080, fps=25.0, producer=WORKER, name="Front gate",
        ),
        Attempt(group="groundcam-worker", topic="groundcam.frames", partition=2, offset=41, camera_id=CAMERA, tries=1),
        WorkerStatus(
            worker_id=WORKER, group="groundcam-worker", state=WorkerState.READY, since_ns=CAPTURED_NS - 90_000 * MS,
            at_ns=CAPTURED_NS, heartbeat_s=5.0, asked_for="tiny", model=MODEL, device="cuda:0", precision="fp16",
            partitions=4, verdicts=(Verdict(camera_id=CAMERA, version=_question().version, at_ns=CAPTURED_NS),),
        ),
        _reply(),
        event,
        ObjectsNow(camera_id=CAMERA, partition=1, offset=108, objects=(_begun(event),)),
        _zones(),
    ]  # fmt: skip


def _question() -> CameraQuestion:
    return CameraQuestion(
        camera_id=CAMERA, classes=(ClassSpec(phrase="person", box_threshold=0.25), ClassSpec(phrase="open door")),
        regions=(((0.0, 0.25), (1.0, 0.25), (1.0, 1.0), (0.0, 1.0)),), decoys=("poster of a person",),
        set_by="night shift", set_at_ns=CAPTURED_NS - 30_000 * MS,
    )  # fmt: skip


def _frame(seq: int) -> FrameRef:
    return FrameRef(run_id=RUN, seq=seq, topic="groundcam.frames", partition=2, offset=seq + 34)


def _detections() -> Detections:
    asked = _question()
    return Detections(
        id=detections_id(FrameId(CAMERA, RUN, 7), asked.version, MODEL.name, MODEL.revision),
        camera_id=CAMERA, frame=_frame(7), captured_at_ns=CAPTURED_NS, source_width=1920, source_height=1080,
        question=QuestionRef(id=CAMERA, version=asked.version, classes=asked.labels), model=MODEL,
        objects=(Object(label="person", class_id=0, score=0.625, box=BOX),),
        timings_ns=TimingsNs(
            captured=CAPTURED_NS, published_to_kafka=(CAPTURED_NS // MS + 9) * MS, consumed=CAPTURED_NS + 12 * MS,
            batched=CAPTURED_NS + 25 * MS, inferred=CAPTURED_NS + 88 * MS, published=CAPTURED_NS + 90 * MS,
        ),
    )  # fmt: skip


def _reply() -> Reply:
    """To another picture, which came over HTTP."""
    frame = FrameId("http", "01a2067ec9bc-5d0e3f", 3)
    place = FrameRef(run_id=frame.run_id, seq=frame.seq, topic="groundcam.requests", partition=0, offset=12)
    answer_id = detections_id(frame, _question().version, MODEL.name, MODEL.revision)
    answer = _detections().model_copy(update={"id": answer_id, "camera_id": frame.camera_id, "frame": place})
    return Reply(to=frame.run_id, camera_id=frame.camera_id, run_id=frame.run_id, seq=frame.seq, answer=answer)


def _zones() -> CameraZones:
    yard = Zone(
        name="yard", polygon=((0.25, 0.5), (1.0, 0.5), (1.0, 1.0), (0.25, 1.0)), labels=("person",), dwell_s=2.0,
        severity=Severity.WARNING,
    )  # fmt: skip
    door = Line(name="door", start=(0.5, 0.25), end=(0.5, 0.75), to_right="in", to_left="out")
    return CameraZones(
        camera_id=CAMERA, zones=(yard,), lines=(door,), set_by="night shift", set_at_ns=CAPTURED_NS - 30_000 * MS
    )


def _event() -> Event:
    """The last message about an object that was there for five seconds."""
    first = Sighting(frame=_frame(7), captured_at_ns=CAPTURED_NS, box=BOX, score=0.625)
    last_ns = CAPTURED_NS + 5000 * MS
    last = Sighting(
        frame=_frame(32), captured_at_ns=last_ns, box=(1788.0, 262.0, 1920.0, 688.5), score=0.5, at_edge=True
    )
    return Event(
        id=event_id(FrameId(CAMERA, RUN, 7), 0), n=5, type=EventType.END, cause=Cause.ENDED, camera_id=CAMERA,
        label="person", class_id=0, question_id=CAMERA, question_version=_question().version,
        zones_version=_zones().version, model=MODEL, source_width=1920, source_height=1080,
        first=first, last=last, best=first, frames_seen=20, frames_missed=2,
        unseen=(Unseen(reason=GapReason.STALE, first_seq=8, last_seq=11),), score_median=0.5625,
        velocity=(0.09375, 0.0),
        path=(
            PathPoint(x=0.509375, y=0.606944, at_ns=CAPTURED_NS), PathPoint(x=0.965625, y=0.6375, at_ns=last_ns),
        ),
        zones=(
            ZoneVisit(name="yard", entered_ns=CAPTURED_NS, left_ns=last_ns, dwell_ms=5000, dwelt=True),
        ),
        lines=(LineCrossing(name="door", direction="in", at_ns=CAPTURED_NS + 400 * MS),),
        motion=Motion.MOVING, motion_since_ns=CAPTURED_NS, severity=Severity.WARNING,
        end=End(reason=EndReason.LEFT, at_ns=last_ns),
    )  # fmt: skip


def _begun(event: Event) -> Event:
    """The first message about the same object."""
    zones = (ZoneVisit(name="yard", entered_ns=CAPTURED_NS, dwell_ms=0),)
    return event.model_copy(
        update={
            "n": 0, "type": EventType.NEW, "cause": Cause.APPEARED, "last": event.first, "frames_seen": 1,
            "frames_missed": 0, "unseen": (), "score_median": 0.625, "velocity": (0.0, 0.0), "path": (),
            "zones": zones, "lines": (), "severity": Severity.INFO, "end": None,
        }
    )  # fmt: skip
