"""A subscriber in a process of its own: notes when each answer arrives, and reads what it says only at the end."""

import multiprocessing
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection

from groundcam_runtime.kafka.reader import Reader
from groundcam_runtime.settings import KafkaSettings
from groundcam_schemas import Detections, decode_answer

NS_PER_MS = 1_000_000


@dataclass(frozen=True, slots=True)
class Arrival:
    """One answer, and when it passed which station (ns since the epoch)."""

    camera: str
    seq: int
    captured: int
    in_kafka: int
    """When Kafka wrote the frame, cut to a millisecond."""
    consumed: int
    batched: int
    inferred: int
    published: int
    out_kafka: int
    """When Kafka wrote the answer, cut to a millisecond."""
    arrived: int


class Subscriber:
    """Waits for answers in another process."""

    def __init__(self, process: "multiprocessing.process.BaseProcess", pipe: "Connection") -> None:
        self._process = process
        self._pipe = pipe

    @property
    def pid(self) -> int:
        """The process."""
        return self._process.pid or 0

    def first(self, timeout_s: float) -> bool:
        """Whether the first answer is there; to be called until it is, before `wait`."""
        return bool(self._pipe.poll(timeout_s) and self._pipe.recv())

    def wait(self, timeout_s: float) -> list[Arrival] | None:
        """Return everything once as many answers as expected are there, or None for now."""
        if not self._pipe.poll(timeout_s):
            return None
        arrivals: list[Arrival] = self._pipe.recv()
        return arrivals


@contextmanager
def subscribed(settings: KafkaSettings, expected: int) -> Iterator[Subscriber]:
    """Listen from the beginning until so many different frames are answered."""
    spawn = multiprocessing.get_context("spawn")
    ours, theirs = spawn.Pipe()
    process = spawn.Process(target=_listen, args=(settings, expected, theirs), daemon=True)
    process.start()
    theirs.close()  # so that its end is noticed here
    ours.recv()
    try:
        yield Subscriber(process, ours)
    finally:
        process.kill()
        process.join()


def _listen(settings: KafkaSettings, expected: int, pipe: "Connection") -> None:
    raw: list[tuple[int, int, bytes]] = []
    arrivals: dict[tuple[str, int], Arrival] = {}
    with Reader(settings, [settings.topics.detections], start="beginning") as reader:
        pipe.send("ready")
        first = False
        while len(arrivals) < expected:
            while len(raw) < expected - len(arrivals):
                raw += [(record.consumed_at_ns, record.timestamp_ms * NS_PER_MS, record.value or b"")
                        for record in reader.poll(0.5)]  # fmt: skip
                if raw and not first:
                    pipe.send("first")
                    first = True
            for arrived, out_kafka, value in raw:
                answer = decode_answer(value)
                if isinstance(answer, Detections):
                    one = _arrival(answer, out_kafka, arrived)
                    arrivals.setdefault((one.camera, one.seq), one)
            raw.clear()
    pipe.send(sorted(arrivals.values(), key=lambda one: one.captured))
    time.sleep(600)  # until we are killed: an end would take the pipe's content along on some systems


def _arrival(answer: Detections, out_kafka: int, arrived: int) -> Arrival:
    times = answer.timings_ns
    return Arrival(
        answer.camera_id, answer.frame.seq, times.captured, times.published_to_kafka, times.consumed, times.batched,
        times.inferred, times.published, out_kafka, arrived,
    )  # fmt: skip
