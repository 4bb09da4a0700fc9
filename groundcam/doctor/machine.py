"""This machine: Python, packages, the GPU, the model, the clock."""

import ctypes
import ctypes.util
import importlib
import sys
from collections.abc import Iterator
from pathlib import Path

from groundcam import extras
from groundcam.doctor.finding import Finding, Weight
from groundcam_runtime.kafka.connect import require_crc32c
from groundcam_runtime.kafka.errors import KafkaProblem
from groundcam_worker.errors import ModelError
from groundcam_worker.settings import WorkSettings, fake_seconds

PACKAGES = {role: extras.PACKAGES[role] for role in ("producer", "worker")}
OLDEST = (3, 11)
MIB = 1024 * 1024
_TIME_ERROR = 5
"""What adjtimex(2) returns for a clock that nobody keeps right (linux/timex.h)."""
_TIMEX_BYTES = 512
"""More than a struct timex takes on any machine."""


def python() -> Iterator[Finding]:
    """Look at Python and the checksum."""
    version = ".".join(map(str, sys.version_info[:3]))
    if sys.version_info < OLDEST:
        yield Finding("python", f"this is Python {version}: take 3.11 or newer", Weight.WRONG)
    else:
        yield Finding("python", f"Python {version}")
    try:
        require_crc32c()
    except KafkaProblem as problem:
        yield Finding("python", f"{problem}: pip install crc32c", Weight.WRONG)
    else:
        yield Finding("python", "the C checksum crc32c is there")


def packages(role: str, *, needed: bool) -> Iterator[Finding]:
    """Look for what a producer or a worker imports."""
    missing = [name for name in PACKAGES[role] if not _can_import(name)]
    if missing:
        text = f"a {role} cannot run here, {', '.join(missing)} cannot be imported: pip install 'groundcam[{role}]'"
        yield Finding("packages", text, Weight.WRONG if needed else Weight.HINT)
    else:
        yield Finding("packages", f"everything that a {role} needs can be imported")


def _can_import(name: str) -> bool:
    try:
        importlib.import_module(name)
    except (ImportError, OSError):  # a library that it needs may be missing
        return False
    return True


def gpu(settings: WorkSettings) -> Iterator[Finding]:
    """Look at the device that the worker would take, and at the driver."""
    if fake_seconds(settings.model) is not None:
        yield Finding("gpu", f"{settings.model} needs none")
        return
    from groundcam_worker.detectors.devices import describe, pick

    try:
        device = pick(settings.device)
    except ModelError as error:
        yield Finding("gpu", f"{error}: is the driver installed, and the GPU given to this container?", Weight.WRONG)
        return
    if device.type == "cpu":
        text = "no CUDA device: the worker runs on the CPU, where Grounding DINO takes seconds for a picture"
        weight = Weight.FINE if settings.device == "cpu" or settings.model == "demo" else Weight.HINT
        yield Finding("gpu", text, weight)
        return
    name, free, total = describe(device)
    text = f"{name}, {free // MIB} of {total // MIB} MiB free"
    few = free < total / 4
    yield Finding("gpu", text + (": another process uses the rest" if few else ""), Weight.HINT if few else Weight.FINE)


def model(settings: WorkSettings) -> Iterator[Finding]:
    """Look whether the model is here, and whole."""
    if fake_seconds(settings.model) is not None:
        yield Finding("model", f"{settings.model} is a dry run, without a model", Weight.HINT)
        return
    from groundcam_worker.checkpoints import hub
    from groundcam_worker.checkpoints.catalogue import DEMO, resolve

    try:
        source = resolve(settings.model)
        folder = DEMO if settings.model == "demo" else hub.cached_folder(source)
        if folder is None and not Path(source.path).is_dir():
            text = (
                f"{source} is not in the cache and will be fetched at the start: `groundcam models fetch"
                f" {settings.model}` does that now"
            )
            yield Finding("model", text, Weight.HINT)
            return
        where = folder or hub.local_folder(source)
        commit = hub.commit_of(where)
    except ModelError as error:
        yield Finding("model", str(error), Weight.WRONG)
        return
    yield Finding("model", f"{source} is here{f', commit {commit}' if commit else ''}")


def clock() -> Iterator[Finding]:
    """Ask the kernel whether somebody keeps the clock right."""
    state = _clock_state()
    if state is None:
        yield Finding("clock", "this system does not say whether its clock is kept right", Weight.HINT)
    elif state == _TIME_ERROR:
        text = "nobody keeps this machine's clock right, or its kernel does not know: run chrony or systemd-timesyncd"
        yield Finding("clock", text, Weight.HINT)
    else:
        yield Finding("clock", "the clock is kept right (NTP)")


def _clock_state() -> int | None:
    """Return the result of adjtimex(2), None where there is no such call."""
    library = ctypes.util.find_library("c")
    if not sys.platform.startswith("linux") or library is None:
        return None
    timex = ctypes.create_string_buffer(_TIMEX_BYTES)  # all zero: nothing is to be changed
    state = int(ctypes.CDLL(library, use_errno=True).adjtimex(timex))
    return None if state < 0 else state
