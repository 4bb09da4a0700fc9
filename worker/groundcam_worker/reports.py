"""What a worker says of itself on the workers topic: its state, a heartbeat, and what it does with each question."""

import logging
import os
import secrets
import socket
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, Self

from groundcam_runtime.kafka.errors import KafkaProblem
from groundcam_runtime.kafka.publisher import Publisher
from groundcam_runtime.kafka.record import Record
from groundcam_runtime.kafka.topics import TopicAdmin
from groundcam_runtime.kafka.worker_statuses import worker_statuses
from groundcam_runtime.settings import KafkaSettings
from groundcam_schemas import Verdict, WorkerState, WorkerStatus
from groundcam_schemas.limits import MAX_TEXT, MAX_VERDICTS

log = logging.getLogger(__name__)

HEARTBEAT_S = 5.0
FORGOTTEN_S = 3600.0
"""So long after its last heartbeat the status of a worker that died is taken back by another one."""
SEND_S = 5.0
MAX_BYTES = 1_000_000


class WorkerReports:
    """Tells on a thread of its own. Any thread may call `now`, `model` and `judged`; nothing here raises or waits."""

    def __init__(self, settings: KafkaSettings, group: str, asked_for: str) -> None:
        self._settings, self._topic, self._group = settings, settings.topics.workers, group
        self._worker_id = f"{socket.gethostname()[:100]}-{os.getpid()}-{secrets.token_hex(3)}"
        self._lock = threading.Lock()
        self._fields: dict[str, Any] = {"asked_for": asked_for[:MAX_TEXT]}
        self._state, self._since_ns = WorkerState.STARTING, time.time_ns()
        self._verdicts: OrderedDict[str, Verdict] = OrderedDict()
        self._ask: Callable[[], dict[str, Any]] = dict
        self._changed, self._stopping = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run, name="worker reports", daemon=True)

    def __enter__(self) -> Self:
        """Begin to tell."""
        self._thread.start()
        return self

    def __exit__(self, *_exception: object) -> None:
        """Take the status back."""
        self._stopping.set()
        self._changed.set()
        self._thread.join(SEND_S)

    def now(self, state: WorkerState, **fields: Any) -> None:
        """Tell of a state, and of fields of WorkerStatus that have changed."""
        with self._lock:
            if state is not self._state:
                self._state, self._since_ns = state, time.time_ns()
                self._fields.pop("progress", None)
            self._fields |= fields
        self._changed.set()

    def ready(self, fields: Callable[[], dict[str, Any]]) -> None:
        """Tell that it works; at each heartbeat with these fields of WorkerStatus."""
        self._ask = fields
        self.now(WorkerState.READY)

    def judged(self, camera_id: str, version: str, refused: str | None) -> None:
        """Tell what becomes of a question that came over Kafka."""
        verdict = Verdict(
            camera_id=camera_id, version=version[:MAX_TEXT], at_ns=time.time_ns(),
            refused=None if refused is None else refused[:MAX_TEXT],
        )  # fmt: skip
        with self._lock:
            self._verdicts.pop(camera_id, None)
            self._verdicts[camera_id] = verdict
            while len(self._verdicts) > MAX_VERDICTS:
                self._verdicts.popitem(last=False)
        self._changed.set()

    def status(self) -> WorkerStatus:
        """Return what is told now."""
        asked = self._ask()
        if reason := asked.get("reason"):
            asked["reason"] = reason[:MAX_TEXT]
        with self._lock:
            self._fields |= asked
            return WorkerStatus(
                worker_id=self._worker_id, group=self._group, state=self._state, since_ns=self._since_ns,
                at_ns=time.time_ns(), heartbeat_s=HEARTBEAT_S, verdicts=tuple(self._verdicts.values()), **self._fields,
            )  # fmt: skip

    def _run(self) -> None:
        try:
            self._require_topic()
            publisher = Publisher(self._settings, max_waiting_bytes=MAX_BYTES, max_record_bytes=MAX_BYTES)
        except KafkaProblem as problem:
            log.info("what this worker is and does is not told to other clients: %s", problem)
            return
        try:
            self._forget_the_dead(publisher)
            while not self._stopping.is_set():
                self._send(publisher, Record.of(self._topic, self.status(), self._worker_id))
                self._changed.wait(HEARTBEAT_S)
                self._changed.clear()
            self._send(publisher, Record.of(self._topic, None, self._worker_id))
        except Exception:
            log.exception("what this worker is and does is not told any more")
        finally:
            publisher.close()

    def _send(self, publisher: Publisher, record: Record) -> None:
        """Wait for Kafka a little, and no longer: the next one says the same."""
        if publisher.has_room(record.size):
            publisher.send(record)
        publisher.flush(SEND_S)

    def _forget_the_dead(self, publisher: Publisher) -> None:
        try:
            found = worker_statuses(self._settings)
        except KafkaProblem:
            return
        for one in found:
            if one.group == self._group and time.time_ns() - one.at_ns > FORGOTTEN_S * 1e9:
                self._send(publisher, Record.of(self._topic, None, one.worker_id))

    def _require_topic(self) -> None:
        """Raise KafkaProblem where the topic is not there."""
        admin = TopicAdmin(self._settings)
        try:
            admin.require([self._topic])
        finally:
            admin.close()
