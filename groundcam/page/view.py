"""What the page shows of each camera. One thread takes records, many serve; a number says what is new."""

import threading
import time
from collections import Counter, deque
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any

from groundcam.frame_join import FrameJoin, JoinedFrame, TakenBack
from groundcam_runtime.pictures.decoding import decode_jpeg
from groundcam_runtime.pictures.drawing import draw, jpeg
from groundcam_runtime.pictures.errors import PictureError
from groundcam_runtime.records import Consumed
from groundcam_schemas import CameraStatus, Gap, Topics

RATE_WINDOW = 20
MOST_CARDS = 256
"""Cameras on the page; of more, those that were heard of last."""


@dataclass(slots=True)
class Card:
    """One camera."""

    state: str = "unknown"
    question: tuple[str, ...] = ()
    counts: dict[str, int] = field(default_factory=dict)
    seq: int | None = None
    latency_ms: float | None = None
    captured_at_ms: float | None = None
    received_ns: deque[int] = field(default_factory=lambda: deque(maxlen=RATE_WINDOW))
    gaps: int = 0
    last_gap: str | None = None
    picture: bytes | None = None
    version: int = 0

    @property
    def rate(self) -> float | None:
        """Pictures a second, lately."""
        if len(self.received_ns) < 2 or self.received_ns[-1] == self.received_ns[0]:
            return None
        return (len(self.received_ns) - 1) / ((self.received_ns[-1] - self.received_ns[0]) / 1e9)


class View:
    """Everything on the page. Safe to use from several threads."""

    def __init__(self, topics: Topics, cameras: Collection[str] | None) -> None:
        """`cameras` shows some of them only."""
        self._frame_join = FrameJoin(topics, cameras)
        self._cards: dict[str, Card] = {}
        self._taken_back: dict[str, int] = {}
        """When cameras went, the last one at the end: answers about a time before that bring no card back."""
        self._version = 0
        self._changed = threading.Condition()
        self._closed = False

    def take(self, records: list[Consumed]) -> None:
        """Take what has come; of each camera only the newest picture is drawn."""
        newest: dict[str, JoinedFrame] = {}
        for record in records:
            found = self._frame_join.take(record)
            if found is None:
                continue
            name = found.answer.camera_id if isinstance(found, JoinedFrame) else found.camera_id
            if isinstance(found, TakenBack):
                self._take_back(name, found.at_ns)
                newest.pop(name, None)
            elif isinstance(found, CameraStatus):
                self._taken_back.pop(name, None)
                self._report(name, found)
            elif isinstance(found, JoinedFrame):
                if found.answer.captured_at_ns <= self._taken_back.get(name, -1):
                    continue
                newest[name] = found
                with self._changed:
                    self._card(name).received_ns.append(found.received_at_ns)
            elif name not in self._taken_back:
                self._report(name, found)
        for name, frame in newest.items():
            self._show(name, frame)

    def _show(self, name: str, frame: JoinedFrame) -> None:
        answer = frame.answer
        try:
            image = decode_jpeg(frame.jpeg)
        except PictureError:
            return
        drawn = jpeg(draw(image, answer.objects, (answer.source_width, answer.source_height)))
        with self._changed:
            card = self._card(name)
            card.picture = drawn
            card.question = answer.question.classes
            counts = Counter(found.label for found in answer.objects)
            card.counts = {label: counts[label] for label in answer.question.classes}
            card.seq = answer.frame.seq
            card.latency_ms = frame.latency_s * 1000
            card.captured_at_ms = answer.captured_at_ns / 1e6
            self._touch(card)

    def _report(self, name: str, report: Gap | CameraStatus) -> None:
        with self._changed:
            card = self._card(name)
            if isinstance(report, CameraStatus):
                card.state = report.state.value
            else:
                if report.first_seq is not None and report.last_seq is not None:
                    card.gaps += report.last_seq - report.first_seq + 1
                card.last_gap = report.reason.value.replace("_", " ")
            self._touch(card)

    def _take_back(self, name: str, at_ns: int) -> None:
        with self._changed:
            self._taken_back.pop(name, None)
            self._taken_back[name] = at_ns
            if len(self._taken_back) > MOST_CARDS:
                del self._taken_back[next(iter(self._taken_back))]
            if self._cards.pop(name, None):
                self._version += 1
                self._changed.notify_all()

    def _card(self, name: str) -> Card:
        if name not in self._cards and len(self._cards) >= MOST_CARDS:
            del self._cards[min(self._cards, key=lambda one: self._cards[one].version)]
        return self._cards.setdefault(name, Card())

    def _touch(self, card: Card) -> None:
        self._version += 1
        card.version = self._version
        self._changed.notify_all()

    def wait(self, version: int, timeout_s: float) -> tuple[int, dict[str, Any]] | None:
        """Return the newest version and all cards once there is something newer; None when time ran out."""
        with self._changed:
            if not self._changed.wait_for(lambda: self._version > version or self._closed, timeout_s):
                return None
            now_ms = time.time() * 1000
            cards = {
                name: {
                    "state": card.state,
                    "question": list(card.question),
                    "counts": card.counts,
                    "seq": card.seq,
                    "latency_ms": card.latency_ms,
                    "age_ms": now_ms - card.captured_at_ms if card.captured_at_ms is not None else None,
                    "rate": card.rate,
                    "gaps": card.gaps,
                    "last_gap": card.last_gap,
                    "version": card.version if card.picture else 0,
                }
                for name, card in sorted(self._cards.items())
            }
            return self._version, cards

    def picture(self, name: str) -> bytes | None:
        """Return a camera's newest annotated picture as JPEG."""
        with self._changed:
            card = self._cards.get(name)
            return card.picture if card else None

    def close(self) -> None:
        """Let everybody who waits go."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    @property
    def is_closed(self) -> bool:
        """Whether there will be nothing more."""
        return self._closed
