"""What `--since` means: a time that is given as an age, or as itself. Pure."""

import re
from datetime import datetime

from groundcam.durations import SECONDS


def since_ms(text: str, now_s: float) -> int:
    """Read `90s`, `15m`, `2h`, `3d`, or an ISO time, which is local unless it says otherwise. Raises ValueError."""
    if match := re.fullmatch(r"(\d{1,9})([smhd])", text):
        return int((now_s - int(match[1]) * SECONDS[match[2]]) * 1000)
    try:
        return int(datetime.fromisoformat(text).timestamp() * 1000)
    except (ValueError, OverflowError, OSError):
        raise ValueError(f"{text!r} is neither like 2h nor a time like 2030-01-31T14:00") from None
