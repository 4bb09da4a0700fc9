"""A tracker's settings."""

from typing import Annotated

from pydantic import Field

from groundcam_events.tracking.rules import LifeRules, Rules
from groundcam_runtime.settings import SettingsPart
from groundcam_schemas.limits import Fraction, Phrase

Seconds = Annotated[float, Field(ge=0, le=86_400)]


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
    """How often states and offsets are written: what lies between is read again after a kill."""
    looks: Annotated[int, Field(ge=1, le=100)] = 2
    """So often an object is seen before it is told of."""
    born_within_s: Seconds = 0.5
    """What is seen for the first time, and not again within this time or at one of the next two looks, is forgotten."""
    new_score: Fraction = 0.35
    """The median score of its looks that an object needs to be told of."""
    new_score_by_label: dict[Phrase, Fraction] = Field(default={})
    """The same for single classes, as `forklift: 0.45`."""
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

    def rules(self) -> LifeRules:
        """Return the rules of lives."""
        return LifeRules(
            tracks=Rules(self.looks, self.born_within_s, self.lost_s, self.max_objects),
            new_score=self.new_score,
            new_score_by_label=self.new_score_by_label,
            left_s=self.left_s,
            blind_s=self.blind_s,
            offline_s=self.offline_s,
            silent_s=self.silent_s,
            settle_s=self.settle_s,
            line_margin=self.line_margin,
            still_s=self.still_s,
            still_there_s=self.still_there_s,
            parked_there_s=self.parked_there_s,
            better_s=self.better_s,
        )
