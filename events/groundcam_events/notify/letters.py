"""Undelivered events as records, and what is still undelivered of them. Pure.

A record's value is the event as it came; its headers say who did not take it and why. One without a value says that
others have been delivered since, so that nothing is sent again that was: the topic itself forgets nothing before its
time.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from groundcam_runtime.kafka.record import Record
from groundcam_runtime.records import Consumed, Header
from groundcam_schemas import Event, SchemaError, decode

PREFIX = "groundcam-undelivered-"
HOOK, REASON, ATTEMPTS, AT_MS = (f"{PREFIX}{name}" for name in ("hook", "reason", "attempts", "at-ms"))
SETTLED = f"{PREFIX}settled"
"""Of a record without a value: the hook, the event and its number, which was delivered."""

Name = tuple[str, str, int]
"""Which event did not get to whom: webhook, object, number."""


@dataclass(frozen=True, slots=True)
class Letter:
    """An undelivered event."""

    hook: str
    event: Event
    value: bytes
    reason: str
    attempts: int

    @property
    def name(self) -> Name:
        """What it is called; the same one may be there several times."""
        return self.hook, self.event.id, self.event.n


def letter_record(topic: str, letter: Letter, at_ms: int) -> Record:
    """Return the record that keeps an event."""
    fields = {HOOK: letter.hook, REASON: letter.reason, ATTEMPTS: letter.attempts, AT_MS: at_ms}
    headers = tuple((name, str(value).encode()) for name, value in fields.items())
    return Record(topic, letter.value, letter.event.camera_id, headers=headers)


def settled_record(topic: str, letter: Letter) -> Record:
    """Return the record that says that an event was delivered after all."""
    hook, event_id, n = letter.name
    headers = ((HOOK, hook.encode()), (SETTLED, f"{event_id}/{n}".encode()))
    return Record(topic, None, letter.event.camera_id, headers=headers)


def open_letters(records: Iterable[Consumed], hook: str | None = None) -> list[Letter]:
    """Return what is undelivered still, each event once for each webhook, in its order; of one webhook if it is named.

    What is there again behind a record that settles it is undelivered again.
    """
    found: dict[Name, Letter] = {}
    for record in records:
        told = dict(_ours(record.headers))
        if hook is not None and told.get(HOOK) != hook:
            continue
        if SETTLED in told:
            event_id, _, n = told[SETTLED].rpartition("/")
            found.pop((told.get(HOOK, ""), event_id, int(n) if n.isascii() and n.isdigit() else -1), None)
        elif letter := _letter(record, told):
            found[letter.name] = letter
    return list(found.values())


def _letter(record: Consumed, told: dict[str, str]) -> Letter | None:
    """Return the letter in a record; None where something else was put there."""
    try:
        event = decode(Event, record.value or b"")
    except SchemaError:
        return None
    attempts = told.get(ATTEMPTS, "")
    count = int(attempts) if attempts.isascii() and attempts.isdigit() else 0
    return Letter(told[HOOK], event, record.value or b"", told.get(REASON, ""), count) if HOOK in told else None


def _ours(headers: Iterable[Header]) -> Iterator[tuple[str, str]]:
    for name, value in headers:
        if name.startswith(PREFIX):
            yield name, value.decode("utf-8", "replace")
