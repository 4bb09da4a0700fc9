"""What is to be seen of one camera: a picture and what is known of that very frame, put together by its name. Pure."""

from collections import OrderedDict, deque
from dataclasses import dataclass

from groundcam_schemas import Detections, FrameId, Gap

PATIENCE_S = 1.0
"""A frame that nobody has answered for so long is shown as it is, where no other was answered lately either."""
LONGEST_S = 15.0
"""The longest that a frame waits for a slow detector."""
SLOWER = 1.5
"""So many times what answers took lately a frame waits."""
MEMORY = 0.2
MOST_BYTES = 4 * 1024 * 1024
"""Of pictures that wait."""
MOST_ANSWERS = 64
"""Answers and gaps that came before their frames."""


@dataclass(frozen=True, slots=True)
class Picture:
    """A frame as it lay on Kafka."""

    frame: FrameId
    captured_at_ns: int
    data: bytes
    size: tuple[int, int]
    """(width, height) of the source's picture, upright, in square pixels; boxes are in these."""


@dataclass(frozen=True, slots=True)
class Look:
    """A picture with its answer, or with the reason why it has none, or with neither: not looked at yet."""

    number: int
    """Of the camera's looks, from 1 up."""
    picture: Picture
    answer: Detections | None = None
    gap: str | None = None


@dataclass(slots=True)
class _Waiting:
    picture: Picture
    order: int
    since_s: float


class CameraLooks:
    """Takes a camera's frames, answers and gaps in any order, and says what its newest look is.

    Picture and boxes are always of one frame. Looks never go back, but a frame that was shown without an answer is
    shown again with it. While answers come, frames wait for theirs, however slow the detector is.
    """

    def __init__(self) -> None:
        self.newest: Look | None = None
        self._order = self._shown = 0
        self._bytes = 0
        self._waiting: OrderedDict[FrameId, _Waiting] = OrderedDict()
        self._answers: OrderedDict[FrameId, Detections] = OrderedDict()
        self._gaps: deque[Gap] = deque(maxlen=MOST_ANSWERS)
        self._answered_s = float("-inf")
        self._usual_s = 0.0

    def picture(self, picture: Picture, now_s: float) -> bool:
        """Take a frame; return whether there is a new look."""
        if picture.frame in self._waiting or self._is_past(picture.frame):
            return False
        self._order += 1
        self._waiting[picture.frame] = _Waiting(picture, self._order, now_s)
        self._bytes += len(picture.data)
        while self._bytes > MOST_BYTES and len(self._waiting) > 1:
            self._forget(next(iter(self._waiting)))
        if (answer := self._answers.pop(picture.frame, None)) is not None:
            return self.answer(answer, now_s)
        told = next((one for one in self._gaps if _covers(one, picture.frame)), None)
        return told is not None and self._gap(told)

    def answer(self, answer: Detections, now_s: float) -> bool:
        """Take an answer; return whether there is a new look."""
        self._answered_s = now_s
        frame = FrameId(answer.camera_id, answer.frame.run_id, answer.frame.seq)
        waiting = self._waiting.get(frame)
        if waiting is None:
            self._answers[frame] = answer
            if len(self._answers) > MOST_ANSWERS:
                self._answers.popitem(last=False)
            return False
        self._usual_s += MEMORY * (now_s - waiting.since_s - self._usual_s)
        return self._show(waiting, answer, None)

    def gap(self, gap: Gap, now_s: float) -> bool:
        """Take a gap; return whether there is a new look."""
        if gap.first_seq is None:
            return False
        self._answered_s = now_s
        self._gaps.append(gap)
        return self._gap(gap)

    def wait(self, now_s: float) -> bool:
        """Time passes; return whether there is a new look: a frame that nobody answers."""
        patience_s = min(LONGEST_S, max(PATIENCE_S, SLOWER * self._usual_s))
        if now_s - self._answered_s < patience_s:
            return False
        tired = [one for one in self._waiting.values() if now_s - one.since_s >= patience_s]
        return bool(tired) and self._show(tired[-1], None, None)

    def _is_past(self, frame: FrameId) -> bool:
        """Whether a frame was shown already, or one of its run behind it: it comes again."""
        shown = self.newest.picture.frame if self.newest else None
        return shown is not None and shown.run_id == frame.run_id and frame.seq <= shown.seq

    def _gap(self, gap: Gap) -> bool:
        over = [one for one in self._waiting.values() if _covers(gap, one.picture.frame)]
        return bool(over) and self._show(over[-1], None, gap.reason.value)

    def _show(self, waiting: _Waiting, answer: Detections | None, gap: str | None) -> bool:
        is_known = answer is not None or gap is not None
        shown = self.newest
        is_same = shown is not None and waiting.order == self._shown
        if waiting.order < self._shown or (is_same and not is_known):
            return False
        self._shown = waiting.order
        self.newest = Look((shown.number if shown else 0) + 1, waiting.picture, answer, gap)
        # One that waits for its answer still may have it later; what came late is past by now.
        for name, one in list(self._waiting.items()):
            if one.order < waiting.order + is_known or (one is not waiting and self._is_past(name)):
                self._forget(name)
        return True

    def _forget(self, frame: FrameId) -> None:
        self._bytes -= len(self._waiting.pop(frame).picture.data)


def _covers(gap: Gap, frame: FrameId) -> bool:
    if gap.first_seq is None or gap.last_seq is None:
        return False
    return gap.run_id == frame.run_id and gap.first_seq <= frame.seq <= gap.last_seq
