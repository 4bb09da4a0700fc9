"""Try a frame in a process of its own, and see whether that process survives.

Only a frame that has already ended a process is tried here, so that the second model, and the seconds until it is
loaded, are paid for when something is really wrong.
"""

import logging
import multiprocessing
import multiprocessing.connection
import os
import signal
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess

from groundcam_runtime.signals import interrupt_is_ours
from groundcam_schemas import Question
from groundcam_worker.detectors.protocol import Detection, Detector
from groundcam_worker.errors import (
    DetectorLostError,
    FatalFrameError,
    FrameError,
    OutOfMemoryError,
    SandboxUnavailableError,
    UnansweredError,
)
from groundcam_worker.pictures import decode_frame

log = logging.getLogger(__name__)

Load = Callable[[], Detector]
Answer = tuple[Detection, ...]
LONGEST_S = 600.0
ENDS_S = 5.0
IDLE_S = 60.0
"""A process that is given nothing for so long ends, and its model's memory is free again."""
EXIT_DEVICE_LOST = 70
"""The worker's own exit code for a lost device."""
EXIT_IDLE = 71


class Sandbox:
    """Keeps one sandbox process while it is needed. Belongs to one thread."""

    def __init__(self, load: Load, max_pixels: int, idle_s: float = IDLE_S) -> None:
        """`load` is called in the other process, so it must be importable there."""
        self._load = load
        self._max_pixels = max_pixels
        self._idle_s = idle_s
        self._process: BaseProcess | None = None
        self._pipe: Connection | None = None

    def answer(self, jpeg: bytes, size: tuple[int, int], question: Question) -> Answer:
        """Return what is found in a picture, looked at in this size (width, height).

        Raises FatalFrameError when the process does not survive it, FrameError when it reports that the frame
        cannot be answered, SandboxUnavailableError when it cannot be started.
        """
        pipe = self._given((jpeg, size, question))
        try:
            if not pipe.poll(LONGEST_S):
                self.close()
                raise FatalFrameError(f"it was still not answered after {LONGEST_S:.0f} s, alone in a process")
            found: Answer | FrameError | SandboxUnavailableError = pipe.recv()
        except (EOFError, OSError):
            process, code = self._process, None
            if process is not None:
                process.join(ENDS_S)
                code = process.exitcode
            if code == EXIT_IDLE:  # it ended before it took the frame
                return self.answer(jpeg, size, question)
            raise FatalFrameError(f"it ended the process twice, alone in it ({_how(code)} the second time)") from None
        finally:
            if self._process is not None and not self._process.is_alive():
                self.close()
        if isinstance(found, SandboxUnavailableError):
            self.close()
        if isinstance(found, FrameError | SandboxUnavailableError):
            raise found
        return found

    def _given(self, frame: tuple[bytes, tuple[int, int], Question]) -> Connection:
        """Hand a frame over; one that could not be is none that the process died of, while it waited for it."""
        if self._pipe is not None and self._process is not None and self._process.is_alive():
            with suppress(OSError):
                self._pipe.send(frame)
                return self._pipe
        self.close()
        pipe = self._start()
        try:
            pipe.send(frame)
        except OSError:
            self.close()
            raise SandboxUnavailableError("it ended before it was given anything") from None
        return pipe

    def close(self) -> None:
        """End the process."""
        if self._pipe is not None:
            self._pipe.close()
        if self._process is not None:
            self._process.kill()
            self._process.join(ENDS_S)
        self._process = self._pipe = None

    def _start(self) -> Connection:
        """Start the process and return when its detector is loaded."""
        log.warning("a frame has ended this worker's process: it is tried again in a process of its own")
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        process = context.Process(target=_serve, args=(theirs, self._load, self._max_pixels, self._idle_s), daemon=True)
        try:
            with interrupt_is_ours():
                process.start()
            self._process = process
            theirs.close()
            if not self._pipe.poll(LONGEST_S):
                raise EOFError
            problem: str | None = self._pipe.recv()
        except (EOFError, OSError):
            problem = "it could not be started" if self._process is None else "it ended while it was starting"
        if problem is not None:
            self.close()
            raise SandboxUnavailableError(problem)
        return self._pipe


def _serve(pipe: Connection, load: Load, max_pixels: int, idle_s: float) -> None:
    """The main function of the sandbox process."""
    # What is sent to the whole group is the worker's to obey: this one ends with it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        detector = load()
    except Exception as error:  # noqa: BLE001 - it is reported to the worker
        pipe.send(f"{type(error).__name__}: {error}")
        return
    with suppress(EOFError, OSError):  # a worker that is gone needs no answer
        pipe.send(None)
        while pipe.poll(idle_s):
            data, size, question = pipe.recv()
            pipe.send(_answer(detector, data, size, question, max_pixels))
        sys.exit(EXIT_IDLE)


def _answer(
    detector: Detector, data: bytes, size: tuple[int, int], question: Question, max_pixels: int
) -> Answer | FrameError | SandboxUnavailableError:
    try:
        (answer,) = detector.detect([decode_frame(data, max_pixels, size=size)], [question])
    except FrameError as error:
        return error
    except DetectorLostError:
        os._exit(EXIT_DEVICE_LOST)
    except Exception as error:  # noqa: BLE001 - whatever it is, it is about this picture
        text = f"{type(error).__name__}: {error}"
        # Two models may leave too little room for a picture that one has room for.
        short = isinstance(error, OutOfMemoryError | MemoryError)
        return SandboxUnavailableError(text) if short else UnansweredError(text)
    return answer


def _end_with_parent() -> None:
    """A picture that hangs would keep this process alive for ever."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        multiprocessing.connection.wait([parent.sentinel])
        os._exit(1)


def _how(code: int | None) -> str:
    if code is None or code >= 0:
        return f"exit code {code}"
    try:
        return signal.Signals(-code).name
    except ValueError:
        return f"signal {-code}"
