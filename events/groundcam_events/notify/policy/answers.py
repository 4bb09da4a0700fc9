"""What a webhook's answer means, and when to try again. Pure.

The status alone decides: whoever has said 2xx has the event, whatever its body looks like.
"""

from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime
from enum import StrEnum
from http import HTTPStatus

AGAIN = frozenset(
    {HTTPStatus.REQUEST_TIMEOUT.value, HTTPStatus.TOO_EARLY.value, HTTPStatus.TOO_MANY_REQUESTS.value}
)  # fmt: skip
"""Refusals that are about the moment, not about the request."""


class Failure(StrEnum):
    """Why an attempt failed; also a metric's label."""

    TIMEOUT = "timeout"
    CONNECTION = "connection"
    TLS = "tls"
    NOT_HTTP = "not_http"
    """Something answered, in no way that can be read."""
    SETTINGS = "settings"
    """A file with the URL, the secret or headers cannot be used."""
    REDIRECT = "redirect"
    REFUSED = "refused"
    """A status from 400 on that will not change."""
    BUSY = "busy"
    """408, 425 or 429."""
    SERVER_ERROR = "server_error"
    """5xx, or a status that there is not."""


FINAL = frozenset({Failure.REDIRECT, Failure.REFUSED})


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of an attempt."""

    failure: Failure | None
    """None where the webhook has the event."""
    text: str
    """For people; nothing in it is secret."""
    status: int | None = None
    retry_after_s: float | None = None
    """So long the receiver asks to be left alone."""
    body: bytes = b""
    """The beginning of it."""

    @property
    def is_final(self) -> bool:
        """Whether another attempt would fail, too."""
        return self.failure in FINAL


def answer(status: int, retry_after: str | None, now_s: float, body: bytes = b"") -> Answer:
    """Return what a status means; `retry_after` is the header of that name."""
    failure = _failure(status)
    text = f"it answers {status}"
    if failure is Failure.REDIRECT:
        text += ", and redirects are not followed"
    after_s = _seconds(retry_after, now_s) if failure in (Failure.BUSY, Failure.SERVER_ERROR) else None
    return Answer(failure, text, status, after_s, body)


def _failure(status: int) -> Failure | None:
    if 200 <= status < 300:
        return None
    if 300 <= status < 400:
        return Failure.REDIRECT
    if status in AGAIN:
        return Failure.BUSY
    return Failure.REFUSED if 400 <= status < 500 else Failure.SERVER_ERROR


def _seconds(text: str | None, now_s: float) -> float | None:
    """Read Retry-After, in seconds or as a date."""
    text = (text or "").strip()
    if text.isascii() and text.isdigit():
        return float(text[:9])
    try:
        until = parsedate_to_datetime(text)
    except (ValueError, TypeError, OverflowError):
        return None
    until = until if until.tzinfo else until.replace(tzinfo=UTC)
    return max(0.0, until.timestamp() - now_s)


def delay_s(failures: int, first_s: float, most_s: float, chance: float, retry_after_s: float | None = None) -> float:
    """Return how long to wait after so many failures in a row, the last one included.

    Twice as long each time, and between a half and all of it by `chance` (0 to 1), so that those who failed together do
    not come again together. What the receiver asks for counts, up to `most_s`.
    """
    grown_s = min(most_s, first_s * 2.0 ** min(failures - 1, 60))
    return max(grown_s * (0.5 + chance / 2), min(most_s, retry_after_s or 0.0))
