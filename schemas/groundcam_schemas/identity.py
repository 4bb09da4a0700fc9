"""Who a frame is, and what an answer to it is called."""

import hashlib
import re
import secrets
from typing import NamedTuple

import msgpack

PROBE = "groundcam-probe"
"""The camera id of the pictures that `groundcam probe` sends."""
JOB = "job-"
"""Begins the camera id of a film that was sent over HTTP; a job's id follows, 16 hexadecimal digits."""
_ERRAND = re.compile(rf"{PROBE}|{JOB}[0-9a-f]{{16}}")


class FrameId(NamedTuple):
    """A frame's identity: the same in every topic and after every redelivery."""

    camera_id: str
    run_id: str
    seq: int


def is_errand(camera_id: str) -> bool:
    """Whether frames of this id are no camera's, but sent once for an answer: a probe's, or somebody's film."""
    return _ERRAND.fullmatch(camera_id) is not None


def new_run_id(started_at_ns: int) -> str:
    """Name one life of one source; later ones sort behind earlier ones."""
    return f"{started_at_ns // 1_000_000:012x}-{secrets.token_hex(3)}"


def raw_frame_id(camera_id: str, topic: str, partition: int, offset: int) -> FrameId:
    """Identify a frame that came without our envelope by its place on Kafka."""
    return FrameId(camera_id, f"@{topic}/{partition}", offset)


def detections_id(frame: FrameId, question_version: str, model_name: str, model_revision: str) -> str:
    """Name an answer so that the same frame, question and model always give the same name."""
    content = msgpack.packb([*frame, question_version, model_name, model_revision])
    return hashlib.sha256(content).hexdigest()[:32]


def event_id(first: FrameId, ordinal: int) -> str:
    """Name an object by the frame that it was first seen in, and its place among those first seen there.

    The same frames give the same names, whoever reads them.
    """
    content = msgpack.packb(["event", *first, ordinal])
    return hashlib.sha256(content).hexdigest()[:32]
