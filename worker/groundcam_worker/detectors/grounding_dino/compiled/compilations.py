"""Which compiled code is taken, and when what is missing is made."""

import logging
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import weakref
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from torch import Tensor

from groundcam_runtime.recurring import Recurring
from groundcam_worker.checkpoints import hub
from groundcam_worker.checkpoints.loading import Loaded
from groundcam_worker.detectors.devices import is_out_of_memory
from groundcam_worker.detectors.grounding_dino.compiled.packages import UNFINISHED, Parts, digest_of, is_there, load
from groundcam_worker.detectors.grounding_dino.network import Network
from groundcam_worker.errors import first_line

log = logging.getLogger(__name__)
recurring = Recurring(log)

CompileMode = bool | str
"""False: none. auto: what is in the cache. background: what is missing is made, too. True: made before the start."""
WORTH_IT = 100
"""Pictures of a shape that must have come before a minute is spent on it."""
MOST = 8
"""Shapes that one worker compiles for."""
LOOK_AGAIN_S = 5.0
COMPILERS = ("g++", "clang++")
Shape = tuple[int, int]
"""(height, width)"""


@dataclass(slots=True)
class _Making:
    shape: Shape
    process: subprocess.Popen[bytes]
    told: IO[bytes]
    started: float


class Compilations:
    """Compiled code for the input shapes of one network. Belongs to one thread."""

    def __init__(
        self,
        network: Network,
        loaded: Loaded,
        sampling: str,
        mode: CompileMode,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`network` was made of what was loaded."""
        self._network, self._sampling, self._mode, self._clock = network, sampling, mode, clock
        self._folder = loaded.folder
        self._digest = digest_of(loaded.model.config.to_dict(), sampling)
        self._taken: dict[Shape, Parts | None] = {}
        """None where it could neither be taken nor made."""
        self._pictures: dict[Shape, int] = {}
        self._look_at: dict[Shape, float] = {}
        self._making: _Making | None = None
        self._tried: set[Shape] = set()

    def place(self, shape: Shape) -> Path:
        """Return the folder for inputs of a shape."""
        return hub.HOME / "groundcam" / "compiled" / f"{self._digest}-{shape[1]}x{shape[0]}"

    def parts(self, pixels: Tensor) -> Parts | None:
        """Return what answers inputs like these [B, 3, H, W], if it is there now."""
        shape = (pixels.shape[-2], pixels.shape[-1])
        self._see_to_it()
        if shape in self._taken:
            return self._taken[shape]
        self._pictures[shape] = self._pictures.get(shape, 0) + len(pixels)
        now = self._clock()
        if now >= self._look_at.get(shape, now):
            self._look_at[shape] = now + LOOK_AGAIN_S
            self._take(shape, pixels)
        if self._mode == "background" and self._pictures[shape] >= WORTH_IT and shape not in self._taken:
            self._make(shape)
        return self._taken.get(shape)

    def warm(self, pixels: Tensor) -> None:
        """Take what is there for inputs like these; what is missing is made, if that is wanted at the start."""
        shape = (pixels.shape[-2], pixels.shape[-1])
        self._take(shape, pixels)
        if self._mode is True and shape not in self._taken and not is_there(self.place(shape)):
            self._make(shape)
            if self._making:
                self._making.process.wait()
                self._see_to_it()
            self._take(shape, pixels)

    def has(self, shape: Shape) -> bool:
        """Return whether compiled code answers inputs of a shape."""
        parts = self._taken.get(shape)
        return parts is not None and parts.are_used

    def taken(self, pixels: Tensor) -> Parts | None:
        """Return what answers inputs like these, as `parts` did last."""
        return self._taken.get((pixels.shape[-2], pixels.shape[-1]))

    def _take(self, shape: Shape, pixels: Tensor) -> None:
        if shape in self._taken or not is_there(place := self.place(shape)):
            return
        try:
            self._taken[shape] = load(place, self._network, pixels)
        except Exception as error:  # noqa: BLE001 - torch raises almost anything for a damaged file
            if is_out_of_memory(error) or isinstance(error, MemoryError):
                # The code is right, and there may be room for it later.
                why = first_line(error)
                recurring.warning("no room for code", "no room for compiled code, which is tried again: %s", why)
            else:
                self._replace(shape, place, first_line(error))
        else:
            with suppress(OSError):  # what is used is kept longer
                os.utime(place)
            log.info("inputs of %dx%d are answered by compiled code from now on", shape[1], shape[0])

    def _replace(self, shape: Shape, place: Path, why: str) -> None:
        """Put what cannot be taken out of the way where it can be made anew, and that was not tried yet."""
        if self._mode != "auto" and shape not in self._tried:
            with suppress(OSError):
                place.rename(place.with_name(f"{UNFINISHED}{place.name}"))
                log.warning("%s cannot be taken, and is made anew: %s", place, why)
                return
        self._give_up(shape, f"{place} cannot be taken: {why}; remove it, and make it by `groundcam models compile`")

    def _give_up(self, shape: Shape, why: str) -> None:
        self._taken[shape] = None
        log.warning("inputs of %dx%d go on without compiled code: %s", shape[1], shape[0], why)

    def _make(self, shape: Shape) -> None:
        if self._making:
            return
        if self._mode == "background" and len(self._tried) >= MOST:
            self._give_up(shape, f"a worker compiles for {MOST} shapes at most")
            return
        compiler = next(filter(None, map(shutil.which, (os.environ.get("CXX", ""), *COMPILERS))), None)
        if compiler is None:
            self._give_up(
                shape, f"there is no C++ compiler ({' or '.join(COMPILERS)}), and {self.place(shape)} is empty"
            )
            return
        self._tried.add(shape)
        log.info("compiling the network for inputs of %dx%d, which takes a minute or more", shape[1], shape[0])
        try:
            told = tempfile.TemporaryFile()  # noqa: SIM115 - read and closed when the process has ended
            self._making = _Making(shape, self._started(shape, told, compiler), told, self._clock())
        except OSError as error:
            self._give_up(shape, str(error))

    def _started(self, shape: Shape, told: IO[bytes], compiler: str) -> subprocess.Popen[bytes]:
        place = self.place(shape)
        arguments = (self._folder, self._sampling, *shape, place)
        # One compiler at a time: more of them would take the memory, and the cores, of who answers cameras.
        process = subprocess.Popen(
            [sys.executable, "-m", __package__ or "", *map(str, arguments)],
            stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=told, start_new_session=True,
            env={
                **os.environ, "TORCHINDUCTOR_COMPILE_THREADS": "1", "OMP_NUM_THREADS": "1", "LC_ALL": "C.UTF-8",
                "CXX": compiler,
            },
        )  # fmt: skip
        weakref.finalize(self, _end, process)
        return process

    def _see_to_it(self) -> None:
        """Note what became of the compilation."""
        if self._making is None or self._making.process.poll() is None:
            return
        making, self._making = self._making, None
        took_s = self._clock() - making.started
        making.told.seek(0)
        last = making.told.read().decode(errors="replace").strip().rpartition("\n")[2]
        making.told.close()
        _end(making.process)
        if making.process.returncode:
            self._give_up(making.shape, f"compiling failed after {took_s:.0f} s: {last or making.process.returncode}")
        else:
            self._look_at.pop(making.shape, None)
            log.info("compiled in %.0f s: %s", took_s, self.place(making.shape))


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a compilation, with the compiler that may be at work."""
    if process.poll() is None:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    if process.stdin:
        process.stdin.close()
