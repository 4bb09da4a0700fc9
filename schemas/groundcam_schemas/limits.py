"""How long anything on the wire may be. A message outside these is refused before it costs memory."""

import re
from typing import Annotated

from pydantic import AfterValidator, Field

MAX_FRAME_BYTES = 16 * 1024 * 1024
"""A whole Frame message. Kafka topics are usually set far lower."""

MAX_MESSAGE_BYTES = 1024 * 1024
"""Any other message: 900 objects with long labels stay below it."""

MAX_ITEMS = 20_000
"""List and map entries of one message, all levels together."""

OTHER_ITEMS = 1_500
"""More than an answer has besides its objects."""
OBJECT_ITEMS = 13
"""Entries of one object, with a list of class scores that is empty."""

MAX_ARRAY = 1024
MAX_MAP = 64
MAX_TEXT = 1024
MAX_OBJECTS = 1000
MAX_CLASSES = 500
MAX_DECOYS = 100
MAX_VERDICTS = 100
MAX_PHRASE = 256
MAX_CAMERA_ID = 200
MAX_PIXELS_A_SIDE = 65_535
MAX_REGIONS = 32
MAX_CORNERS = 64
MAX_ZONES = 32
MAX_PATH = 32
MAX_VISITS = 32
MAX_UNSEEN = 16
MAX_OPEN = 100
"""With their paths left out, so many events stay below MAX_ITEMS."""

# msgpack knows no integer above 64 bits, and other languages none above 63.
Count = Annotated[int, Field(strict=True, ge=0, le=2**63 - 1)]
Nanoseconds = Count
Offset = Count
Side = Annotated[int, Field(strict=True, ge=1, le=MAX_PIXELS_A_SIDE)]
Fraction = Annotated[float, Field(strict=True, ge=0.0, le=1.0, allow_inf_nan=False)]
Pixels = Annotated[float, Field(strict=True, ge=0.0, le=float(MAX_PIXELS_A_SIDE), allow_inf_nan=False)]
Text = Annotated[str, Field(strict=True, max_length=MAX_TEXT)]
Identifier = Annotated[str, Field(strict=True, min_length=1, max_length=MAX_CAMERA_ID)]


def check_camera_id(camera_id: str) -> str:
    """Return a camera id that can be a Kafka key, a metric label and a file name, or raise ValueError."""
    if not re.fullmatch(rf"[A-Za-z0-9][A-Za-z0-9._-]{{0,{MAX_CAMERA_ID - 1}}}", camera_id):
        raise ValueError(
            "a camera id is made of the letters A to Z and a to z, digits, '.', '_' and '-', and begins with one of the"
            " first two"
        )
    return camera_id


_STEERING = re.compile(
    r"[\x00-\x1f\x7f-\x9f\u00ad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    r"\ud800-\udfff\U000e0000-\U000e007f]"
)
"""Control characters, line ends, marks that turn the direction of writing, what nobody sees, and half characters. Not
among them are the joiners U+200C and U+200D, which Persian, Hindi and emoji are written with."""


def check_phrase(phrase: str) -> str:
    """Return a phrase that can be shown anywhere, or raise ValueError."""
    if found := _STEERING.search(phrase):
        raise ValueError(
            f"the character U+{ord(found[0]):04X} at position {found.start() + 1} is a control character, or one that"
            " nobody sees"
        )
    return phrase


CameraId = Annotated[Identifier, AfterValidator(check_camera_id)]
Phrase = Annotated[str, Field(strict=True, min_length=1, max_length=MAX_PHRASE)]
AskedPhrase = Annotated[Phrase, AfterValidator(check_phrase)]
"""A phrase of a question. Answers keep the looser one: what was asked before this was checked can be read still."""
