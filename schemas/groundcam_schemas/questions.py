"""What a camera is asked: classes, thresholds and regions. Its version is a hash of its fields."""

import hashlib
from typing import Annotated, Any, Self

import msgpack
from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from groundcam_schemas import limits

NMS_IOU = 0.7
"""Measured on the bundled model and its scenes (worker/training/overlaps.py)."""
BOX_THRESHOLD = 0.3
TEXT_THRESHOLD = 0.3
EVERY_CAMERA = "*"

Corner = tuple[limits.Fraction, limits.Fraction]
Region = Annotated[tuple[Corner, ...], Field(min_length=3, max_length=limits.MAX_CORNERS)]


class ClassSpec(BaseModel):
    """One thing to look for."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    phrase: limits.AskedPhrase
    """What to look for, in words, such as `open door`; an object's label is the same text."""
    box_threshold: limits.Fraction | None = None
    """Overrides the question's own for this class, from 0 to 1; null for the question's."""


class Question(BaseModel):
    """The question itself, without who asked it and when."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    classes: Annotated[tuple[ClassSpec, ...], Field(min_length=1, max_length=limits.MAX_CLASSES)]
    """What to look for; no phrase twice."""
    box_threshold: limits.Fraction = BOX_THRESHOLD
    """Boxes with a lower score are left out, from 0 to 1."""
    text_threshold: limits.Fraction = TEXT_THRESHOLD
    """The smallest score of a label's best word, from 0 to 1."""
    regions: Annotated[tuple[Region, ...], Field(max_length=limits.MAX_REGIONS)] = ()
    """Polygons in fractions of the picture's width and height; a box counts when its centre is in one.

    Empty means the whole picture.
    """
    nms_iou: limits.Fraction | None = NMS_IOU
    """Of a class's boxes that overlap by more than this (intersection over union) the best is kept; null keeps all."""
    nms_across: Annotated[bool, Field(strict=True)] = False
    """Whether also boxes of different classes are merged so."""
    decoys: Annotated[tuple[limits.AskedPhrase, ...], Field(max_length=limits.MAX_DECOYS)] = ()
    """What is asked besides, competes for the boxes and is never reported: what the model takes for a class."""
    max_objects: Annotated[int, Field(strict=True, ge=1, le=limits.MAX_OBJECTS)] = limits.MAX_OBJECTS
    """At most so many objects are published, the best ones."""
    class_scores: Annotated[bool, Field(strict=True)] = False
    """Whether each object says what every class scores there, and not its own alone.

    At most as many objects are published then as one message holds: of 5 classes 1000, of 80 classes 198.
    """

    @field_validator("classes")
    @classmethod
    def _no_class_twice(cls, classes: tuple[ClassSpec, ...]) -> tuple[ClassSpec, ...]:
        known: set[str] = set()
        for spec in classes:
            if spec.phrase in known:
                raise ValueError(f"the class {spec.phrase!r} is listed twice")
            known.add(spec.phrase)
        return classes

    @model_validator(mode="after")
    def _no_class_is_a_decoy(self) -> Self:
        known = {spec.phrase for spec in self.classes}
        for decoy in self.decoys:
            if decoy in known:
                raise ValueError(f"the decoy {decoy!r} is a class too, or listed twice")
            known.add(decoy)
        return self

    @classmethod
    def of(cls, *phrases: str, **options: Any) -> Self:
        """Ask for these phrases; options that are None are left at their defaults."""
        given = {name: value for name, value in options.items() if value is not None}
        return cls(classes=tuple(ClassSpec(phrase=phrase) for phrase in phrases), **given)

    @property
    def labels(self) -> tuple[str, ...]:
        """The classes' phrases, in order: a `class_id` is an index into them. Made anew for each call, as `version` is:
        a copy with changes (`model_copy`) would take kept ones along.
        """
        return tuple(spec.phrase for spec in self.classes)

    @property
    def phrases(self) -> tuple[str, ...]:
        """What the model is asked: the classes, then the decoys. What is found of the latter is not reported."""
        return (*self.labels, *self.decoys)

    @property
    def version(self) -> str:
        """A hash of everything that can change an answer: equal questions have equal versions."""
        content = [
            [[spec.phrase, spec.box_threshold] for spec in self.classes],
            self.box_threshold,
            self.text_threshold,
            self.regions,
        ]
        # Fields that came later count only where they do something: what is answered as ever has the version it had.
        if self.nms_iou is not None or self.max_objects != limits.MAX_OBJECTS:
            content += [self.nms_iou, self.max_objects]
        if self.nms_across or self.decoys:
            content += [self.nms_across, self.decoys]
        if self.class_scores:
            content.append("class_scores")
        return hashlib.sha256(msgpack.packb(content)).hexdigest()[:16]

    @property
    def most_objects(self) -> int:
        """How many objects are published at most: `max_objects`, or as many as one message has room for."""
        if not self.class_scores:
            return self.max_objects
        room = limits.MAX_ITEMS - limits.OTHER_ITEMS
        return min(self.max_objects, room // (limits.OBJECT_ITEMS + len(self.classes)))

    def threshold_of(self, class_id: int) -> float:
        """The box threshold that applies to one class; to a decoy the lowest, so that it always competes."""
        if class_id >= len(self.classes):
            return min(self.threshold_of(index) for index in range(len(self.classes)))
        own = self.classes[class_id].box_threshold
        return self.box_threshold if own is None else own


class CameraQuestion(Question):
    """A message on the prompts topic (compacted; key = camera id, or `*` for every camera)."""

    camera_id: limits.Identifier
    """The camera that is asked, or `*` for every camera without a question of its own; the record's key, too."""
    set_by: limits.Text = ""
    """Who asked, in words; empty where that is unknown."""
    set_at_ns: limits.Nanoseconds = 0
    """When it was asked: nanoseconds since 1970; 0 where that is unknown."""

    @field_validator("camera_id")
    @classmethod
    def _camera_or_all(cls, camera_id: str) -> str:
        if camera_id != EVERY_CAMERA:
            limits.check_camera_id(camera_id)
        return camera_id
