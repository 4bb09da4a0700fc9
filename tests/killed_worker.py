"""`groundcam` that signals itself when it has passed a point so many times: run with FAULT=point:times:signal.

The points: poll (records have come), inference (half of a batch's time), produce (an answer is handed to Kafka's
client), flush (Kafka has an answer), commit (offsets are committed). BUG=early commits what is not answered yet.
FREEZE=pid stops that process just before a transaction is committed. KILLER=white has every white picture end the
process that looks at it, also the sandbox's.
"""

import os
import signal
import sys
from collections.abc import Callable
from typing import Any

from groundcam.__main__ import main
from groundcam_runtime.kafka.commits import Commits
from groundcam_runtime.kafka.publisher import Publisher
from groundcam_runtime.kafka.source import GroupSource
from groundcam_runtime.kafka.transactions import TransactionalPublisher
from groundcam_runtime.partitions.assignment import Assignment
from groundcam_runtime.records import Consumed, Position
from groundcam_worker.detectors.fake import FakeDetector
from groundcam_worker.loop.driver import Driver

POINT, TIMES, SIGNAL = (os.environ.get("FAULT") or "none:0:SIGKILL").split(":")
left = int(TIMES)


def passed(point: str) -> None:
    global left  # noqa: PLW0603
    if point != POINT or __name__ != "__main__":
        return
    left -= 1
    if left == 0:
        print("FAULT", file=sys.stderr, flush=True)
        os.kill(os.getpid(), signal.Signals[SIGNAL])


def after(kind: Any, name: str, point: str, counts: Callable[[Any, tuple[Any, ...]], bool]) -> None:
    """Let calls of a method count, if they gave or took what counts."""
    original = getattr(kind, name)

    def wrapped(self: Any, *arguments: Any, **options: Any) -> Any:
        result = original(self, *arguments, **options)
        if counts(result, arguments):
            passed(point)
        return result

    setattr(kind, name, wrapped)


def emit(self: GroupSource, event: Any) -> None:
    take_event(self, event)
    if isinstance(event, Consumed):
        passed("poll")


def detect(self: FakeDetector, images: Any, asks: Any) -> Any:
    passed("inference")
    if os.environ.get("KILLER") and any(image.mean() > 250 for image in images):
        print("FAULT", file=sys.stderr, flush=True)
        os.kill(os.getpid(), signal.SIGKILL)
    return answer(self, images, asks)


def freeze(self: TransactionalPublisher, name: str, *rest: Any) -> None:
    if name == "commit_transaction" and not frozen:
        frozen.append(name)
        os.kill(int(os.environ["FREEZE"]), signal.SIGSTOP)
    timed(self, name, *rest)


def handle_early(self: Driver, event: Any, *now: Any) -> None:
    if isinstance(event, Consumed):
        epoch = self.source.owned.get(event.partition, 0)  # type: ignore[attr-defined]
        self.source.commit({event.partition: Position(event.offset + 1, epoch=epoch)})
    handle(self, event, *now)


def finish_unseen(self: Assignment, items: Any) -> dict[Any, Any]:
    finish(self, items)
    return {}


frozen: list[str] = []
timed = TransactionalPublisher._timed
take_event, answer, handle, finish = GroupSource._emit, FakeDetector.detect, Driver._handle, Assignment.finish

FakeDetector.detect = detect  # type: ignore[method-assign] # in the sandbox's process, too

if __name__ == "__main__":
    GroupSource._emit = emit  # type: ignore[method-assign]
    after(Publisher, "_hand_over", "produce", lambda _result, _arguments: True)
    after(Publisher, "poll", "flush", lambda result, _arguments: bool(result))
    after(Commits, "_commit", "commit", lambda result, arguments: result and bool(arguments[0]))
    after(TransactionalPublisher, "_send", "produce", lambda _result, _arguments: True)
    after(TransactionalPublisher, "_timed", "flush", lambda _result, arguments: arguments[0] == "send_offsets")
    after(TransactionalPublisher, "_timed", "commit", lambda _result, arguments: arguments[0] == "commit_transaction")
    if os.environ.get("BUG") == "early":
        Driver._handle = handle_early  # type: ignore[method-assign]
        Assignment.finish = finish_unseen  # type: ignore[method-assign]
    if os.environ.get("FREEZE"):
        TransactionalPublisher._timed = freeze  # type: ignore[method-assign]
    main()
