"""The two trials that every program is put to: all frames there beforehand, and frames at a steady rate."""

import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from arrivals import Arrival, Subscriber, subscribed
from machine import CpuMeter, broker_pid, wait_for_quiet
from traffic import new_run, placed, preload, sending
from workers import require_running, running

PATIENCE_S = 120.0
WARM_UP_S = 2.0
DISTURBED_CORES = 0.25
TRIES = 4


@dataclass(frozen=True, slots=True)
class Trial:
    """What came of it."""

    arrivals: list[Arrival]
    cores: dict[str, float]
    """Cores used by each process on average."""

    @property
    def disturbance(self) -> float:
        """Cores used by what has nothing to do with the trial."""
        return self.cores["everything else"]

    @property
    def fps(self) -> float:
        """Frame/s from batch to batch, as the program stamped their answers; its start is left out.

        Frames of a batch carry one time: those of the first batch that counts took theirs before it.
        """
        stamps = sorted(one.inferred for one in self.arrivals)
        first = stamps[len(stamps) // 20]
        return sum(stamp > first for stamp in stamps) / (stamps[-1] - first) * 1e9


def undisturbed(trial: Callable[[], Trial]) -> Trial:
    """Repeat a trial during which other work used more than a quarter of a core; the least disturbed one counts."""
    tried: list[Trial] = []
    while len(tried) < TRIES and not any(one.disturbance <= DISTURBED_CORES for one in tried):
        tried.append(trial())
    return min(tried, key=lambda one: one.disturbance)


def preloaded(
    servers: str, command: Sequence[str], frames: int, pictures: list[bytes],
    variables: Mapping[str, str] | None = None,
) -> Trial:  # fmt: skip
    """Run a program that has everything before it, until everything is answered."""
    settings = new_run(servers)
    preload(settings, placed(), frames, pictures)
    wait_for_quiet()
    with subscribed(settings, frames) as subscriber, running(settings, command, variables) as process:
        _await_first(subscriber, process)
        meter = CpuMeter({"broker": broker_pid(), "program": process.pid, "subscriber": subscriber.pid})
        return Trial(_await_all(subscriber, process, PATIENCE_S), meter.cores())


def steady(
    servers: str, command: Sequence[str], rate: float, seconds: float, pictures: list[bytes],
    variables: Mapping[str, str] | None = None,
) -> Trial:  # fmt: skip
    """Send so many frames a second, evenly, to a program that has had time to warm up."""
    settings = new_run(servers)
    preload(settings, {"first": 0}, 1, pictures)
    warm_up, total = int(WARM_UP_S * rate), int((WARM_UP_S + seconds) * rate)
    with subscribed(settings, total + 1) as subscriber, running(settings, command, variables) as process:
        _await_first(subscriber, process)
        wait_for_quiet()
        with sending(settings, placed(), rate, total, pictures) as sender:
            time.sleep(WARM_UP_S)
            pids = {"broker": broker_pid(), "program": process.pid, "subscriber": subscriber.pid}
            meter = CpuMeter(pids | {"sender": sender.pid or 0})
            time.sleep(max(1.0, seconds - WARM_UP_S))
            cores = meter.cores()
            arrivals = _await_all(subscriber, process, PATIENCE_S)
    return Trial([one for one in arrivals if one.camera != "first"][warm_up:], cores)


def _await_first(subscriber: Subscriber, process: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not subscriber.first(0.2):
        require_running(process)
        if time.monotonic() > deadline:
            raise SystemExit(f"{process.args!r} has answered nothing for {PATIENCE_S:.0f} s")


def _await_all(subscriber: Subscriber, process: "subprocess.Popen[bytes]", patience_s: float) -> list[Arrival]:
    deadline = time.monotonic() + patience_s
    while (arrivals := subscriber.wait(0.5)) is None:
        require_running(process)
        if time.monotonic() > deadline:
            raise SystemExit(f"{process.args!r} has not answered everything within {patience_s:.0f} s")
    return arrivals
