"""Which input shape a picture of a size becomes. Pure.

Pictures of one shape share a batch, and Swin does not see the padding mask, so that a picture must not be padded
to fit a batch: its shape follows from its own size only. The processor of transformers scales a picture until its
shorter or its longer side is as long as it may be, which gives cameras of nearly the same proportions shapes that
differ by a pixel. Here both sides are rounded to multiples of a step, which stretches a picture by a percent or two
at most: 1920x1080 and 1920x1088 share one shape. (A step of a sixteenth of the longer side cost the small model three
points of recall.)
"""

from dataclasses import dataclass

LARGEST_STEP = 16
STEPS_A_SIDE = 80
LEAST = 32


@dataclass(frozen=True, slots=True)
class Limits:
    """How large an input may be, in pixels."""

    shorter: int
    longer: int
    fixed: tuple[int, int] | None = None
    """(height, width) of every input, for a model that was trained at one shape only."""

    def shape_of(self, width: int, height: int) -> tuple[int, int]:
        """Return the (height, width) that a picture is scaled to. Raises ValueError for an empty picture."""
        if width < 1 or height < 1:
            raise ValueError(f"a picture of {width}x{height} has no shape")
        if self.fixed:
            return self.fixed
        scale = min(self.shorter / min(width, height), self.longer / max(width, height))
        return self._rounded(height * scale), self._rounded(width * scale)

    @property
    def step(self) -> int:
        """The power of two that sides are multiples of."""
        step = 1
        while 2 * step <= min(LARGEST_STEP, self.longer / STEPS_A_SIDE):
            step *= 2
        return step

    def _rounded(self, side: float) -> int:
        return max(LEAST, round(side / self.step) * self.step)
