"""Read answers from Kafka, each frame once."""

import logging
from collections.abc import Collection, Iterator
from typing import Any, Literal

from groundcam_runtime.events.filter import names
from groundcam_runtime.kafka.reader import Reader
from groundcam_runtime.records import Consumed
from groundcam_runtime.recurring import Recurring
from groundcam_runtime.repeats import Repeats
from groundcam_runtime.settings import KafkaSettings
from groundcam_schemas import Detections, FrameId, Gap, SchemaError, decode_answer

recurring = Recurring(logging.getLogger(__name__))

POLL_S = 0.2


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
    for answer in follow(settings_of(settings, bootstrap_servers, kafka), cameras, start, drop_repeats=drop_repeats):
        if answer is not None:
            yield answer


def follow(
    settings: KafkaSettings,
    cameras: Collection[str] | None,
    start: Literal["beginning", "end"],
    *,
    drop_repeats: bool,
) -> Iterator[Detections | Gap | None]:
    """Yield answers, and None from time to time, so that the caller can look around, whatever others are told."""
    wanted = None if cameras is None else names(cameras)
    repeats = Repeats()
    with Reader(settings, [settings.topics.detections], start=start) as reader:
        while True:
            for record in reader.poll(POLL_S):
                answer = read_answer(record.value or b"", record)
                if answer is None or (wanted is not None and answer.camera_id not in wanted):
                    continue
                if (
                    drop_repeats
                    and isinstance(answer, Detections)
                    and repeats.is_repeat(FrameId(answer.camera_id, answer.frame.run_id, answer.frame.seq))
                ):
                    continue
                yield answer
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


def settings_of(settings: KafkaSettings | None, bootstrap_servers: str | None, kafka: dict[str, Any]) -> KafkaSettings:
    """Return the settings that a call gave, whole or one by one. Raises ValueError."""
    if settings is not None:
        return settings
    given = {"bootstrap_servers": bootstrap_servers, **kafka}
    return KafkaSettings(**{name: value for name, value in given.items() if value is not None})
