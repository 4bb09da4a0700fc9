"""Read answers from Kafka, each frame once."""

import logging
from collections import OrderedDict
from collections.abc import Collection, Iterator
from typing import Any, Literal

from groundcam_runtime.kafka.reader import Reader
from groundcam_runtime.settings import KafkaSettings
from groundcam_schemas import (
    JSON_CONTENT_TYPE,
    MSGPACK_CONTENT_TYPE,
    Detections,
    FrameId,
    Gap,
    SchemaError,
    decode_answer,
)

log = logging.getLogger(__name__)

POLL_S = 0.2


class Repeats:
    """Knows which frames were seen, lately: redelivered ones come close behind.

    Of each camera the newest `runs` are remembered, and of each run the newest `window` frames.
    """

    def __init__(self, window: int = 10_000, runs: int = 3) -> None:
        self._window = window
        self._runs = runs
        self._seen: dict[str, OrderedDict[str, OrderedDict[int, None]]] = {}

    def is_repeat(self, frame: FrameId) -> bool:
        """Whether this frame was seen; from now on it was."""
        runs = self._seen.setdefault(frame.camera_id, OrderedDict())
        seqs = runs.setdefault(frame.run_id, OrderedDict())
        runs.move_to_end(frame.run_id)
        if frame.seq in seqs:
            return True
        seqs[frame.seq] = None
        if len(seqs) > self._window:
            seqs.popitem(last=False)
        if len(runs) > self._runs:
            runs.popitem(last=False)
        return False


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
                answer = read_answer(record.value or b"", dict(record.headers))
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


def read_answer(value: bytes, headers: dict[str, bytes]) -> Detections | Gap | None:
    """Return what a record of the detections topic says, or None with a warning for what cannot be read."""
    kind = headers.get("content-type", MSGPACK_CONTENT_TYPE.encode()).decode("utf-8", "replace")
    try:
        return decode_answer(value, JSON_CONTENT_TYPE if kind == JSON_CONTENT_TYPE else MSGPACK_CONTENT_TYPE)
    except SchemaError as error:
        log.warning("a message on the detections topic is skipped: %s", error)
        return None


def _settings(settings: KafkaSettings | None, bootstrap_servers: str | None, kafka: dict[str, Any]) -> KafkaSettings:
    if settings is not None:
        return settings
    given = {"bootstrap_servers": bootstrap_servers, **kafka}
    return KafkaSettings(**{name: value for name, value in given.items() if value is not None})
