"""A worker, as a prototype, whose polling and decoding run in a process of their own. For `process_split.py`.

The child is the member of the consumer group: it polls, reads messages, decodes JPEGs in two threads into slots of
shared memory, and tells of them over a pipe, in order. The parent runs the loop and the detector as they are; where the
loop would read a message and decode its JPEG, it finds the picture in its slot, without a copy. A slot is free again
when nobody holds its picture any more. Nothing is lost or answered twice, but it has been thought through for
measuring alone: a child that dies takes the worker along.

    GROUNDCAM_... .venv/bin/python benchmarks/split_worker.py work --model fake:0ms --question person
"""

import multiprocessing
import pickle
import struct
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from multiprocessing.connection import Connection
from multiprocessing.shared_memory import SharedMemory
from typing import Any

import numpy as np

from groundcam_runtime.kafka.source import GroupSource
from groundcam_runtime.pictures.decoding import decode_jpeg
from groundcam_runtime.pictures.image import Image
from groundcam_runtime.records import Consumed, Event, Partition, Position
from groundcam_worker.loop.events import DecodeDone
from groundcam_worker.parse import ParsedFrame, parse

SLOTS = 64
SLOT_BYTES = 960 * 544 * 3
TOKEN = struct.Struct("<III")
"""Instead of a JPEG: its slot, width and height."""
SPAWN = multiprocessing.get_context("spawn")


