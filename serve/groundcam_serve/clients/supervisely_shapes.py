"""Supervisely's shapes: what its clients send as a question, and what they take as an answer. Pure."""

import colorsys
import json
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from groundcam_schemas import Detections, Question, WorkerStatus
from groundcam_schemas.limits import Fraction
from groundcam_serve.asking import Asked, Classes, Text, question_of
from groundcam_serve.body import problem_of
from groundcam_serve.clients.inferences import Inference, Stage
from groundcam_serve.problems import Problem

DEFAULTS: dict[str, Any] = {"text_prompt": "all objects.", "box_threshold": 0.3, "text_threshold": 0.3}
"""Of Supervisely's own Grounding DINO."""
CONFIDENCE = {"name": "confidence", "value_type": "any_number", "color": "#50E3C2"}
TASK_TYPE = "prompt-based object detection"


class Settings(BaseModel):
    """What a client sets of an inference; settings of other models change nothing."""

    model_config = ConfigDict(extra="ignore", hide_input_in_errors=True)

    text_prompt: Text | Classes | None = None
    box_threshold: Fraction | None = None
    text_threshold: Fraction | None = None
    conf: Fraction | None = None
    """What `predict(conf=...)` sends: the box threshold, where none is set."""
    classes: Classes | None = None
    """What `predict(classes=...)` sends: the only ones that are answered, and without a prompt the question."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """A question, and which of its classes are answered."""

    question: Question
    classes: frozenset[str] | None

    @property
    def labels(self) -> tuple[str, ...]:
        """The classes of answers."""
        return tuple(one for one in self.question.labels if self.classes is None or one in self.classes)


def state_in(text: str) -> dict[str, Any]:
    """Read the field of a form that holds the state. Raises Problem."""
    try:
        state = json.loads(text or "{}")
    except (ValueError, RecursionError):
        raise Problem(400, "bad-request", "state: it is no JSON", field="state") from None
    if not isinstance(state, dict):
        raise Problem(422, "unprocessable", "state: it is a map", field="state")
    return state


def wanted(state: Mapping[str, Any]) -> Wanted:
    """Return what a state asks, with their defaults for what it does not set. Raises Problem."""
    given = state.get("settings")
    try:
        settings = Settings.model_validate(state if given is None else given)
        box_threshold = settings.conf if settings.box_threshold is None else settings.box_threshold
        asked = {
            "question": settings.text_prompt or settings.classes or None,
            "box_threshold": box_threshold, "text_threshold": settings.text_threshold,
        }  # fmt: skip
        defaults = {"question": DEFAULTS["text_prompt"], **DEFAULTS}
        del defaults["text_prompt"]
        question = question_of(Asked(**defaults | {name: one for name, one in asked.items() if one is not None}))
    except ValidationError as invalid:
        raise problem_of(invalid) from None
    if not settings.classes:
        return Wanted(question, None)
    return Wanted(question, frozenset(" ".join(one.lower().split()) for one in settings.classes))


def result_of(answer: Detections, asked: Wanted) -> dict[str, Any]:
    """Return the result for a picture, as an annotation."""
    return {"annotation": annotation_of(answer, asked), "data": {}}


def annotation_of(answer: Detections, asked: Wanted) -> dict[str, Any]:
    """Return what was found. Their corners are pixels, the last ones within the box, and inside the picture."""
    width, height = answer.source_width, answer.source_height
    objects = []
    for one in answer.objects:
        if asked.classes is not None and one.label not in asked.classes:
            continue
        left, right = (min(round(side), width - 1) for side in one.box[::2])
        top, bottom = (min(round(side), height - 1) for side in one.box[1::2])
        objects.append(
            {
                "classTitle": one.label, "description": "", "geometryType": "rectangle",
                "tags": [{"name": CONFIDENCE["name"], "value": round(one.score, 4)}],
                "points": {"exterior": [[left, top], [right, bottom]], "interior": []},
            }
        )  # fmt: skip
    return {"description": "", "tags": [], "size": {"width": width, "height": height}, "objects": objects}


def meta_of(labels: Iterable[str]) -> dict[str, Any]:
    """Return classes and tags of answers (a ProjectMeta)."""
    classes = [{"title": one, "shape": "rectangle", "color": _colour(one), "geometry_config": {}} for one in labels]
    return {"classes": classes, "tags": [CONFIDENCE], "projectType": "images"}


def session_of(run_id: str, labels: int, max_batch: int) -> dict[str, Any]:
    """Return what this service can do for them."""
    return {
        "app_name": "groundcam", "session_id": run_id, "number_of_classes": labels, "task type": TASK_TYPE,
        "sliding_window_support": "none", "videos_support": False, "async_video_inference_support": False,
        "tracking_on_videos_support": False, "tracking_algorithms": [], "async_image_inference_support": True,
        "batch_inference_support": True, "max_batch_size": max_batch,
    }  # fmt: skip


def deployed_of(worker: WorkerStatus) -> dict[str, Any]:
    """Return which model answers; None for what nobody here knows."""
    name = worker.model.name if worker.model else worker.asked_for
    return {
        "checkpoint_name": name, "model_name": name, "architecture": None, "checkpoint_url": None,
        "custom_checkpoint_path": None, "model_source": "Pretrained models", "task_type": TASK_TYPE,
        "device": worker.device, "runtime": None, "model_precision": worker.precision, "hardware": None,
        "deploy_params": {},
    }  # fmt: skip


def report_of(one: Inference) -> dict[str, Any]:
    """Return how far an inference is."""
    progress = {
        "message": one.stage.value, "status": one.stage.value, "current": one.done, "total": one.total,
        "is_size": False,
    }  # fmt: skip
    finished, stopped = one.stage is not Stage.RUNNING, one.stage is Stage.CANCELLED
    failed = {"type": "Problem", "message": one.reason, "traceback": ""}
    return {
        "uuid": one.uuid, "inference_request_uuid": one.uuid, "stage": one.stage.value, "progress": progress,
        "preparing_progress": progress, "pending_results": len(one.results), "final_result": False,
        "has_result": False, "result": False, "exception": failed if one.stage is Stage.ERROR else None,
        "is_inferring": not finished, "stopped": stopped, "cancel_inference": stopped, "paused": False,
        "finished": finished, "created_at": one.began_s, "updated_at": one.updated_s,
    }  # fmt: skip


def _colour(label: str) -> str:
    """Return the same colour for a label each time."""
    red, green, blue = colorsys.hsv_to_rgb(zlib.crc32(label.encode()) % 360 / 360, 0.8, 0.9)
    return f"#{round(red * 255):02X}{round(green * 255):02X}{round(blue * 255):02X}"
