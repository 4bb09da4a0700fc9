"""What a worker says of itself, and of the questions that it was asked: the workers topic."""

from enum import StrEnum
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, field_validator

from groundcam_schemas import limits
from groundcam_schemas.messages import Model
from groundcam_schemas.questions import EVERY_CAMERA


class WorkerState(StrEnum):
    """What a worker is doing."""

    STARTING = "starting"
    """It has begun."""
    FETCHING = "fetching"
    """It fetches the model from the Hub."""
    LOADING = "loading"
    """It loads the model."""
    WARMING_UP = "warming_up"
    """It prepares the model for the pictures' sizes."""
    READY = "ready"
    """It answers."""
    STOPPING = "stopping"
    """It finishes what it has."""


class Verdict(BaseModel):
    """What a worker does with a question that came over Kafka."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    camera_id: limits.Identifier
    """The camera that was asked, or `*` for every camera."""
    version: limits.Text
    """The question's; empty where it could not be read."""
    at_ns: limits.Nanoseconds
    """When the worker decided: nanoseconds since 1970."""
    refused: limits.Text | None = None
    """Why it is not asked, in words; null where it is in force."""

    @field_validator("camera_id")
    @classmethod
    def _camera_or_all(cls, camera_id: str) -> str:
        return camera_id if camera_id == EVERY_CAMERA else limits.check_camera_id(camera_id)


class WorkerStatus(BaseModel):
    """One worker (compacted; key = worker_id). It comes at least every `heartbeat_s`, and is taken back at the end.

    One that is older than three heartbeats is of a worker that died.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    worker_id: limits.Identifier
    """Of one process, such as its host's name, its number and its start; the record's key, too."""
    group: limits.Text
    """The consumer group it belongs to."""
    state: WorkerState
    """What it is doing."""
    since_ns: limits.Nanoseconds
    """Since when it has been in this state: nanoseconds since 1970."""
    at_ns: limits.Nanoseconds
    """When this was said: nanoseconds since 1970."""
    heartbeat_s: Annotated[float, Field(strict=True, gt=0, le=3600, allow_inf_nan=False)]
    """Seconds after which the next message comes at the latest; one older than three of these is of a dead worker."""
    progress: limits.Fraction | None = None
    """Of what takes long, such as fetching a model, from 0 to 1; null where that is unknown."""
    asked_for: limits.Text
    """The model as it was asked for."""
    model: Model | None = None
    """The one that answers, once it is loaded; null before."""
    device: limits.Text | None = None
    """What the model runs on, such as `cpu` or `cuda:0`; null before it is loaded."""
    precision: limits.Text | None = None
    """Of the model's weights: fp32, fp16 or bf16; null before it is loaded."""
    partitions: limits.Count = 0
    """How many partitions of frames are its own."""
    reason: limits.Text | None = None
    """Why it does not answer, in words; null where it does."""
    verdicts: Annotated[tuple[Verdict, ...], Field(max_length=limits.MAX_VERDICTS)] = ()
    """On the newest questions, the last one last."""
