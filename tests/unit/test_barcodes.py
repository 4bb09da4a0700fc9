"""The bar codes that the console is judged with can be told apart."""

import cv2
import numpy as np

from barcodes import BITS, box_of, number_at, picture, read_bars


def test_a_number_is_read_from_bars_and_from_its_box_at_any_size() -> None:
    for number in range(0, 2**BITS, 7):
        image = picture(number)
        assert read_bars(image) == number
        small = cv2.resize(image, (240, 135), interpolation=cv2.INTER_AREA).astype(np.uint8)
        assert read_bars(small) == number
        x1, y1, x2, y2 = box_of(number)
        assert 0 <= x1 < x2 <= 1
        assert 0 <= y1 < y2 <= 1
        assert number_at(x1 + 0.004, y1 - 0.003) == number
