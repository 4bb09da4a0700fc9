"""What ran where, and how much of the processor each process used."""

import os
import platform
import time
from collections.abc import Mapping
from pathlib import Path

import psutil  # type: ignore[import-untyped,unused-ignore] # its types are no dependency of ours

QUIET_PERCENT = 30
"""Of one core."""


def machine() -> str:
    """Return the processor's name and the number of cores."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return f"{next(named, platform.machine())}, {os.cpu_count()} cores, broker and subscriber on the same machine"


def broker_pid() -> int:
    """Return the Java process of the embedded broker that this process started."""
    return next(int(child.pid) for child in psutil.Process().children(recursive=True) if "java" in child.name())


class CpuMeter:
    """How many cores each of some processes, with their children, used on average, and everything else."""

    def __init__(self, pids: Mapping[str, int]) -> None:
        self._pids = dict(pids)
        self._began = time.monotonic()
        self._before = {name: _seconds(pid) for name, pid in self._pids.items()}
        self._busy = _busy_seconds()

    def cores(self) -> dict[str, float]:
        """Return what was used since the beginning, in cores."""
        wall_s = time.monotonic() - self._began
        used = {name: (_seconds(pid) - self._before[name]) / wall_s for name, pid in self._pids.items()}
        used["everything else"] = max(0.0, (_busy_seconds() - self._busy) / wall_s - sum(used.values()))
        return {name: round(cores, 2) for name, cores in used.items()}


def wait_for_quiet(limit_s: float = 120.0) -> None:
    """Return when other processes have left most of the machine alone for a second and a half, or time is up."""
    deadline = time.monotonic() + limit_s
    while time.monotonic() < deadline and sum(psutil.cpu_percent(1.5, percpu=True)) > QUIET_PERCENT:
        pass


def _busy_seconds() -> float:
    times = psutil.cpu_times()
    return float(sum(times) - times.idle - getattr(times, "guest", 0.0) - getattr(times, "guest_nice", 0.0))


def _seconds(pid: int) -> float:
    process = psutil.Process(pid)
    return sum(sum(one.cpu_times()[:2]) for one in (process, *process.children(recursive=True)))
