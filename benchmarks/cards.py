"""What cards do in a second, for the model of a pass."""

from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Device:
    """What a card does in a second. Measured by `make gpu` (m), of its maker's sheet (s), estimated (e), fitted (f)."""

    name: str
    memory: float
    """Bytes that a large copy reads and writes."""
    pointwise: float
    """The same of operations number by number, of softmax, and of copies that turn what they copy."""
    cache: float
    """Bytes, of what fits into half of the second-level cache."""
    cache_bytes: float
    product: float
    """Floating-point operations of a large product in 16 bits, its reading and writing apart."""
    single: float
    """Of a product in fp32 without TF32."""
    gather: float
    """Bytes of features that deformable attention reads at the places it looks at."""
    windows: float
    """Bytes that attention within windows reads and writes."""
    processors: int
    tile_s: float
    """Seconds of a tile of 128 keys of 64 numbers in attention, which walks its tiles one after the other."""
    tile_number_s: float
    """How much longer it takes with each number more."""
    launch_s: float
    """Seconds of a small kernel of a recording, with the gap before it."""


H200 = Device(
    "H200",
    memory=4.2e12,  # m
    pointwise=3e12,  # f
    cache=5.5e12,  # e
    cache_bytes=25e6,  # s: half of 50 MB
    product=900e12,  # f: four products of 205 to 600e12, reading and writing included (m), within three tenths
    single=38e12,  # e
    gather=5e12,  # f
    windows=1.35e12,  # f
    processors=132,  # s
    tile_s=1e-6,  # f
    tile_number_s=1e-8,  # f
    launch_s=4e-6,  # f
)
H100 = replace(H200, name="H100", memory=2.9e12, pointwise=2.1e12)
"""The same processors with slower memory: 3.35 TB/s on its sheet where the H200 has 4.8. None was measured."""
