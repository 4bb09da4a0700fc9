"""The spans of a frame's way through a worker. Spans are made after the fact, from stamps."""

from groundcam_runtime.tracing import UNTRACED, Trace, Tracing
from groundcam_worker.frames import Answered, Rejected, Replied, Skipped, Stamps


def begin(tracing: Tracing, frame: Answered | Skipped | Rejected | Replied, outcome: str, now_ns: int) -> Trace:
    """Begin a frame's span, with the stages that are behind it, once it is known what becomes of it."""
    if not tracing.is_on:
        return UNTRACED
    record = frame.record
    is_answered = isinstance(frame, Answered)
    stamps = frame.stamps if isinstance(frame, Answered) else Stamps()
    trace = tracing.begin(
        "answer frame", record.consumed_at_ns, record.headers,
        {"groundcam.camera": frame.camera_id, "groundcam.outcome": outcome,
         "groundcam.attempts": 1 if isinstance(frame, Skipped | Replied) else frame.attempts,
         "groundcam.objects": len(frame.objects) if isinstance(frame, Answered) else 0,
         "messaging.system": "kafka",
         "messaging.destination.name": record.partition.topic,
         "messaging.destination.partition.id": str(record.partition.number),
         "messaging.kafka.offset": record.offset},
    )  # fmt: skip
    trace.stage("queue", record.consumed_at_ns, stamps.admitted or now_ns)
    if is_answered:
        trace.stage("decode", stamps.admitted, stamps.decoded)
        trace.stage("batch", stamps.decoded, stamps.batched)
        trace.stage("detect", stamps.batched, stamps.inferred)
    return trace


def finish(trace: Trace, began_ns: int, now_ns: int) -> None:
    """Kafka has what was published about it."""
    trace.stage("publish", began_ns, now_ns)
    trace.end(now_ns)
