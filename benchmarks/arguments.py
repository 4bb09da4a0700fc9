"""Numbers of a command line, refused in a sentence where nothing could be measured with them."""

import argparse
import math
from collections.abc import Callable
from typing import TypeVar

Number = TypeVar("Number", int, float)


def above_zero(kind: type[Number]) -> Callable[[str], Number]:
    """Return a type for `add_argument`: a number above 0."""

    def read(text: str) -> Number:
        try:
            value = kind(text)
        except ValueError:
            value = kind(0)
        if not 0 < value < math.inf:
            raise argparse.ArgumentTypeError(f"{text!r} is no number above 0")
        return value

    return read


def sides(text: str) -> tuple[int, int]:
    """Return both sides of a size, such as 1280x720."""
    first, _, second = text.partition("x")
    try:
        return above_zero(int)(first), above_zero(int)(second)
    except argparse.ArgumentTypeError:
        raise argparse.ArgumentTypeError(f"{text!r} is no size, such as 1280x720") from None
