"""The topics' names."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Topics:
    """Every topic of one installation; `prefix` keeps installations on one cluster apart."""

    prefix: str = "groundcam."

    @property
    def frames(self) -> str:
        """Frames of live cameras: short retention, old ones may be skipped."""
        return f"{self.prefix}frames"

    @property
    def recordings(self) -> str:
        """Frames of files of which every one counts: long retention, nothing is skipped."""
        return f"{self.prefix}recordings"

    @property
    def detections(self) -> str:
        """Detections and gaps."""
        return f"{self.prefix}detections"

    @property
    def prompts(self) -> str:
        """Questions by camera, compacted."""
        return f"{self.prefix}prompts"

    @property
    def cameras(self) -> str:
        """Camera states, compacted."""
        return f"{self.prefix}cameras"

    @property
    def requests(self) -> str:
        """Pictures with a question of their own, whose senders wait: short retention."""
        return f"{self.prefix}requests"

    @property
    def replies(self) -> str:
        """The answers to requests."""
        return f"{self.prefix}replies"

    @property
    def dead_letters(self) -> str:
        """What could not be processed, as it came."""
        return f"{self.prefix}dead-letters"

    @property
    def attempts(self) -> str:
        """Frames that are tried alone after a worker died, compacted."""
        return f"{self.prefix}attempts"

    @property
    def workers(self) -> str:
        """What each worker is and does with the questions, compacted."""
        return f"{self.prefix}workers"

    @property
    def events(self) -> str:
        """What becomes of single objects: one message at each turn of an object's life."""
        return f"{self.prefix}events"

    @property
    def objects(self) -> str:
        """What is in front of each camera now, compacted."""
        return f"{self.prefix}objects"

    @property
    def zones(self) -> str:
        """Each camera's zones and lines, compacted."""
        return f"{self.prefix}zones"

    @property
    def tracks(self) -> str:
        """The trackers' own state of each camera, compacted: nobody else reads it."""
        return f"{self.prefix}tracks"

    @property
    def pictures(self) -> str:
        """The best picture of each object (key = event id): kept for days."""
        return f"{self.prefix}pictures"

    @property
    def undelivered(self) -> str:
        """Events that a webhook did not take, as they were."""
        return f"{self.prefix}undelivered"