def poll_and_decode(options: dict[str, Any], memory_name: str, out: "Connection", back: "Connection") -> None:
    """The child: from Kafka to pictures in shared memory."""
    memory = SharedMemory(memory_name)
    happened = threading.Event()
    source = GroupSource(**options, on_event=happened.set)
    pool = ThreadPoolExecutor(2, thread_name_prefix="decode")
    free, begun = deque(range(SLOTS)), deque[tuple[Event, Future[ParsedFrame] | None]]()
    threading.Thread(target=_obey, args=(back, source, free, happened), daemon=True).start()
    source.start()

    def decoded(record: Consumed, slot: int) -> ParsedFrame:
        frame = parse(record, SLOT_BYTES // 3)
        if not isinstance(frame, ParsedFrame):
            raise TypeError(f"the traffic has a bad frame: {frame.error}")
        image = decode_jpeg(frame.jpeg)
        height, width = image.shape[:2]
        np.ndarray(image.shape, np.uint8, memory.buf, slot * SLOT_BYTES)[:] = image
        return replace(frame, jpeg=TOKEN.pack(slot, width, height))

    while True:
        happened.wait(0.5)
        happened.clear()
        while free and (event := source.take()) is not None:
            future = None
            if isinstance(event, Consumed):
                future = pool.submit(decoded, event, free.popleft())
                future.add_done_callback(lambda _future: happened.set())
                event = replace(event, value=None)
            begun.append((event, future))
        ready = []
        while begun and (begun[0][1] is None or begun[0][1].done()):
            event, future = begun.popleft()
            ready.append((event, future.result() if future else None))
        if ready:
            out.send_bytes(pickle.dumps((ready, dict(source.lag)), protocol=5))


def _obey(back: "Connection", source: GroupSource, free: "deque[int]", happened: threading.Event) -> None:
    """Do what the parent says, on a thread of its own."""
    while True:
        what, content = back.recv()
        if what == "free":
            free.extend(content)
            happened.set()
        elif what == "commit":
            source.commit(content[0], written=content[1])
        elif what == "pause":
            source.pause()
        else:
            source.close(5.0)
            back.send("closed")


class SplitSource:
    """The parent's side: a source whose records come with their pictures."""

    silence_s = float("inf")
    failure: str | None = None
    group_metadata: Any = None
    owned: Mapping[Partition, int] = {}

    def __init__(self, kafka: Any, topics: list[str], on_event: Callable[[], None], **options: Any) -> None:
        """Start the child."""
        self.lag: dict[Partition, int] = {}
        self.polled_at = self.heard_at = time.monotonic()
        self._on_event = on_event
        self._events: deque[tuple[Event, ParsedFrame | None]] = deque()
        self._memory = SharedMemory(create=True, size=SLOTS * SLOT_BYTES)
        self._in, out = SPAWN.Pipe(duplex=False)
        self._back, back = SPAWN.Pipe()
        self._lock = threading.Lock()
        self._freed: deque[int] = deque()
        self._frame: ParsedFrame | None = None
        arguments = {"settings": kafka, "topics": topics, **options}
        self._child = SPAWN.Process(
            target=poll_and_decode, args=(arguments, self._memory.name, out, back), daemon=True
        )  # fmt: skip

    def start(self) -> None:
        """Join the group."""
        self._child.start()
        threading.Thread(target=self._listen, name="kafka-source", daemon=True).start()

    def take(self) -> Event | None:
        """Return the next event, and free the slots whose pictures are forgotten."""
        if self._freed:
            freed = [self._freed.popleft() for _ in range(len(self._freed))]
            self._tell("free", freed)
        if not self._events:
            return None
        event, self._frame = self._events.popleft()
        return event

    def read(self, _record: Consumed, _max_pixels: int) -> ParsedFrame:
        """Return the frame of the event taken last."""
        if self._frame is None:
            raise RuntimeError("no frame was taken: this is a bug")
        return self._frame

    def picture(self, token: bytes, _max_pixels: int) -> Image:
        """Return the picture in a slot, in place."""
        slot, width, height = TOKEN.unpack(token)
        image: Image = np.ndarray((height, width, 3), np.uint8, self._memory.buf, slot * SLOT_BYTES)
        weakref.finalize(image, self._freed.append, slot)
        return image

    def commit(self, positions: Mapping[Partition, Position], *, written: bool = False) -> None:
        """Let the child commit."""
        self._tell("commit", (dict(positions), written))

    def pause(self) -> None:
        """Take no more."""
        self._tell("pause", None)

    def finish(self) -> None:
        """Nothing more to say."""

    def close(self, timeout_s: float) -> bool:
        """Leave the group."""
        self._tell("close", None)
        self._back.poll(timeout_s)
        self._child.kill()
        self._memory.unlink()
        return True

    def _tell(self, what: str, content: object) -> None:
        with self._lock:
            self._back.send((what, content))

    def _listen(self) -> None:
        while True:
            try:
                ready, lag = pickle.loads(self._in.recv_bytes())  # noqa: S301 - from our own child
            except (EOFError, OSError):
                self.failure = "the process that polls has ended"
                break
            self.polled_at = self.heard_at = time.monotonic()
            self.lag = lag
            self._events.extend(ready)
            self._on_event()
        self._on_event()


class AtOnce:
    """Decoding that is so little work that a thread for it would cost more."""

    def __init__(self, prepare: Callable[[Any], Any], *_options: Any) -> None:
        self._prepare = prepare
        self._done: list[DecodeDone] = []

    def begin(self, admitted: Any) -> None:
        """Do it."""
        self._done.append(DecodeDone(admitted, self._prepare(admitted)))

    def finished(self, _now: float) -> list[DecodeDone]:
        """Return everything."""
        done, self._done = self._done, []
        return done

    def shutdown(self) -> None:
        """There is nothing to end."""


def instead(module: object, **parts: Any) -> None:
    """Replace what a module has imported. What has moved elsewhere is an error, not a silent no-op."""
    for name, part in parts.items():
        getattr(module, name)
        setattr(module, name, part)


def main() -> None:
    """Be a worker with the parts that this file replaces."""
    from groundcam.command_line import app
    from groundcam_worker import run
    from groundcam_worker.loop import decoding, intake

    def source(*arguments: Any, **options: Any) -> SplitSource:
        made = SplitSource(*arguments, **options)
        instead(intake, parse=made.read)
        instead(decoding, decode_jpeg=made.picture)
        return made

    instead(run, GroupSource=source, Decoding=AtOnce)
    app()


if __name__ == "__main__":
    main()
