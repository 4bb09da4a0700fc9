"""A loop whose clock and surroundings are a test's, without threads or waits."""

from collections.abc import Callable
from typing import Any

import numpy as np

from footage import frame, jpeg
from groundcam_runtime.records import Assigned, Consumed, Partition, Position
from groundcam_schemas import Question, ReplyTo, encode
from groundcam_worker.detectors.protocol import Detection
from groundcam_worker.errors import (
    OutOfMemoryError,
)
from groundcam_worker.frames import Instant
from groundcam_worker.loop import events as on
from groundcam_worker.loop import instructions as do
from groundcam_worker.loop.batches import Job, Prepared
from groundcam_worker.loop.state import LoopState
from groundcam_worker.policy.freshness import Freshness
from groundcam_worker.policy.limits import Limits
from groundcam_worker.policy.policies import Policies
from groundcam_worker.policy.questions import Questions
from invariants import validate

NS = 1_000_000_000
P = Partition("frames", 0)
OTHER = Partition("frames", 1)
REQUESTS = Partition("requests", 0)
PICTURE = jpeg(1, 16, 16)
IMAGE = np.zeros((16, 16, 3), np.uint8)
FOUND = (Detection(0, 0.9, (1.0, 1.0, 9.0, 9.0)),)
SHORT = OutOfMemoryError("short")


class Story:
    """A loop whose clock and surroundings are the test's."""

    def __init__(
        self,
        questions: Questions | None = None,
        *,
        max_age_s: float = 0.0,
        by_transactions: bool = False,
        **limits: Any,
    ) -> None:
        self.now = 1000.0
        self.freshness = Freshness(max_age_s)
        self.state = LoopState(
            Policies(
                questions or Questions([("*", Question.of("person"))]), self.freshness,
                Limits(**{"batch_size": 2, "batch_wait_s": 0.05, **limits}), requests=REQUESTS.topic,
                by_transactions=by_transactions,
            )
        )  # fmt: skip

    def __call__(self, event: on.Event, after_s: float = 0.0) -> list[do.Instruction]:
        self.now += after_s
        out = self.state.handle(event, Instant(self.now, int(self.now * NS)))
        validate(self.state)
        return out

    def ours(self, *partitions: Partition, note: str = "", epoch: int = 1) -> None:
        self(Assigned({one: Position(0, note) for one in partitions or (P,)}, epoch))

    def record(
        self, offset: int, camera: str = "gate", partition: Partition = P, age_s: float = 0.0, **fields: Any
    ) -> list[do.Instruction]:
        """A frame comes; `fields` are those of its message."""
        fields["captured_at_ns"] = self.ns - int(age_s * NS)
        body = encode(frame(camera, offset, PICTURE).model_copy(update=fields))
        return self(Consumed(partition, offset, 0, camera.encode(), body, (), self.ns))

    def request(self, offset: int, *, timeout_s: float = 5.0, to: str = "door", **fields: Any) -> list[do.Instruction]:
        """Somebody asks, and waits so long."""
        reply_to = ReplyTo(to=to, deadline_ns=self.ns + int(timeout_s * NS))
        fields = {"reply_to": reply_to, "question": Question.of("dog"), **fields}
        return self.record(offset, "http", REQUESTS, **fields)

    @property
    def ns(self) -> int:
        return int(self.now * NS)

    def tick(self, after_s: float = 0.0, *, draining: bool = False) -> list[do.Instruction]:
        return self(on.Tick(draining), after_s)

    def admitted(self, out: list[do.Instruction]) -> list[Any]:
        return [one.admitted for one in out if isinstance(one, do.Decode)]

    def pump(self, outcome: Callable[[Job], Any]) -> list[do.Instruction]:
        """Do everything that the loop wants done now, with these outcomes of the detector; return all of it."""
        done, todo = [], self.tick()
        while todo:
            done += todo
            news: list[do.Instruction] = []
            for one in todo:
                if isinstance(one, do.Decode):
                    news += self(on.DecodeDone(one.admitted, Prepared(IMAGE, one.admitted.frame.id.camera_id)))
                elif isinstance(one, do.Begin):
                    news += self(on.BatchDone(one.batch, [outcome(job) for job in one.batch.jobs], self.ns))
            todo = news + self.tick()
        return done

    def detect(self, *outcomes: Any) -> list[do.Instruction]:
        """Decode what waits, and finish batches with these outcomes, one after the other; return what followed."""
        out, left = [], list(outcomes)
        batches: list[Any] = []
        for _ in range(20):
            news = self.tick()
            out += news
            for admitted in self.admitted(news):
                self(on.DecodeDone(admitted, Prepared(IMAGE, "shape")))
            batches += [one.batch for one in news if isinstance(one, do.Begin)]
            while batches and left:
                batch = batches.pop(0)
                out += self(on.BatchDone(batch, [left.pop(0) for _ in batch.jobs], self.ns))
        return out


def of(kind: type[Any], out: list[do.Instruction]) -> list[Any]:
    return [one for one in out if isinstance(one, kind)]
