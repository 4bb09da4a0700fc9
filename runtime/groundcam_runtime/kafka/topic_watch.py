"""See whether Kafka lets us in and our topics are there, for as long as a process runs.

The client keeps both to itself: after a refused login, or for a topic that is gone, it tries again for ever, and says
"socket disconnected" or nothing. So one connection of its own asks every few seconds; where it fails, a new one finds
out why.
"""

import logging
import threading
from collections.abc import Sequence
from types import TracebackType
from typing import Self

from groundcam_runtime.kafka.errors import KafkaProblem, UnreachableError
from groundcam_runtime.kafka.topics import TopicAdmin
from groundcam_runtime.settings import KafkaSettings

log = logging.getLogger(__name__)

EVERY_S = 2.0
PATIENCE_S = 3.0
"""For a connection, and for an answer."""


class TopicWatch:
    """Asks on a thread of its own; use it as a context manager.

    Each trouble is logged once, and its end. An error is what the client keeps to itself.
    """

    def __init__(self, settings: KafkaSettings, topics: Sequence[str]) -> None:
        self._settings = settings.model_copy(update={"connect_timeout_s": PATIENCE_S})
        self._topics = list(topics)
        self._admin: TopicAdmin | None = None
        self._stopping = threading.Event()
        self.problem: KafkaProblem | None = None
        """What is wrong now."""

    @property
    def refusal(self) -> str | None:
        """Why Kafka, which is there, is of no use to us: a refused login, or a topic that is gone or hidden."""
        problem = self.problem
        return None if problem is None or isinstance(problem, UnreachableError) else str(problem)

    @property
    def trouble(self) -> str | None:
        """The same, or that Kafka does not answer."""
        return None if self.problem is None else str(self.problem)

    def _run(self) -> None:
        while not self._stopping.wait(EVERY_S):
            try:
                self._note(self._look())
            except Exception:
                log.exception("the topics cannot be watched")
        if self._admin is not None:
            self._admin.close()

    def _look(self) -> KafkaProblem | None:
        """Ask over the connection that is there; what a new one says counts."""
        if self._admin is not None:
            try:
                self._admin.require(self._topics)
            except KafkaProblem:
                self._admin.close()
                self._admin = None
            else:
                return None
        try:
            self._admin = TopicAdmin(self._settings, request_timeout_ms=int(PATIENCE_S * 1000))
            self._admin.require(self._topics)
        except KafkaProblem as problem:
            return problem
        return None

    def _note(self, problem: KafkaProblem | None) -> None:
        before, self.problem = self.problem, problem
        if problem is None:
            if before is not None:
                log.info("Kafka lets us in, and our topics are there again")
        # How exactly nobody answers may change from one time to the next.
        elif type(problem) is not type(before) or (self.refusal and str(problem) != str(before)):
            # That nobody answers the client says itself, once a minute: a second alarm of it would tell nothing new.
            log.log(logging.INFO if isinstance(problem, UnreachableError) else logging.ERROR, "%s", problem)

    def __enter__(self) -> Self:
        threading.Thread(target=self._run, name="topic-watch", daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopping.set()
