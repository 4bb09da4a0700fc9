"""What a webhook gets. Pure.

The body is the event in its JSON form, with a few fields more that are often wanted; who reads it as an event passes
over them.
"""

import base64
import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

from groundcam_events.notify.policy.signature import HEADER, sign
from groundcam_events.notify.settings import HookSettings
from groundcam_schemas import Event, EventType, encode_json

CONTENT_TYPE = "application/json"
IDEMPOTENCY = "X-Groundcam-Event"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_WORDS = {EventType.NEW: "", EventType.UPDATE: "", EventType.END: " is gone"}


@dataclass(frozen=True, slots=True)
class Picture:
    """An object's best picture, or why it is not there."""

    jpeg: bytes | None
    reason: str = ""


def body(event: Event, hook: str, settings: HookSettings, picture: Picture | None, *, is_test: bool = False) -> bytes:
    """Return the body; `picture` is that for `attach`."""
    inside = [one.name for one in event.zones if one.left_ns is None]
    content: dict[str, Any] = {
        **json.loads(encode_json(event)),
        "hook": hook,
        "is_test": is_test,
        "text": _text(event, inside),
        "first_seen_at": _iso(event.first.captured_at_ns),
        "last_seen_at": _iso(event.last.captured_at_ns),
        "zones_now": list(dict.fromkeys(inside)),
        "zones_entered": list(dict.fromkeys(one.name for one in event.zones)),
        "picture": None,
    }
    if settings.picture_url is not None:
        url = settings.picture_url.replace("{camera}", event.camera_id).replace("{id}", quote(event.id, safe=""))
        content["picture"] = {"url": url}
    elif picture is not None and picture.jpeg is not None:
        encoded = base64.b64encode(picture.jpeg).decode()
        content["picture"] = {"content_type": "image/jpeg", "base64": encoded}
    elif picture is not None:
        content["picture_reason"] = picture.reason
    return json.dumps(content).encode()


def headers(event: Event, content: bytes, secret: str | None, at_s: float) -> dict[str, str]:
    """Return the headers that are ours."""
    ours = {"Content-Type": CONTENT_TYPE, IDEMPOTENCY: f"{event.id}/{event.n}", "User-Agent": "groundcam"}
    return ours | ({HEADER: sign(secret, content, at_s)} if secret is not None else {})


def _text(event: Event, inside: list[str]) -> str:
    """Return the event in words, for those who only show a text."""
    where = f" in {', '.join(dict.fromkeys(inside))}" if inside else ""
    return f"{event.label} at {event.camera_id}{where}{_WORDS[event.type]}"


def _iso(at_ns: int) -> str:
    """Return a time in the form of RFC 3339, to the millisecond."""
    try:
        at = _EPOCH + timedelta(microseconds=at_ns // 1000)
    except OverflowError:
        return "9999-12-31T23:59:59.999Z"  # a camera's clock may say anything
    return f"{at.strftime('%Y-%m-%dT%H:%M:%S')}.{at.microsecond // 1000:03d}Z"
