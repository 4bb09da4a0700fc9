"""Which requests are taken: those whose answer can be there in time, within bounds of memory. Pure.

The wait is estimated from what answers took lately and how many pictures were ahead of them, so that it follows the
detector, the number of workers and what cameras leave of them.
"""

from dataclasses import dataclass

LEARN = 0.1
"""Weight of the newest answer."""
FIRST_S = 0.02
"""Of a picture, before anything is known."""
OF_THE_DEADLINE = 0.8
"""So much of its time a request may be expected to wait."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """A request that is not taken."""

    reason: str
    retry_after_s: float


@dataclass(frozen=True, slots=True)
class Ticket:
    """A request that was taken."""

    pictures: int
    size: int
    in_all: int
    """Pictures that waited then, its own included."""
    began_s: float


class Admission:
    """Counts what waits."""

    def __init__(self, most_pictures: int, most_bytes: int) -> None:
        self._most_pictures, self._most_bytes = most_pictures, most_bytes
        self._each_s = FIRST_S
        self.pictures = 0
        self.bytes = 0

    @property
    def wait_s(self) -> float:
        """About how long what waits now will take."""
        return self.pictures * self._each_s

    def ask(self, pictures: int, size: int, timeout_s: float, now_s: float) -> Ticket | Refusal:
        """Take a request of so many pictures and bytes, or say when to come again."""
        in_all = self.pictures + pictures
        wait_s = in_all * self._each_s
        if self.pictures and wait_s > timeout_s * OF_THE_DEADLINE:
            reason = f"an answer would take about {wait_s:.1f} s, and the request waits {timeout_s:g} s"
            return Refusal(reason, max(1.0, wait_s - timeout_s * OF_THE_DEADLINE))
        if self.pictures and (in_all > self._most_pictures or self.bytes + size > self._most_bytes):
            return Refusal(f"{self.pictures} pictures of {self.bytes} bytes wait already", max(1.0, self.wait_s / 2))
        self.pictures, self.bytes = in_all, self.bytes + size
        return Ticket(pictures, size, in_all, now_s)

    def done(self, ticket: Ticket, now_s: float, *, was_answered: bool) -> None:
        """A request is through: answered, or past its time, which teaches as much; or given up."""
        self.pictures -= ticket.pictures
        self.bytes -= ticket.size
        if was_answered:
            self._each_s += LEARN * ((now_s - ticket.began_s) / ticket.in_all - self._each_s)
