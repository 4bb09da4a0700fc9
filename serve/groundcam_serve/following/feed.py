"""A topic's records to a client that takes them: read on a thread, passed on through a queue that holds it back."""

import asyncio
import json
import logging
import threading
import time
from collections.abc import AsyncIterator
from concurrent.futures import CancelledError
from contextlib import suppress

from groundcam_runtime.kafka.errors import KafkaProblem
from groundcam_runtime.kafka.reader import Reader
from groundcam_serve.following.stream import RecordStream

log = logging.getLogger(__name__)

POLL_S = 0.2
ALIVE_S = 10.0
"""A place comes at least so often, so that proxies and we notice who has gone, and a reconnect begins near."""
WAITING = 100
"""Events that wait for a slow client; the next ones wait on Kafka."""
PUT_S = 0.5


class Feed:
    """One client's stream."""

    def __init__(self, reader: Reader, stream: RecordStream) -> None:
        """Takes the reader over, and closes it."""
        self._reader, self._stream = reader, stream
        self._loop = asyncio.get_running_loop()
        self._events: asyncio.Queue[bytes | None] = asyncio.Queue(WAITING)
        self._stopping = threading.Event()
        threading.Thread(target=self._read, name="stream", daemon=True).start()

    async def events(self) -> AsyncIterator[bytes]:
        """Yield events, and places while there are none; ends where Kafka refuses."""
        try:
            while (event := await self._events.get()) is not None:
                yield event
        finally:
            self._stopping.set()

    def _read(self) -> None:
        with self._reader:
            try:
                self._pass_on()
            except KafkaProblem as problem:
                self._put(f"event: problem\ndata: {json.dumps({'detail': str(problem)})}\n\n".encode())
            except Exception:
                log.exception("a stream ends")
            self._put(None)

    def _pass_on(self) -> None:
        self._stream.begin(self._reader.next_offsets(), self._reader.first_offsets())
        for event in (*self._stream.lost(), *self._stream.opening(), self._stream.place()):
            self._put(event)
        put_at = time.monotonic()
        while not self._stopping.is_set():
            for record in self._reader.poll(POLL_S):
                if found := self._stream.take(record):
                    self._put(found)
                    put_at = time.monotonic()
            # From here, since what was read and not passed on yet is before this place.
            if time.monotonic() - put_at > ALIVE_S:
                self._put(self._stream.place())
                put_at = time.monotonic()

    def _put(self, event: bytes | None) -> None:
        """Wait until the client has room, or has gone."""
        with suppress(RuntimeError, CancelledError):  # the loop has ended, or ends
            putting = asyncio.run_coroutine_threadsafe(self._events.put(event), self._loop)
            while not self._stopping.is_set():
                with suppress(TimeoutError):
                    putting.result(PUT_S)
                    return
            putting.cancel()
