"""A tracker's settings."""

from dataclasses import replace
from typing import Annotated, Any, Self

from pydantic import Field, model_validator

from groundcam_events.tracking.rules import LifeRules, Rules
from groundcam_runtime.settings import SettingsPart
from groundcam_schemas.limits import Fraction, Phrase

Seconds = Annotated[float, Field(ge=0, le=86_400)]


class ClassRules(SettingsPart):
    """What holds for the objects of one class; what is left out is as for all."""

    looks: Annotated[int, Field(ge=1, le=100)] | None = None
    """So often one is seen before it is told of."""
    born_within_s: Seconds | None = None
    """What is seen for the first time, and not again within this time or at one of the next two looks, is forgotten."""
    new_score: Fraction | None = None
    """The median score of its looks that one needs to be told of."""
    lost_s: Seconds | None = None
    """Unseen for so long, of the time in which somebody looked, one has ended."""
    left_s: Seconds | None = None
    """The same for one that was on its way out of the picture."""
    blind_s: Seconds | None = None
    """So long nobody may look before one has ended."""
    settle_s: Seconds | None = None
    """So long one must be on the other side of a zone's border."""
    still_s: Seconds | None = None
    """In one place for so long, one stands still."""
    still_there_s: Seconds | None = None
    """A moving one of which nothing was told for so long is told of again; 0: never."""
    parked_there_s: Seconds | None = None
    """The same for one that stands still."""
    better_s: Seconds | None = None
    """A better picture is told of at most so often."""


class TrackSettings(SettingsPart):
    """What a tracker does. All times are seconds of capture time, whatever the frame rate."""

    group: Annotated[str, Field(max_length=249)] = ""
    """Consumer group; its members share the cameras. Named after `kafka.topic_prefix` by default."""
    instance_id: str | None = None
    """Name of this member, kept over restarts (static membership)."""
    from_beginning: bool = False
    """A group that is new begins with the oldest answers that Kafka has, instead of with those that come."""
    session_timeout_s: Annotated[float, Field(ge=6, le=1800)] = 30.0
    """How long the group waits for a tracker that is silent."""
    checkpoint_s: Annotated[float, Field(ge=0.1, le=600)] = 5.0
    """How often states and offsets are written: what lies between is read again after a kill. At most 1 with
    transactions."""
    transactional: bool = False
    """Publish events, states and offsets of a checkpoint in one transaction; needs instance_id."""
    looks: Annotated[int, Field(ge=1, le=100)] = 2
    """So often an object is seen before it is told of."""
    born_within_s: Seconds = 0.5
    """What is seen for the first time, and not again within this time or at one of the next two looks, is forgotten."""
    new_score: Fraction = 0.35
    """The median score of its looks that an object needs to be told of."""
    new_score_by_label: dict[Phrase, Fraction] = Field(default={})
    """The same for single classes, as `forklift: 0.45`."""
    by_label: dict[Phrase, ClassRules] = Field(default={}, examples=["car"])
    """Rules for single classes, as `car: {lost_s: 30, parked_there_s: 3600}`."""
    lost_s: Seconds = 5.0
    """Unseen for so long, of the time in which somebody looked, an object has ended."""
    left_s: Seconds = 1.5
    """The same for one that was on its way out of the picture."""
    blind_s: Seconds = 60.0
    """So long nobody may look before an object has ended; one that stood still is looked for once more."""
    offline_s: Seconds = 10.0
    """A camera that is away for so long ends its objects."""
    silent_s: Annotated[float, Field(ge=1, le=86_400)] = 300.0
    """So does one of which neither frames nor gaps come for so long."""
    settle_s: Seconds = 0.5
    """So long an object must be on the other side of a zone's border."""
    line_margin: Annotated[float, Field(ge=0, le=0.5)] = 0.02
    """So far from a border or a line, in heights of the picture, an object is clearly on one side."""
    still_s: Seconds = 10.0
    """In one place for so long, an object stands still."""
    still_there_s: Seconds = 60.0
    """A moving object of which nothing was told for so long is told of again; 0: never."""
    parked_there_s: Seconds = 0.0
    """The same for one that stands still."""
    better_s: Seconds = 5.0
    """A better picture is told of at most so often."""
    max_objects: Annotated[int, Field(ge=1, le=1000)] = 200
    """The most objects of a camera that are followed at once."""
    pictures: bool = True
    """Cut the best picture of each object out of its frame, and keep it on the pictures topic."""
    picture_bytes: Annotated[int, Field(ge=2048, le=900_000)] = 65_536
    """The most bytes of such a picture."""
    json_events: bool = False
    """Publish events, and what is in front of cameras, as JSON instead of msgpack."""

    @model_validator(mode="after")
    def _has_a_name_for_its_transactions(self) -> Self:
        if self.transactional and not self.instance_id:
            raise ValueError("transactional needs instance_id: it is the name by which a tracker ends its predecessor")
        return self

    @model_validator(mode="after")
    def _no_score_twice(self) -> Self:
        for label, score in self.new_score_by_label.items():
            other = self.by_label[label].new_score if label in self.by_label else None
            if other not in {None, score}:
                raise ValueError(
                    f"new_score_by_label says {score:g} for {label!r}, and by_label.{label}.new_score {other:g}"
                )
        return self

    def rules(self) -> LifeRules:
        """Return the rules of lives."""
        common = {name: getattr(self, name) for name in ClassRules.model_fields}
        scores = {label: {"new_score": score} for label, score in self.new_score_by_label.items()}
        own = {label: rules.model_dump(exclude_none=True) for label, rules in self.by_label.items()}
        by_label = {label: self._lives(common | scores.get(label, {}) | own.get(label, {})) for label in scores | own}
        return replace(self._lives(common), by_label=by_label)

    def _lives(self, given: dict[str, Any]) -> LifeRules:
        rest = dict(given)
        tracks = Rules(rest.pop("looks"), rest.pop("born_within_s"), rest.pop("lost_s"), self.max_objects)
        return LifeRules(
            tracks=tracks, offline_s=self.offline_s, silent_s=self.silent_s, line_margin=self.line_margin, **rest
        )
