"""What a decoded picture is, and why one cannot be had."""

import numpy as np
import numpy.typing as npt

Image = npt.NDArray[np.uint8]
"""Height x width x 3, RGB."""
