"""A Triton kernel for multi-scale deformable attention, registered with torch as an operator of its own.

One program takes a block of queries of one head of one picture. It reads what the queries want to look at,
computes the places and the softmax in fp32, and adds up the features as it reads them: nothing in between is
written to memory. With TRITON_INTERPRET=1 it runs on a CPU, slowly, for tests.
"""

import os
from contextlib import suppress
from pathlib import Path, PurePath

import torch
from torch import Tensor

from groundcam_worker.detectors.devices import current

try:
    import triton
    import triton.language as tl
except ImportError:  # torch for CPUs comes without it on some systems
    triton = None

HAS_TRITON = triton is not None
IS_INTERPRETED = os.environ.get("TRITON_INTERPRET") == "1"

QUERIES_PER_PROGRAM = 16


if triton is not None:
    # Two variants in all, of points and of boxes: a number that happens to be a multiple of 16 makes none of its own,
    # which would be compiled while frames wait.
    @triton.jit(do_not_specialize=["total", "count", "reference_stride"])
    def _sample(
        values, offsets, weights, reference, sizes, out,
        total, count, offsets_stride, weights_stride, reference_stride,
        HEADS: tl.constexpr, DEPTH: tl.constexpr, DEPTH_BLOCK: tl.constexpr,
        LEVELS: tl.constexpr, POINTS: tl.constexpr, POINTS_BLOCK: tl.constexpr,
        COORDINATES: tl.constexpr, QUERIES: tl.constexpr,
    ):  # fmt: skip
        batch, head = tl.program_id(1).to(tl.int64), tl.program_id(2)
        query = tl.program_id(0) * QUERIES + tl.arange(0, QUERIES)
        is_query = query < count
        channel = tl.arange(0, DEPTH_BLOCK)
        is_channel = channel < DEPTH

        # The softmax over all points of all levels.
        offsets += (batch * count + query) * offsets_stride + head * (LEVELS * POINTS * 2)
        weights += (batch * count + query) * weights_stride + head * (LEVELS * POINTS)
        every = tl.arange(0, POINTS_BLOCK)
        mask = is_query[:, None] & (every < LEVELS * POINTS)[None, :]
        logits = tl.load(weights[:, None] + every[None, :], mask=mask, other=float("-inf")).to(tl.float32)
        highest = tl.max(tl.where(mask, logits, -1e30), 1)
        scale = tl.where(is_query, tl.sum(tl.where(mask, tl.exp(logits - highest[:, None]), 0.0), 1), 1.0)

        place = reference + (batch * reference_stride + query) * COORDINATES
        centre_x = tl.load(place, mask=is_query, other=0.0)
        centre_y = tl.load(place + 1, mask=is_query, other=0.0)
        reach_x = tl.full([QUERIES], 1.0, tl.float32)
        reach_y = tl.full([QUERIES], 1.0, tl.float32)
        if COORDINATES == 4:
            reach_x = tl.load(place + 2, mask=is_query, other=0.0) * (0.5 / POINTS)
            reach_y = tl.load(place + 3, mask=is_query, other=0.0) * (0.5 / POINTS)

        total_sum = tl.zeros([QUERIES, DEPTH_BLOCK], tl.float32)
        for level in range(LEVELS):
            height = tl.load(sizes + level * 3)
            width = tl.load(sizes + level * 3 + 1)
            start = tl.load(sizes + level * 3 + 2)
            for point in range(POINTS):
                look = level * POINTS + point
                move_x = tl.load(offsets + look * 2, mask=is_query, other=0.0).to(tl.float32)
                move_y = tl.load(offsets + look * 2 + 1, mask=is_query, other=0.0).to(tl.float32)
                logit = tl.load(weights + look, mask=is_query, other=-1e30).to(tl.float32)
                attention = tl.exp(logit - highest) / scale
                if COORDINATES == 4:
                    x = (centre_x + move_x * reach_x) * width - 0.5
                    y = (centre_y + move_y * reach_y) * height - 0.5
                else:
                    x = centre_x * width + move_x - 0.5
                    y = centre_y * height + move_y - 0.5
                left, top = tl.floor(x), tl.floor(y)
                share_x, share_y = x - left, y - top
                for corner in tl.static_range(4):
                    cell_x = left + corner % 2
                    cell_y = top + corner // 2
                    share = attention
                    share *= share_x if corner % 2 == 1 else 1.0 - share_x
                    share *= share_y if corner // 2 == 1 else 1.0 - share_y
                    is_inside = is_query & (cell_x >= 0) & (cell_x < width) & (cell_y >= 0) & (cell_y < height)
                    # Far outside a float is larger than an integer can be: such a place is never turned into one.
                    # (Bounds, and no tl.where, on which Triton 3.6's compiler fails where the places are boxes.)
                    row = start + tl.minimum(tl.maximum(cell_y, 0.0), height - 1.0).to(tl.int32) * width
                    row += tl.minimum(tl.maximum(cell_x, 0.0), width - 1.0).to(tl.int32)
                    address = ((batch * total + row) * HEADS + head) * DEPTH
                    features = tl.load(
                        values + address[:, None] + channel[None, :],
                        mask=is_inside[:, None] & is_channel[None, :],
                        other=0.0,
                    ).to(tl.float32)
                    total_sum += features * tl.where(is_inside, share, 0.0)[:, None]
        result = ((batch * count + query) * HEADS + head) * DEPTH
        tl.store(
            out + result[:, None] + channel[None, :],
            total_sum.to(out.dtype.element_ty),
            mask=is_query[:, None] & is_channel[None, :],
        )


