"""What torch's devices are called, and what their errors mean."""

from contextlib import AbstractContextManager, nullcontext

import torch

from groundcam_worker.errors import ModelError

# Allocations that fail outside of torch's own allocator; the list began as accelerate's (utils/memory.py).
_NO_ROOM = (
    "out of memory",
    "CUBLAS_STATUS_ALLOC_FAILED",
    "CUDNN_STATUS_ALLOC_FAILED",
    "CUDNN_STATUS_NOT_SUPPORTED",
    "DefaultCPUAllocator: can't allocate memory",
)
_LOST = ("CUDA error", "CUBLAS_STATUS_", "CUDNN_STATUS_", "cuDNN error", "device-side assert", "Triton Error [CUDA]")


def pick(name: str) -> torch.device:
    """Return the device that a setting names. Raises ModelError."""
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError:
        raise ModelError(f"work.device: {name!r} is not auto, cpu, cuda or cuda:N") from None
    if device.type not in {"cpu", "cuda"}:
        raise ModelError(f"work.device: {name!r} is not auto, cpu, cuda or cuda:N")
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise ModelError(f"work.device: {name} is not there; this machine has {torch.cuda.device_count()} CUDA devices")
    return device


def describe(device: torch.device) -> tuple[str, int, int]:
    """Return a CUDA device's name, and its free and its whole memory in bytes."""
    free, total = torch.cuda.mem_get_info(device)
    return torch.cuda.get_device_name(device), free, total


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
