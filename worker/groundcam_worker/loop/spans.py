"""What a trace says of a frame's way through a worker."""

from groundcam_runtime.tracing import UNTRACED, Trace, Tracing
from groundcam_worker.frame_in_flight import Item


def begin(tracing: Tracing, item: Item, outcome: str, now_ns: int) -> Trace:
    """Begin a frame's span, with the stages that are behind it, once it is known what becomes of it."""
    if not tracing.is_on:
        return UNTRACED
    record = item.record
    trace = tracing.begin(
        "answer frame", record.consumed_at_ns, record.headers,
        {"groundcam.camera": item.camera, "groundcam.outcome": outcome, "groundcam.attempts": item.attempts,
         "groundcam.objects": len(item.objects), "messaging.system": "kafka",
         "messaging.destination.name": record.partition.topic,
         "messaging.destination.partition.id": str(record.partition.number),
         "messaging.kafka.offset": record.offset},
    )  # fmt: skip
    ends = {
        "queue": (record.consumed_at_ns, item.decoding_at_ns or now_ns),
        "decode": (item.decoding_at_ns, item.decoded_at_ns),
        "batch": (item.decoded_at_ns, item.batched_at_ns),
        "detect": (item.batched_at_ns, item.inferred_at_ns),
    }
    for name, (start_ns, end_ns) in ends.items():
        trace.stage(name, start_ns, end_ns)
    return trace


def finish(item: Item, now_ns: int) -> None:
    """Kafka has what was said of it."""
    item.trace.stage("publish", item.said_at_ns, now_ns)
    item.trace.end(now_ns)