@torch.library.custom_op("groundcam::deformable_sample", mutates_args=())
def sample_with_triton(values: Tensor, offsets: Tensor, weights: Tensor, reference: Tensor, sizes: Tensor) -> Tensor:
    """Return [B, Q, heads * D] in the type of `values`.

    values [B, N, heads, D], offsets [B, Q, heads, levels, points, 2] and weights [B, Q, heads, levels * points]
    before their softmax, each of these two in one piece a query;
    reference [B or 1, Q, 2 or 4] in fp32; sizes int32 [levels, 3]: height, width, start of each.
    """
    if triton is None:
        raise RuntimeError("there is no triton on this machine")
    batch, total, heads, depth = values.shape
    _, count, _, levels, points, _ = offsets.shape
    # As they come off one product: views of it, whose queries lie further apart.
    offsets, weights = (one if _in_rows(one) else one.contiguous() for one in (offsets, weights))
    out = values.new_empty(batch, count, heads * depth)
    grid = (triton.cdiv(count, QUERIES_PER_PROGRAM), batch, heads)
    _sample[grid](
        values, offsets, weights, reference, sizes, out,
        total, count, offsets.stride(1), weights.stride(1), count if reference.shape[0] == batch else 0,
        HEADS=heads, DEPTH=depth, DEPTH_BLOCK=triton.next_power_of_2(depth),
        LEVELS=levels, POINTS=points, POINTS_BLOCK=triton.next_power_of_2(levels * points),
        COORDINATES=reference.shape[-1], QUERIES=QUERIES_PER_PROGRAM,
        enable_fp_fusion=True,  # Triton warns where it is not told
    )  # fmt: skip
    return out


def _in_rows(tensor: Tensor) -> bool:
    """Whether what follows the first two sides lies in one piece, and the first two at one distance."""
    return tensor[0, 0].is_contiguous() and (len(tensor) == 1 or tensor.stride(0) == tensor.shape[1] * tensor.stride(1))


def driver_folder(maps: Path = Path("/proc/self/maps")) -> str | None:
    """Return where libcuda is that torch has loaded.

    Triton asks ldconfig, which knows nothing of a library that a container was lent behind its cache's back.
    """
    with suppress(OSError):
        for line in maps.read_text().splitlines():
            path = PurePath(line.split(maxsplit=5)[-1])
            if path.name.startswith("libcuda.so"):
                return str(path.parent)
    return None


def kernel_fault(device: torch.device) -> str | None:
    """Run the kernel once on next to nothing, for points and for boxes; return why it does not, in one line, or None.

    Triton compiles on the machine where it runs, with a C compiler and Python's headers: images often lack them.
    """
    fault = _fault(device)
    if fault and "libcuda" in fault and "TRITON_LIBCUDA_PATH" not in os.environ and (folder := driver_folder()):
        os.environ["TRITON_LIBCUDA_PATH"] = folder
        fault = _fault(device)
    return fault


def _fault(device: torch.device) -> str | None:
    values = torch.ones(1, 4, 1, 16, device=device)
    offsets, weights = torch.zeros(1, 1, 1, 1, 1, 2, device=device), torch.zeros(1, 1, 1, 1, device=device)
    sizes = torch.tensor([[2, 2, 0]], dtype=torch.int32, device=device)
    try:
        with current(device):
            for coordinates in (2, 4):
                reference = torch.full((1, 1, coordinates), 0.5, device=device)
                found = sample_with_triton(values, offsets, weights, reference, sizes).sum().item()
                if abs(found - 16) > 1e-3:
                    return f"its answer is {found} and not 16"
    except Exception as error:  # noqa: BLE001 - whatever it is, there is another way
        return f"{type(error).__name__}: {error}".splitlines()[0]
    return None


@sample_with_triton.register_fake
def _(values: Tensor, offsets: Tensor, _weights: Tensor, _reference: Tensor, _sizes: Tensor) -> Tensor:
    batch, _, heads, depth = values.shape
    return values.new_empty(batch, offsets.shape[1], heads * depth)
