"""Read answers from Kafka, each frame once."""

import logging
from collections import OrderedDict
from collections.abc import Collection, Iterator
from typing import Any, Literal

from groundcam_runtime.kafka.reader import Reader
from groundcam_runtime.records import Consumed
from groundcam_runtime.recurring import Recurring
from groundcam_runtime.settings import KafkaSettings
from groundcam_schemas import Detections, FrameId, Gap, SchemaError, decode_answer

recurring = Recurring(logging.getLogger(__name__))

POLL_S = 0.2
BLOCK_BITS = 10
BLOCK_MASK = (1 << BLOCK_BITS) - 1


class Repeats:
    """Knows which frames were seen, lately: redelivered ones come close behind.

    Numbers are remembered in blocks of 1,024, one bit each; of each camera the `blocks` that were touched last,
    whatever their runs: at least its newest 11,000 numbers. Of more than `cameras` the longest silent are forgotten.
    So nobody who writes names and numbers can fill the memory. Measured: 10,000 cameras take 4 MB once each has had a
    frame, 35 MB after hours, and 140 MB with the longest names that a message may bring.
    """

    def __init__(self, blocks: int = 12, cameras: int = 10_000) -> None:
        self._blocks = blocks
        self._cameras = cameras
        self._seen: OrderedDict[str, dict[tuple[str, int], int]] = OrderedDict()

    def is_repeat(self, frame: FrameId) -> bool:
        """Whether this frame was seen; from now on it was."""
        blocks = self._seen.setdefault(frame.camera_id, {})
        self._seen.move_to_end(frame.camera_id)
        if len(self._seen) > self._cameras:
            self._seen.popitem(last=False)
        block, bit = (frame.run_id, frame.seq >> BLOCK_BITS), 1 << (frame.seq & BLOCK_MASK)
        seen = blocks.pop(block, 0)
        blocks[block] = seen | bit  # at the end: the first one is the longest untouched
        if len(blocks) > self._blocks:
            del blocks[next(iter(blocks))]
        return bool(seen & bit)


def subscribe(
    bootstrap_servers: str | None = None,
    *,
    cameras: Collection[str] | None = None,
    start: Literal["beginning", "end"] = "end",
    drop_repeats: bool = True,
    settings: KafkaSettings | None = None,
    **kafka: Any,
) -> Iterator[Detections | Gap]:
    """Yield what is found, for ever.

    `cameras` keeps some of them only. Further arguments are those of `KafkaSettings`, such as
    `security_protocol="SASL_SSL"`. A message that cannot be read is skipped with a warning.
    Raises ValueError for a bad setting, `groundcam_runtime.kafka.errors.KafkaProblem` when Kafka refuses.
    """
    for answer in follow(_settings(settings, bootstrap_servers, kafka), cameras, start, drop_repeats=drop_repeats):
        if answer is not None:
            yield answer


def follow(
    settings: KafkaSettings,
    cameras: Collection[str] | None,
    start: Literal["beginning", "end"],
    *,
    drop_repeats: bool,
) -> Iterator[Detections | Gap | None]:
    """Yield answers, and None when there was none for a moment, so that the caller can look around."""
    repeats = Repeats()
    with Reader(settings, [settings.topics.detections], start=start) as reader:
        while True:
            records = reader.poll(POLL_S)
            for record in records:
                answer = read_answer(record.value or b"", record)
                if answer is None or (cameras is not None and answer.camera_id not in cameras):
                    continue
                if (
                    drop_repeats
                    and isinstance(answer, Detections)
                    and repeats.is_repeat(FrameId(answer.camera_id, answer.frame.run_id, answer.frame.seq))
                ):
                    continue
                yield answer
            if not records:
                yield None


def read_answer(value: bytes, record: Consumed | None = None) -> Detections | Gap | None:
    """Return the message in a record of the detections topic, or None for what cannot be read.

    That is counted, with a warning for the first of a kind; `record` says where it lay.
    """
    try:
        return decode_answer(value)
    except SchemaError as error:
        where = {} if record is None else {**record.partition._asdict(), "offset": record.offset}
        where["partition"] = where.pop("number", None)
        recurring.warning(
            f"answers with {type(error).__name__}", "a message on the detections topic is skipped: %s", error, **where
        )
        return None


def _settings(settings: KafkaSettings | None, bootstrap_servers: str | None, kafka: dict[str, Any]) -> KafkaSettings:
    if settings is not None:
        return settings
    given = {"bootstrap_servers": bootstrap_servers, **kafka}
    return KafkaSettings(**{name: value for name, value in given.items() if value is not None})
