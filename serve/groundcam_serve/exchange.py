"""Pictures go to the requests topic, replies come back on theirs: the only file here that waits for Kafka's answers.

Each service has an id of its own, in every frame that it sends and as the key of every reply to it; replies to others
are passed over unread. Kafka's client belongs to two threads; the futures to the event loop.
"""

import asyncio
import logging
import threading
import time
from collections import deque
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from groundcam_runtime.kafka.errors import KafkaProblem
from groundcam_runtime.kafka.publisher import Publisher, QueueFullError, RecordTooLargeError
from groundcam_runtime.kafka.reader import Reader
from groundcam_runtime.kafka.record import Record
from groundcam_runtime.recurring import Recurring
from groundcam_runtime.settings import KafkaSettings
from groundcam_runtime.tracing import Header
from groundcam_schemas import Frame, Question, Reply, ReplyTo, SchemaError, decode, new_run_id
from groundcam_serve.pictures import Picture

log = logging.getLogger(__name__)
recurring = Recurring(log)

POLL_S = 0.5
PAUSE_S = 1.0
END_S = 3.0
ENVELOPE_BYTES = 256 * 1024
"""Of a frame besides its picture: a question of 500 long classes."""
NS = 1_000_000_000


class NotTakenError(Exception):
    """Kafka did not take a picture."""


class LateError(Exception):
    """No reply came in time."""


@dataclass(slots=True)
class _Waiting:
    future: "asyncio.Future[Reply]"
    record: Record | None


class Exchange:
    """Sends pictures and returns replies. Its methods belong to the event loop that it was made in."""

    def __init__(self, kafka: KafkaSettings, name: str, *, max_waiting_bytes: int, max_record_bytes: int) -> None:
        """Connect. Raises KafkaProblem."""
        self._name, self.run_id = name, new_run_id(time.time_ns())
        self._requests, self._key = kafka.topics.requests, self.run_id.encode()
        self._loop = asyncio.get_running_loop()
        self._seq = 0
        self._waiting: dict[int, _Waiting] = {}
        self._outgoing: deque[int] = deque()
        self._wake, self._stopping = threading.Event(), threading.Event()
        self.late = 0
        """Replies that came after their deadlines."""
        self.trouble: str | None = None
        """Why no replies can be read."""
        # What was sent before its reply could be read would never be answered.
        self._reader = Reader(kafka, [kafka.topics.replies], start="end")
        try:
            self._publisher = Publisher(
                kafka, max_waiting_bytes=max_waiting_bytes, max_record_bytes=max_record_bytes,
                client_id=f"groundcam-serve-{self.run_id}", on_change=self._wake.set,
            )  # fmt: skip
        except KafkaProblem:
            self._reader.__exit__(None, None, None)
            raise
        self._threads = [
            threading.Thread(target=target, name=target.__name__.strip("_"), daemon=True)
            for target in (self._send_requests, self._read_replies)
        ]
        for thread in self._threads:
            thread.start()

    @property
    def waiting(self) -> int:
        """Pictures without a reply."""
        return len(self._waiting)

    @property
    def kafka_trouble(self) -> str | None:
        """Why nothing would be answered now, as far as Kafka says."""
        return self.trouble or self._publisher.trouble

    async def ask(
        self, picture: Picture, question: Question, timeout_s: float, headers: tuple[Header, ...] = ()
    ) -> Reply:
        """Return the reply of a worker. Raises LateError and NotTakenError."""
        seq, self._seq = self._seq, self._seq + 1
        now_ns = time.time_ns()
        (width, height), deadline_ns = picture.size, now_ns + int(timeout_s * NS)
        frame = Frame(
            camera_id=self._name, run_id=self.run_id, seq=seq, captured_at_ns=now_ns, width=width, height=height,
            source_width=width, source_height=height, encoding=picture.encoding, data=picture.data,
            question=question, reply_to=ReplyTo(to=self.run_id, deadline_ns=deadline_ns),
        )  # fmt: skip
        # Without a key: requests go to the partitions in turn.
        record = Record.of(self._requests, frame, None, headers=headers)
        waiting = self._waiting[seq] = _Waiting(self._loop.create_future(), record)
        self._outgoing.append(seq)
        self._wake.set()
        try:
            async with asyncio.timeout(timeout_s):
                return await waiting.future
        except TimeoutError:
            raise LateError(f"no worker has answered within {timeout_s:g} s") from None
        finally:
            # Also where the client has gone: what is not sent yet is not sent.
            waiting.record = None
            del self._waiting[seq]

    async def close(self) -> None:
        """Stop; who waits is told."""
        self._stopping.set()
        self._wake.set()
        for one in self._waiting.values():
            if not one.future.done():
                one.future.set_exception(NotTakenError("the service stops"))
        for thread in self._threads:
            await asyncio.to_thread(thread.join, END_S)

    def _settle(self, replies: Iterable[Reply], failed: Iterable[tuple[int, str]]) -> None:
        """On the event loop."""
        for reply in replies:
            waiting = self._waiting.get(reply.seq)
            if waiting is None:
                self.late += 1
            elif not waiting.future.done():  # one that is answered twice was redelivered
                waiting.future.set_result(reply)
        for seq, why in failed:
            waiting = self._waiting.get(seq)
            if waiting is not None and not waiting.future.done():
                waiting.future.set_exception(NotTakenError(why))

    def _tell(self, replies: list[Reply], failed: list[tuple[int, str]]) -> None:
        if replies or failed:
            with suppress(RuntimeError):  # the loop has ended, and so has everybody who waited
                self._loop.call_soon_threadsafe(self._settle, replies, failed)

    def _send_requests(self) -> None:
        publisher: Any = self._publisher
        while not self._stopping.is_set():
            self._wake.wait(POLL_S)
            self._wake.clear()
            failed: list[tuple[int, str]] = []
            while self._outgoing:
                seq = self._outgoing.popleft()
                waiting = self._waiting.get(seq)
                record = waiting.record if waiting else None
                if record is None:
                    continue
                try:
                    publisher.send(record, seq)
                except (QueueFullError, RecordTooLargeError) as error:
                    failed.append((seq, str(error)))
            failed += [(one.tag, f"Kafka refuses it: {one.error}") for one in publisher.poll() if one.error]
            self._tell([], failed)
        publisher.close()

    def _read_replies(self) -> None:
        with self._reader as reader:
            while not self._stopping.is_set():
                try:
                    records = reader.poll(POLL_S)
                    self.trouble = None
                except KafkaProblem as problem:
                    self.trouble = str(problem)
                    recurring.warning("replies that cannot be read", "replies cannot be read: %s", problem)
                    self._stopping.wait(PAUSE_S)
                    continue
                replies = []
                for record in records:
                    if record.key == self._key:
                        try:
                            replies.append(decode(Reply, record.value or b""))
                        except SchemaError as error:
                            recurring.warning("replies that are none", "a reply cannot be read: %s", error)
                self._tell(replies, [])
