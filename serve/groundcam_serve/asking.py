"""A question as requests write it, in JSON, in a form or in the address. Pure."""

from collections.abc import Callable, Mapping
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from groundcam_runtime.question_text import QuestionError, parse_decoys, parse_question, question_texts
from groundcam_schemas import Question
from groundcam_schemas.limits import MAX_CLASSES, MAX_DECOYS, MAX_OBJECTS, MAX_REGIONS, Fraction
from groundcam_schemas.questions import BOX_THRESHOLD, EVERY_CAMERA, NMS_IOU, TEXT_THRESHOLD, Region
from groundcam_serve.problems import Problem

LONGEST = 100_000
"""Characters of a question: 500 classes."""
Text = Annotated[str, Field(min_length=1, max_length=LONGEST)]
Classes = Annotated[
    list[Annotated[str, Field(min_length=1, max_length=1000)]], Field(min_length=1, max_length=MAX_CLASSES)
]


class Asked(BaseModel):
    """What to look for, and how sure to be."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    question: Text | Classes = Field(examples=["person, forklift:0.4"])
    """Classes, each with a threshold of its own behind a colon if it has one; a list may be a list."""
    box_threshold: Fraction = BOX_THRESHOLD
    """The smallest score of an object; of it and the text threshold the larger applies, where a class has none."""
    text_threshold: Fraction = TEXT_THRESHOLD
    """The smallest score of a label's best word."""
    nms_iou: Fraction = NMS_IOU
    """Of a class's boxes that overlap by more than this the best is kept; 1 keeps all."""
    nms_across: Annotated[bool, Field(strict=True)] = False
    """Whether boxes of different classes are merged so, too."""
    decoys: Annotated[str, Field(max_length=LONGEST)] | Annotated[list[str], Field(max_length=MAX_DECOYS)] = ""
    """What is asked besides, competes for the boxes and is never reported."""
    regions: Annotated[list[Region], Field(max_length=MAX_REGIONS)] = Field(default=[])
    """Polygons in fractions of the picture's width and height; a box counts when its centre is in one."""
    max_objects: Annotated[int, Field(strict=True, ge=1, le=MAX_OBJECTS)] = MAX_OBJECTS
    """At most so many objects, the best ones."""
    class_scores: Annotated[bool, Field(strict=True)] = False
    """Whether each object says what every class scores there."""


def question_of(asked: Asked) -> Question:
    """Return the question. Raises Problem, which names the field."""
    try:
        texts = question_texts(asked.question)
        decoys = parse_decoys(asked.decoys if isinstance(asked.decoys, str) else ", ".join(asked.decoys))
    except QuestionError as error:
        raise Problem(422, "unprocessable", f"decoys: {error}", field="decoys") from None
    if not isinstance(texts, tuple) or len(texts) != 1:
        raise Problem(422, "unprocessable", "question: it is one list of classes", field="question")
    try:
        camera_id, question = parse_question(
            texts[0], box_threshold=asked.box_threshold, text_threshold=asked.text_threshold, nms_iou=asked.nms_iou,
            nms_across=asked.nms_across, decoys=decoys, regions=tuple(asked.regions), max_objects=asked.max_objects,
            class_scores=asked.class_scores,
        )  # fmt: skip
    except QuestionError as error:
        raise Problem(422, "unprocessable", f"question: {error}", field="question") from None
    if camera_id != EVERY_CAMERA:
        raise Problem(422, "unprocessable", "question: what is before a = is a camera's id", field="question")
    return question


WORDS = {"true": True, "1": True, "false": False, "0": False}
_READ: dict[str, Callable[[str], Any]] = {
    "box_threshold": float, "text_threshold": float, "nms_iou": float, "max_objects": int,
    "nms_across": lambda text: WORDS[text.lower()], "class_scores": lambda text: WORDS[text.lower()],
}  # fmt: skip


def asked_in(texts: Mapping[str, str]) -> Asked:
    """Read a question from the fields of a form or an address, which are texts. Raises Problem."""
    fields: dict[str, Any] = {name: text for name, text in texts.items() if text != ""}
    try:
        for name, read in _READ.items():
            if name in fields:
                fields[name] = read(fields[name])
    except (ValueError, KeyError):
        raise Problem(422, "unprocessable", f"{name}: {fields[name][:20]!r} cannot be read", field=name) from None
    if "question" not in fields:
        raise Problem(422, "unprocessable", "question: it is missing", field="question")
    try:
        return Asked.model_validate(fields)
    except ValidationError as invalid:
        first = invalid.errors(include_url=False, include_context=False, include_input=False)[0]
        field = ".".join(map(str, first["loc"]))
        raise Problem(422, "unprocessable", f"{field}: {first['msg']}", field=field) from None
