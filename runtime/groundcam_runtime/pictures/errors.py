"""Why a picture cannot be had."""


class PictureError(ValueError):
    """The bytes are no picture that can be decoded; the sentence says why."""
