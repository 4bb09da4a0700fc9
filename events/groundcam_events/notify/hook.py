"""One webhook: its queue, and the threads that send from it. What hangs here keeps no other webhook waiting."""

import logging
import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from groundcam_events.notify.credentials import read_credentials
from groundcam_events.notify.metrics import NotifyMetrics
from groundcam_events.notify.pictures import Pictures
from groundcam_events.notify.policy.answers import Answer, Failure
from groundcam_events.notify.policy.body import Picture, body, headers
from groundcam_events.notify.policy.book import Claim
from groundcam_events.notify.policy.waiting import Item, Waiting
from groundcam_events.notify.post import post
from groundcam_events.notify.settings import HookSettings
from groundcam_runtime.recurring import Recurring
from groundcam_runtime.settings import SettingError
from groundcam_schemas import Event, EventType

log = logging.getLogger(__name__)
recurring = Recurring(log)

PICTURE_WAIT_S = 2.0
"""The picture of a new object comes shortly behind its event; it is not waited for longer than this."""
LOOK_S = 1.0


@dataclass(frozen=True, slots=True)
class Outcome:
    """An event is through with a webhook."""

    hook: str
    item: Item
    reason: str | None = None
    """None where the webhook has it; else why it never will: a failure, or `gave_up`."""


def attempt(
    name: str, settings: HookSettings, event: Event, picture: Picture | None = None, *, is_test: bool = False
) -> tuple[Answer, str]:
    """Send an event once; return the answer and the address as it may be shown."""
    try:
        credentials = read_credentials(name, settings)
    except SettingError as error:
        return Answer(Failure.SETTINGS, str(error)), ""
    content = body(event, name, settings, picture, is_test=is_test)
    ours = headers(event, content, credentials.secret, time.time())
    answered = post(credentials, content, ours, timeout_s=settings.timeout_s, ca_file=settings.ca_file)
    return answered, credentials.address.shown


class Hook:
    """Sends what it is offered. `offer` and the rest may be called from any thread."""

    def __init__(
        self,
        name: str,
        settings: HookSettings,
        metrics: NotifyMetrics,
        pictures: Pictures | None,
        done: Callable[[Outcome], None],
    ) -> None:
        """`done` is called for each event that is through, on a thread of the hook's."""
        self.name = name
        self._settings, self._metrics, self._done = settings, metrics, done
        self._pictures = pictures if settings.picture == "attach" else None
        self._waiting, self._changed = Waiting(settings), threading.Condition()
        self._closing = False
        self._trouble: str | None = None
        self._threads = [
            threading.Thread(target=self._run, name=f"hook {name} {number}", daemon=True)
            for number in range(settings.concurrent)
        ]

    @property
    def queued(self) -> int:
        """Events that wait, those on their way included."""
        return self._waiting.count

    @property
    def trouble(self) -> str | None:
        """Why the last attempt failed; None where it did not."""
        return self._trouble

    def start(self) -> None:
        """Begin to send."""
        for thread in self._threads:
            thread.start()

    def offer(self, item: Item) -> bool:
        """Take an event; False where there is no room for it."""
        with self._changed:
            taken = self._waiting.offer(item)
            self._changed.notify()
        return taken

    def forget(self, is_ours: Callable[[Claim], bool]) -> None:
        """Let go what is another notifier's now."""
        with self._changed:
            self._waiting.forget(is_ours)

    def close(self, timeout_s: float) -> None:
        """Begin nothing more, and wait for what is on its way."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        deadline = time.monotonic() + timeout_s
        for thread in self._threads:
            if thread.ident is not None:
                thread.join(max(0.0, deadline - time.monotonic()))

    def _run(self) -> None:
        while (item := self._next()) is not None:
            try:
                answered = self._attempt(item)
            except Exception as error:
                # It would come up again at each start, and keep all that is behind it.
                log.exception("%s: an event cannot be sent", self.name)
                answered = Answer(Failure.SETTINGS, f"it cannot be sent ({type(error).__name__})")
            self._note(item, answered)

    def _next(self) -> Item | None:
        """Return what is to be sent, as soon as there is something; None at the end."""
        while True:
            with self._changed:
                now_s = time.monotonic()
                over = list(self._waiting.overdue(now_s))
                item = None if self._closing else self._waiting.next(now_s)
                if item is None and not over and not self._closing:
                    due_s = self._waiting.next_s()
                    self._changed.wait(LOOK_S if due_s is None else min(LOOK_S, max(0.0, due_s - now_s)))
            for one in over:
                self._done(Outcome(self.name, one, "gave_up"))
            if item is not None or self._closing:
                return item

    def _attempt(self, item: Item) -> Answer:
        picture = None
        if self._pictures is not None:
            is_new = item.event.type is EventType.NEW
            picture = self._pictures.find(item.event.id, item.taken_s + (PICTURE_WAIT_S if is_new else 0.0))
            if picture.jpeg is None:
                self._metrics.no_picture(self.name)
        answered, where = attempt(self.name, self._settings, item.event, picture)
        if answered.failure is not None:
            self._metrics.failed(self.name, answered.failure)
            shown = f"webhook {self.name}{f' ({where})' if where else ''}"
            text, camera = answered.text, item.event.camera_id
            recurring.warning(f"hook {self.name}", "%s did not take an event: %s", shown, text, camera=camera)
        return answered

    def _note(self, item: Item, answered: Answer) -> None:
        with self._changed:
            now_s = time.monotonic()
            is_through = self._waiting.answered(item, answered, now_s, random.random)
            self._trouble = answered.text if answered.failure else None
            self._changed.notify_all()
        if answered.failure is None:
            self._metrics.delivered(self.name, now_s - item.taken_s)
        if is_through:
            reason = answered.failure.value if answered.failure and answered.is_final else "gave_up"
            item.why = answered.text
            self._done(Outcome(self.name, item, None if answered.failure is None else reason))
