"""Find what keeps a detector from being loaded before torch is imported, which takes seconds and gigabytes.

What torch would see in the end, only torch knows; here is refused what cannot be.
"""

import re
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from groundcam_worker.checkpoints.catalogue import resolve
from groundcam_worker.errors import ModelError
from groundcam_worker.gpus import Driver, Nvml, cuda_of_driver
from groundcam_worker.settings import WorkSettings, fake_seconds

_DEVICE = re.compile(r"auto|cpu(:\d+)?|cuda(:(?P<index>\d+))?")


@dataclass(frozen=True, slots=True)
class TorchBuild:
    """What an installed torch was built for."""

    version: str
    cuda: str | None
    is_rocm: bool = False
    """Where `cuda` names AMD's GPUs."""


def check_detector(settings: WorkSettings) -> None:
    """Raise ModelError for a model that is none, and for a device that is not there."""
    if fake_seconds(settings.model) is not None:
        return
    resolve(settings.model)
    driver = Driver()
    if settings.device.startswith("cuda"):
        nvml = Nvml()
        driver = Driver(nvml.driver(), nvml.count(), cuda_of_driver())
    if problem := device_problem(settings.device, driver, torch_build()):
        raise ModelError(f"work.device: {problem}")


def device_problem(name: str, driver: Driver, build: TorchBuild | None) -> str | None:
    """Return why there cannot be such a device, None where there may be. Pure."""
    device = _DEVICE.fullmatch(name)
    if device is None:
        return f"{name!r} is not auto, cpu, cuda or cuda:N"
    if not name.startswith("cuda") or (build is not None and build.is_rocm):
        return None
    gone = f"{name} is not there"
    if driver.version is None and driver.cuda is None:
        return f"{gone}; this machine has no NVIDIA driver with a GPU, or has not given it to this container"
    if driver.cuda is None:
        return f"{gone}; the driver {driver.version} has a GPU, and its library libcuda.so.1 cannot be loaded"
    if driver.count is not None and int(device["index"] or 0) >= driver.count:
        return f"{gone}; this machine has {driver.count} CUDA devices"
    return None if build is None else _unusable(gone, driver, build)


def _unusable(gone: str, driver: Driver, build: TorchBuild) -> str | None:
    """Return why this torch can do nothing with this driver. One for another minor version of CUDA can."""
    known = f"the driver {driver.version}" if driver.version else "the driver"
    if build.cuda is None:
        return f"{gone}; torch {build.version} was built for CPUs, and {known} has a GPU"
    if driver.cuda is not None and driver.cuda[0] < int(build.cuda.partition(".")[0]):
        return (
            f"{gone}; torch {build.version} was built for CUDA {build.cuda}, and {known} knows no newer than CUDA"
            f" {driver.cuda[0]}.{driver.cuda[1]}: a newer driver, or torch for an older CUDA (TORCH_INDEX when images"
            " are built)"
        )
    return None


def torch_build() -> TorchBuild | None:
    """Return what torch says of itself in its file version.py; None where there is no such thing."""
    spec = find_spec("torch")
    path = Path(spec.origin).with_name("version.py") if spec is not None and spec.origin else None
    if path is None or not path.is_file():
        return None
    found = dict(re.findall(r"^(\w+)(?::[^=]*)? = '([^']*)'", path.read_text(), re.MULTILINE))
    version = found.get("__version__")
    return None if version is None else TorchBuild(version, found.get("cuda"), "hip" in found)
