"""What torch's devices are called, and what their errors mean."""

import logging
import platform
import re
from contextlib import AbstractContextManager, nullcontext

import torch

from groundcam_worker.errors import ModelError

log = logging.getLogger(__name__)

# Allocations that fail outside of torch's own allocator; the list began as accelerate's (utils/memory.py).
_NO_ROOM = (
    "out of memory",
    "CUBLAS_STATUS_ALLOC_FAILED",
    "CUDNN_STATUS_ALLOC_FAILED",
    "CUDNN_STATUS_NOT_SUPPORTED",
    "DefaultCPUAllocator: can't allocate memory",
)
_NAME = re.compile(r"cpu|cuda(:(?P<number>\d+))?", re.ASCII)
_LOST = ("CUDA error", "CUBLAS_STATUS_", "CUDNN_STATUS_", "cuDNN error", "device-side assert", "Triton Error [CUDA]")


def pick(name: str, driver: str | None = None) -> torch.device:
    """Return the device that a setting names; `driver` is the version of a GPU's, if there is one.

    Raises ModelError.
    """
    if name == "auto":
        is_there = torch.cuda.is_available()
        if driver and not is_there:
            log.warning("there is a GPU, and the detector runs on the CPU: %s", _unusable(driver))
        return torch.device("cuda" if is_there else "cpu")
    # torch keeps a device's number in a byte, and takes cuda:256 for cuda:0.
    if (found := _NAME.fullmatch(name)) is None:
        raise ModelError(f"work.device: {name!r} is not auto, cpu, cuda or cuda:N")
    if name != "cpu" and int(found["number"] or 0) >= torch.cuda.device_count():
        count = torch.cuda.device_count()
        why = f"; {_unusable(driver)}" if driver and not count else f"; this machine has {count} CUDA devices"
        raise ModelError(f"work.device: {name} is not there{why}")
    return torch.device(name)


def _unusable(driver: str) -> str:
    """Return why torch sees no GPU although the driver has one."""
    if torch.version.cuda is None:
        return f"torch {torch.__version__} was built for CPUs, and the driver {driver} has a GPU"
    return (
        f"torch {torch.__version__} was built for CUDA {torch.version.cuda}, for which the driver {driver} may be too"
        " old: a newer driver, or torch for an older CUDA (TORCH_INDEX when images are built)"
    )


def name_of(device: torch.device) -> str:
    """Return what a device is called: a GPU by its maker's name, a CPU by its architecture."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else platform.machine() or device.type


def precision_of(dtype: torch.dtype) -> str:
    """Return what the setting work.precision calls a type."""
    return {torch.float32: "fp32", torch.float16: "fp16", torch.bfloat16: "bf16"}.get(dtype, str(dtype))


def describe(device: torch.device) -> tuple[str, int, int]:
    """Return a CUDA device's name, and its free and its whole memory in bytes."""
    free, total = torch.cuda.mem_get_info(device)
    return torch.cuda.get_device_name(device), free, total


def uuid_of(device: torch.device) -> str | None:
    """Return what NVIDIA's driver calls a CUDA device, whatever its number is here; None where torch does not say."""
    uuid = getattr(torch.cuda.get_device_properties(device), "uuid", None)
    return None if uuid is None else f"GPU-{uuid}"


def is_out_of_memory(error: BaseException) -> bool:
    """Whether a smaller batch may succeed."""
    return isinstance(error, torch.OutOfMemoryError) or (
        isinstance(error, RuntimeError) and any(text in str(error) for text in _NO_ROOM)
    )


def is_lost(error: BaseException) -> bool:
    """Whether every later call on the device will fail: only another process can use it again."""
    if is_out_of_memory(error) or not isinstance(error, RuntimeError):
        return False
    # Only newer versions of torch have a class for it.
    return type(error).__name__ == "AcceleratorError" or any(text in str(error) for text in _LOST)


def current(device: torch.device) -> AbstractContextManager[object]:
    """Make a device the current one of this thread: streams, recordings and Triton's kernels go there."""
    return torch.cuda.device(device) if device.type == "cuda" else nullcontext()


def require_full_fp32() -> None:
    """Compute what is fp32 in fp32: by default cuDNN rounds what it multiplies to TF32, no more digits than fp16."""
    if convolutions := getattr(torch.backends.cudnn, "conv", None):
        convolutions.fp32_precision = "ieee"
    else:  # torch before 2.9
        torch.backends.cudnn.allow_tf32 = False


def free_cache(device: torch.device) -> None:
    """Give back what torch keeps for later."""
    if device.type == "cuda":
        torch.cuda.empty_cache()
