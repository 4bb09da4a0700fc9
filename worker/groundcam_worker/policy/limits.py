"""How much may be in a worker's memory, and for how long."""

from dataclasses import dataclass

RUNNING_AND_NEXT = 2
"""Batches at the detector: the one that runs, and one prefetched so that it never waits for us."""

GAP_DELAY_S = 1.0
"""A gap waits so long for its neighbours, unless an answer of its camera comes first."""
SHED_EVERY_S = 0.05
"""The interval at which the backlog is searched for stale frames."""
HEAD = 8
"""With so few records of lag, a partition counts as read up to its high watermark."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How much may be in memory, and for how long."""

    batch_size: int = 8
    batch_wait_s: float = 0.01
    calm_s: float = 3.0
    """A camera that has kept up for so long has caught up."""
    decode_threads: int = 2
    max_pixels: int = 33_177_600
    max_waiting_bytes: int = 32 * 1024 * 1024
    """Of frames that wait to be decoded."""
    max_picture_bytes: int = 512 * 1024 * 1024
    """Of decoded pictures."""
    request_share: float = 0.2
    """Of the detector's time, for requests while cameras wait."""

    @property
    def pictures(self) -> int:
        """Enough decoded pictures for the next batch while two are at the detector."""
        return (RUNNING_AND_NEXT + 1) * self.batch_size

    @property
    def unanswered(self) -> int:
        """How many frames may wait for Kafka's acknowledgement, or for admission."""
        return max(1024, 64 * self.batch_size)

    @property
    def requests(self) -> int:
        """How many requests may wait: each is a frame that is not answered, and cameras need room for theirs."""
        return self.unanswered // 4

    @property
    def request_bytes(self) -> int:
        """The same in bytes."""
        return self.max_waiting_bytes // 4

    @property
    def suspects(self) -> int:
        """How many frames of a partition, from the last commit on, may have been in flight when a worker died."""
        return 2 * self.pictures
