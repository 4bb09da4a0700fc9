"""Does another producer play a camera of ours? From the states on the cameras topic. Pure: the caller owns the clock.

A state of a camera of ours that is not ours is answered by saying ours again, and the other producer answers that: so
two that live hear of each other again and again, and where there is only one, nothing is said. One state alone proves
nothing: it may be the last of a producer that was ended. Who says goodbye, as a producer that stops does, is gone.
"""

from dataclasses import dataclass, field

from groundcam_schemas import CameraState, CameraStatus

CONFIRM_S = 4.0
"""States of another that lie so far apart are of one that lives."""
ANSWER_S = 5.0
"""At least so long from one answer of ours to the next, while it is not certain."""
REFRESH_S = 20.0
"""And so long once it is."""
GONE_S = 60.0
"""After so long a silence there is no other any more."""
CORRECT_S = 1.0
MOST_OTHERS = 8
OLDER = "a producer of an older version"
"""Which does not say who it is, and answers nothing."""


@dataclass(frozen=True, slots=True)
class News:
    """Another producer of a camera has turned up, or is gone."""

    camera_id: str
    other: str
    is_there: bool


@dataclass(slots=True)
class _Sight:
    first_s: float
    last_s: float


@dataclass(slots=True)
class _Camera:
    own: CameraStatus
    """As its process has said it last."""
    twin: str | None = None
    due_s: float | None = None
    """When our state is to be said again."""
    said_s: float = float("-inf")
    others: dict[str, _Sight] = field(default_factory=dict)


class Twins:
    """What is known of other producers of our cameras: those of which we have said a state, and no goodbye."""

    def __init__(self, producer: str) -> None:
        """`producer` is who we are, in our own states."""
        self._producer = producer
        self._cameras: dict[str, _Camera] = {}
        self._news: list[News] = []

    def twin_of(self, camera_id: str) -> str | None:
        """Return who else plays a camera; None where nobody does."""
        camera = self._cameras.get(camera_id)
        return camera.twin if camera else None

    def saw(self, status: CameraStatus, now: float, *, is_repeat: bool = False, is_old: bool = False) -> None:
        """Take note of a state, in the order of the topic.

        `is_repeat`: its producer said it again, as `due` asks for. `is_old`: it was there before we looked, so that it
        may be of a producer that was ended long ago, which will not answer.
        """
        if status.producer == self._producer:
            self._note_own(status, now, is_repeat=is_repeat)
        elif (camera := self._cameras.get(status.camera_id)) is None or _is_farewell(camera.own):
            return
        elif _is_farewell(status):
            other = status.producer or OLDER
            camera.others.pop(other, None)
            if camera.twin == other:
                self._forget(status.camera_id, camera, now)
            self._was_overwritten(camera, now)
        else:
            _be_due(camera, max(now, camera.said_s + (REFRESH_S if camera.twin else ANSWER_S)))
            if not is_old:
                self._heard(camera, status, now)

    def was_taken_back(self, camera_id: str, now: float) -> None:
        """Somebody took a camera's state back, perhaps one who handed it over to us."""
        if camera := self._cameras.get(camera_id):
            self._was_overwritten(camera, now)

    def _was_overwritten(self, camera: _Camera, now: float) -> None:
        """The last word on a camera is another's, and a goodbye: whoever reads the topic next must find it here."""
        if not _is_farewell(camera.own):
            _be_due(camera, max(now, camera.said_s + CORRECT_S))

    def _note_own(self, status: CameraStatus, now: float, *, is_repeat: bool) -> None:
        camera = self._cameras.setdefault(status.camera_id, _Camera(status))
        if not is_repeat:
            camera.own = status
            if _is_farewell(status):
                camera.twin, camera.due_s = None, None
                camera.others.clear()
        if status != _wanted(camera):
            # Said meanwhile by its process, which knows no twin; or what was repeated was overtaken.
            _be_due(camera, max(now, camera.said_s + CORRECT_S))

    def _heard(self, camera: _Camera, status: CameraStatus, now: float) -> None:
        """Another producer lives, or did a moment ago. One that knows us by our name has heard us often enough."""
        other = status.producer or OLDER
        sight = camera.others.get(other)
        if sight is None or now - sight.last_s > GONE_S:
            camera.others.pop(other, None)
            if len(camera.others) >= MOST_OTHERS:
                del camera.others[next(one for one in camera.others if one != camera.twin)]
            sight = camera.others[other] = _Sight(now, now)
        sight.last_s = now
        if camera.twin is None and (now - sight.first_s >= CONFIRM_S or status.twin == self._producer):
            camera.twin = other
            self._news.append(News(status.camera_id, other, is_there=True))
            _be_due(camera, max(now, camera.said_s + CORRECT_S))

    def due(self, now: float) -> list[CameraStatus]:
        """Take the states of ours that are to be said again now."""
        found = []
        for name, camera in self._cameras.items():
            if camera.twin and now - camera.others[camera.twin].last_s > GONE_S:
                self._forget(name, camera, now)
            if camera.due_s is not None and now >= camera.due_s:
                camera.due_s, camera.said_s = None, now
                found.append(_wanted(camera))
        return found

    def news(self) -> list[News]:
        """Take what has changed."""
        news, self._news = self._news, []
        return news

    def _forget(self, name: str, camera: _Camera, now: float) -> None:
        if camera.twin:
            self._news.append(News(name, camera.twin, is_there=False))
            camera.others.pop(camera.twin, None)
        camera.twin = None
        _be_due(camera, max(now, camera.said_s + CORRECT_S))


def _wanted(camera: _Camera) -> CameraStatus:
    """Return our state as it should lie on the topic."""
    return camera.own.model_copy(update={"twin": camera.twin})


def _be_due(camera: _Camera, at_s: float) -> None:
    camera.due_s = at_s if camera.due_s is None else min(camera.due_s, at_s)


def _is_farewell(status: CameraStatus) -> bool:
    """Whether it is the last state of a process that was stopped; of a camera that is away there is an error."""
    return status.state is CameraState.OFFLINE and status.last_error is None
