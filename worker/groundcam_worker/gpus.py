"""GPUs as NVIDIA's driver reports them. The only file that imports pynvml; without a driver there are none."""

import ctypes
import logging
from dataclasses import dataclass
from typing import Any

from groundcam_worker.snapshot import GpuReading

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Driver:
    """What is known of NVIDIA's driver; None where it does not say."""

    version: str | None = None
    """Only where it has a GPU."""
    count: int | None = None
    """How many GPUs it has."""
    cuda: tuple[int, int] | None = None
    """The newest CUDA that it knows, as (13, 2); None where its library cannot be loaded: then no GPU works."""


def cuda_of_driver() -> tuple[int, int] | None:
    """Ask the driver's library, which torch loads, too. Nothing is begun on a GPU."""
    version = ctypes.c_int(0)
    try:
        failed = ctypes.CDLL("libcuda.so.1").cuDriverGetVersion(ctypes.byref(version))
    except (OSError, AttributeError):
        return None
    return None if failed or not version.value else (version.value // 1000, version.value % 1000 // 10)


class Nvml:
    """Reads the GPU in use, or, as long as nobody has said which, all that the driver shows this process."""

    def __init__(self) -> None:
        """Find the driver, if there is one."""
        self._library: Any = None
        self._uuid: str | None = None
        try:
            import pynvml  # noqa: PLC0415 - a worker on a CPU may lack it
        except ImportError:
            return
        try:
            pynvml.nvmlInit()
        except pynvml.NVMLError as error:
            log.debug("no GPU is measured: %s", error)
        else:
            self._library = pynvml

    def only(self, uuid: str) -> None:
        """Read this GPU alone from now on: the driver's numbers are not those of CUDA_VISIBLE_DEVICES."""
        self._uuid = uuid

    def _numbers(self) -> list[int]:
        """Return which GPUs to read. A part of one (MIG) is not known by the name of the whole: all are read then."""
        try:
            if self._uuid is not None:
                return [int(self._library.nvmlDeviceGetIndex(self._library.nvmlDeviceGetHandleByUUID(self._uuid)))]
        except self._library.NVMLError as error:
            log.debug("%s is not found: %s", self._uuid, error)
        try:
            return list(range(self._library.nvmlDeviceGetCount()))
        except self._library.NVMLError:
            return []

    def read(self) -> list[GpuReading]:
        """Return a reading of each GPU that is looked at; none of one that does not answer."""
        if self._library is None:
            return []
        readings: list[GpuReading] = []
        for number in self._numbers():
            try:
                handle = self._library.nvmlDeviceGetHandleByIndex(number)
                memory = self._library.nvmlDeviceGetMemoryInfo(handle)
            except self._library.NVMLError as error:
                log.debug("GPU %d is not measured: %s", number, error)
                continue
            readings.append(GpuReading(str(number), self._busy(handle), int(memory.used), int(memory.total)))
        return readings

    def _busy(self, handle: Any) -> float | None:
        try:
            return float(self._library.nvmlDeviceGetUtilizationRates(handle).gpu) / 100
        except self._library.NVMLError:
            return None  # a part of a GPU (MIG) has memory of its own, and no utilization

    def count(self) -> int | None:
        """Return how many GPUs there are; None where nobody knows."""
        try:
            return None if self._library is None else int(self._library.nvmlDeviceGetCount())
        except self._library.NVMLError:
            return None

    def driver(self) -> str | None:
        """Return the driver's version, where it has a GPU."""
        try:
            if self._library is None or not self._library.nvmlDeviceGetCount():
                return None
            return str(self._library.nvmlSystemGetDriverVersion())
        except self._library.NVMLError:
            return None
