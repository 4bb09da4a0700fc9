"""The wire contract: message types, their msgpack and JSON forms, and the limits on both. No I/O."""

from groundcam_schemas.codec import (
    JSON_CONTENT_TYPE,
    MSGPACK_CONTENT_TYPE,
    Message,
    decode,
    decode_answer,
    decode_json,
    encode,
    encode_json,
)
from groundcam_schemas.deadletter import DeadLetter
from groundcam_schemas.errors import SchemaError, UnsupportedVersionError
from groundcam_schemas.identity import FrameId, detections_id, new_run_id, raw_frame_id
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
    ReplyTo,
    TimingsNs,
)
from groundcam_schemas.questions import CameraQuestion, ClassSpec, Question
from groundcam_schemas.replies import Reply, ReplyProblem
from groundcam_schemas.topics import Topics
from groundcam_schemas.workers import Verdict, WorkerState, WorkerStatus

__all__ = [
    "JSON_CONTENT_TYPE",
    "MSGPACK_CONTENT_TYPE",
    "Attempt",
    "CameraQuestion",
    "CameraState",
    "CameraStatus",
    "ClassSpec",
    "DeadLetter",
    "Detections",
    "Frame",
    "FrameId",
    "FrameRef",
    "Gap",
    "GapReason",
    "Message",
    "Model",
    "Object",
    "Question",
    "QuestionRef",
    "Reply",
    "ReplyProblem",
    "ReplyTo",
    "SchemaError",
    "TimingsNs",
    "Topics",
    "UnsupportedVersionError",
    "Verdict",
    "WorkerState",
    "WorkerStatus",
    "decode",
    "decode_answer",
    "decode_json",
    "detections_id",
    "encode",
    "encode_json",
    "new_run_id",
    "raw_frame_id",
]
