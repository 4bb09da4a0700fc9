"""What a worker answers to a request: the replies topic (key = who asked)."""

from enum import StrEnum
from typing import Self

from pydantic import BaseModel, ConfigDict, model_validator

from groundcam_schemas import limits
from groundcam_schemas.messages import Detections


class ReplyProblem(StrEnum):
    """Why a request is not answered."""

    EXPIRED = "expired"
    """Its deadline had passed, or would have."""
    OVERLOADED = "overloaded"
    """More requests wait at the worker than it keeps."""
    QUESTION_REFUSED = "question_refused"
    """The model cannot be asked this."""
    BAD_PICTURE = "bad_picture"
    """The picture cannot be decoded."""
    UNANSWERED = "unanswered"
    """The detector fails on it."""
    TOO_LARGE = "too_large"
    """The answer is larger than Kafka takes."""


class Reply(BaseModel):
    """The answer to one picture of a request, or why there is none."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    to: limits.Identifier
    """Who waits: `reply_to.to` of the request; the record's key, too."""
    camera_id: limits.CameraId
    """Of the frame that was sent."""
    run_id: limits.Identifier
    """Of the frame that was sent."""
    seq: limits.Count
    """Of the frame that was sent: with `camera_id` and `run_id` its identity."""
    answer: Detections | None = None
    """What was found; null where there is a `problem`."""
    problem: ReplyProblem | None = None
    """Why there is no answer; null where there is one."""
    detail: limits.Text = ""
    """The problem in words; empty without one."""

    @model_validator(mode="after")
    def _says_one_thing(self) -> Self:
        if (self.answer is None) == (self.problem is None):
            raise ValueError("a reply has an answer or a problem, and not both")
        return self
