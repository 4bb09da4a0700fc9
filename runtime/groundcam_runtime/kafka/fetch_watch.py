"""See every answer to a fetch, empty ones too, with the times between which the broker gave it.

The client keeps a partition's high watermark (its end offset) from the last answer that it has looked into, but not
when it asked; and answers of partitions that are paused lie there unread. There is no public way to either.
"""

import time
from collections import deque
from typing import Any

from groundcam_runtime.records import Partition

EndSeen = tuple[Partition, int, float, float]
"""A partition, its end offset, and when it was asked for and answered (monotonic)."""
MAX_WAITING = 10_000
"""Nobody polls for a while: the oldest go, and bounds get wider."""


def watch_ends(consumer: Any) -> deque[EndSeen]:
    """Return where the ends of partitions will come, each before the records of the same answer can be polled."""
    fetcher = consumer._fetcher  # noqa: SLF001
    handle, seen = fetcher._handle_fetch_response, deque[EndSeen](maxlen=MAX_WAITING)  # noqa: SLF001

    def note(node_id: int, fetch_offsets: Any, asked_s: float, response: Any) -> None:
        answered_s = time.monotonic()
        for topic in response.responses:
            for partition in topic.partitions:
                if partition.error_code == 0 and partition.high_watermark >= 0:
                    place = Partition(topic.topic, partition.partition_index)
                    seen.append((place, partition.high_watermark, asked_s, answered_s))
        handle(node_id, fetch_offsets, asked_s, response)

    fetcher._handle_fetch_response = note  # noqa: SLF001
    return seen
