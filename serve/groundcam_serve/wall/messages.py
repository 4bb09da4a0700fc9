"""What the wall and a page say to each other. Pure.

A page sends JSON: `{"watch": {"gate": {"width": 640, "fps": 2}}}`, all tiles that it shows now, whenever that changes;
and `{"drawn": "gate"}` for each picture. To a page that adds `"reply": true` it says in JSON which cameras it gets, and
why it is left. The wall sends a binary message for each picture: the length of a JSON header (4 bytes, little-endian),
the header, and the picture's bytes. So what a header says is said of that very picture.
"""

import json
import time
from collections.abc import Iterable
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from groundcam_schemas import Detections
from groundcam_schemas.limits import CameraId
from groundcam_serve.wall.looks import Look
from groundcam_serve.wall.tiles import Wish

MOST_TILES = 64
MOST_CHARACTERS = 64 * 1024
"""Of a page's message."""
NS_PER_MS = 1_000_000


class _Tile(BaseModel):
    model_config = ConfigDict(extra="forbid")

    width: Annotated[int, Field(ge=0, le=16_384)]
    fps: Annotated[float, Field(gt=0, le=100)] | None = None


class Said(BaseModel):
    """One message of a page."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    watch: Annotated[dict[CameraId, _Tile], Field(max_length=MOST_TILES)] | None = None
    drawn: CameraId | None = None
    reply: bool = False

    @property
    def wishes(self) -> dict[str, Wish] | None:
        """What is shown from now on."""
        if self.watch is None:
            return None
        return {name: Wish(one.width, one.fps) for name, one in self.watch.items()}


def said_in(text: str) -> Said:
    """Read a page's message. Raises ValueError, in a sentence."""
    if len(text) > MOST_CHARACTERS:
        raise ValueError(f"a message has at most {MOST_CHARACTERS} characters")
    try:
        return Said.model_validate_json(text)
    except ValidationError as invalid:
        first = invalid.errors(include_url=False, include_context=False, include_input=False)[0]
        raise ValueError(f"{'.'.join(map(str, first['loc'])) or 'message'}: {first['msg']}") from None


def reply(watched: Iterable[str]) -> str:
    """Return what a page is told of its wish: the cameras that it gets, of those that it asked for."""
    return json.dumps({"watching": sorted(watched)}, separators=(",", ":"))


def farewell(code: int, reason: str) -> str:
    """Return what a page is told before it is left; both are a close frame's (RFC 6455, 7.4)."""
    return json.dumps({"closing": code, "reason": reason}, separators=(",", ":"))


def message(look: Look, data: bytes, skipped: int, now_ns: int | None = None) -> bytes:
    """Return a look as a page gets it; `data` is the picture at the size at which it is shown."""
    header = json.dumps(header_of(look, skipped, now_ns or time.time_ns()), separators=(",", ":")).encode()
    return len(header).to_bytes(4, "little") + header + data


def header_of(look: Look, skipped: int, now_ns: int) -> dict[str, Any]:
    """Return what is said of a picture. Times are in milliseconds, which JavaScript can count."""
    picture = look.picture
    header: dict[str, Any] = {
        "camera": picture.frame.camera_id, "run": picture.frame.run_id, "seq": picture.frame.seq, "number": look.number,
        "captured_at_ms": picture.captured_at_ns // NS_PER_MS,
        "age_ms": (now_ns - picture.captured_at_ns) // NS_PER_MS,
        "source": picture.size, "skipped": skipped, "gap": look.gap, "answer": None,
    }  # fmt: skip
    if look.answer is not None:
        header["answer"] = _answer(look.answer)
    return header


def _answer(answer: Detections) -> dict[str, Any]:
    return {
        "question": answer.question.version,
        "classes": answer.question.classes,
        "model": answer.model.name,
        "latency_ms": (answer.timings_ns.published - answer.captured_at_ns) // NS_PER_MS,
        "objects": [
            {
                "label": one.label,
                "class": one.class_id,
                "score": round(one.score, 4),
                "box": [round(v, 1) for v in one.box],
            }
            for one in answer.objects
        ],
    }
