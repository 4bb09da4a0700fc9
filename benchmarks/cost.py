"""Where a worker's processor time goes, by thread and activity, while it answers preloaded frames.

A worker process wraps the functions named below in a clock of their own thread's CPU time (`time.thread_time`); what
is called inside of another counts for the inner one. Threads are read by their CPU clocks at the beginning and the end
of the same stretch of frames, and what no activity explains is shown as the rest of the thread.

Used by `pipeline.py`; by itself it is the worker to be measured, and is told by variables where Kafka is.
"""

import json
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

Key = tuple[str, str]


class Account:
    """CPU seconds by thread and activity, between two numbers of answers."""

    def __init__(self, first: int, last: int) -> None:
        self._first, self._last = first, last
        self._answers = 0
        self._spent: dict[Key, float] = defaultdict(float)
        self._inner = threading.local()
        self._at_first: dict[Key, float] = {}
        self._at_last: dict[Key, float] = {}

    def clocked(self, activity: str, call: Callable[..., Any]) -> Callable[..., Any]:
        """Return a function that accounts for itself."""

        def measured(*args: Any, **options: Any) -> Any:
            outer = getattr(self._inner, "seconds", 0.0)
            self._inner.seconds = 0.0
            began = time.thread_time()
            try:
                return call(*args, **options)
            finally:
                spent = time.thread_time() - began
                self._spent[kind(threading.current_thread().name), activity] += spent - self._inner.seconds
                self._inner.seconds = outer + spent

        return measured

    def answered(self) -> bool:
        """Count an answer, and read the clocks at the first and the last of the stretch; return whether it is over."""
        self._answers += 1
        if self._answers == self._first:
            self._at_first = self._read()
        elif self._answers == self._last:
            self._at_last = self._read()
        return self._answers == self._last

    def microseconds(self) -> list[tuple[str, str, float]]:
        """Return (thread, activity, microseconds a frame) of everything, the rest of each thread included."""
        frames = self._last - self._first
        used = {key: (end - self._at_first.get(key, 0.0)) * 1e6 / frames for key, end in self._at_last.items()}
        for thread in {thread for thread, _ in used}:
            known = sum(value for (name, activity), value in used.items() if name == thread and activity)
            used[thread, "rest"] = max(0.0, used.pop((thread, "")) - known)
        return sorted(((thread, activity, round(value, 1)) for (thread, activity), value in used.items()))

    def _read(self) -> dict[Key, float]:
        read: dict[Key, float] = defaultdict(float)
        for thread in threading.enumerate():
            if thread.ident is not None:
                clock = time.pthread_getcpuclockid(thread.ident)
                read[kind(thread.name), ""] += time.clock_gettime(clock)
        return read | self._spent


def kind(name: str) -> str:
    """Return what a thread is for, from its name."""
    named: Iterable[tuple[str, str]] = [
        ("MainThread", "loop"), ("kafka-source", "source"), ("decode", "JPEG pool"), ("detect", "detector"),
        ("kafka-io-groundcam-worker", "producer's network"), ("groundcam-worker-network", "producer's network"),
        ("kafka-io", "consumer's network"),
    ]  # fmt: skip
    return next((what for start, what in named if name.startswith(start)), "others")


def watched() -> list[tuple[Any, str, str]]:
    """Return the functions of a worker whose time is told apart: where each is looked up, and what it is called."""
    import kafka

    from groundcam_runtime.kafka.publisher import Publisher
    from groundcam_worker.detectors.fake import FakeDetector
    from groundcam_worker.loop import decoding, intake, publishing, state

    return [
        (kafka.KafkaConsumer, "poll", "poll: records out of responses"),
        (kafka.KafkaConsumer, "commit", "commit"),
        (intake, "parse", "message to frame"),
        (decoding, "decode_frame", "JPEG to picture"),
        (state, "objects_of", "boxes to objects"),
        (publishing.Publishing, "_answer_record", "answer to message"),
        (Publisher, "send", "hand over to the producer"),
        (Publisher, "poll", "acknowledgements"),
        (FakeDetector, "detect", "detector"),
    ]


def main(first: int, last: int, target: Path) -> None:
    """Be a worker that writes its account at the end of the stretch."""
    from groundcam.command_line import app
    from groundcam_worker.loop import publishing

    account = Account(first, last)
    for owner, name, activity in watched():
        setattr(owner, name, account.clocked(activity, getattr(owner, name)))
    detections = publishing.Publishing._detections

    def counted(*arguments: Any) -> Any:
        answer = detections(*arguments)
        if account.answered():
            target.write_text(json.dumps(account.microseconds()))
        return answer

    publishing.Publishing._detections = counted  # type: ignore[method-assign]
    app()


if __name__ == "__main__":
    first, last, target, *sys.argv[1:] = sys.argv[1:]
    main(int(first), int(last), Path(target))
