"""Times as addresses have them (RFC 3339)."""

import re
from datetime import UTC, datetime
from typing import Annotated

from pydantic import AwareDatetime, BeforeValidator

NS = 1_000_000_000
DAY_S = 86_400
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
LAST_NS = 2**63 - 1


def _moment(text: object) -> object:
    """Only what RFC 3339 has, and no number of seconds, or of milliseconds. Raises ValueError."""
    if isinstance(text, str) and not re.match(r"\d{4}-\d\d-\d\d[Tt ]", text):
        raise ValueError(f"{text[:40]!r} is not like 2026-11-26T08:00:00Z")
    return text


Moment = Annotated[AwareDatetime, BeforeValidator(_moment)]


def ns_of(moment: datetime | None, otherwise: int) -> int:
    """Return a time in nanoseconds since 1970, within what Kafka and messages can have."""
    if moment is None:
        return otherwise
    since = moment - EPOCH  # in whole microseconds, which a float of seconds is not
    return min(LAST_NS, max(0, (since.days * DAY_S + since.seconds) * NS + since.microseconds * 1000))
