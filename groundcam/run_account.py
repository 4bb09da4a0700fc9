"""What was said of one run of one camera, and the judgement: each frame in exactly one class. Pure.

A week of frames fits: sets keep blocks and ranges, and what must be compared later, or found by its place, is packed.
"""

import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from hashlib import blake2b
from itertools import islice

from groundcam.number_set import NumberSet
from groundcam.packed_rows import PackedRows
from groundcam_runtime.records import Partition
from groundcam_schemas import Detections, FrameId, detections_id

SHOWN = 10
PORTION = 50_000
"""So many frames with repeats are compared at once."""

Places = Mapping[Partition, NumberSet]
"""Offsets by partition."""


@dataclass(slots=True)
class RunReport:
    """What became of one run of one camera."""

    camera_id: str
    run_id: str
    published: int = 0
    detected: int = 0
    dead_lettered: int = 0
    in_gaps: int = 0
    repeated: int = 0
    missing: int = 0
    missing_seqs: list[int] = field(default_factory=list)
    """The first of them."""
    gaps_by_reason: dict[str, int] = field(default_factory=dict)
    conflicting_ids: int = 0
    """Frames whose repeats carry another id although question and model are the same."""
    not_judged: int = 0
    """Of the total: records of runs for which there was no room."""
    in_flight: int = 0
    """Not accounted for yet, and younger than the grace."""
    expired: int = 0
    """Detected or dead-lettered, and no longer on Kafka themselves: what was said of them is what counts."""
    missing_expired: int = 0
    """Of the missing: before the oldest frame that is left, so that Kafka may have deleted them unread."""
    begun_later: int = 0
    """1 for a run that is judged from what is left of its answers, since Kafka has deleted the first; or how many."""


class RunAccount:
    """Takes what was said, in any order and any number of times."""

    __slots__ = (
        "_again", "_answers", "_dead", "_detected", "_first_of_interest", "_gaps", "_last_before",
        "_numbered_to", "_places", "_published", "_repeated", "_young", "_young_from",
    )  # fmt: skip

    def __init__(self) -> None:
        self._numbered_to = -1
        """Every frame up to this one was numbered by the sampler, whether or not it came to Kafka."""
        self._young_from = 0
        """From here on, only records that are younger than the grace speak of frames."""
        self._first_of_interest: int | None = None
        self._last_before = -1
        # Most of what strangers invent has frames or answers, not both: what is empty is not there.
        self._published: NumberSet | None = None
        self._young: NumberSet | None = None
        """Published within the grace."""
        self._detected: NumberSet | None = None
        self._dead: NumberSet | None = None
        self._gaps: dict[str, NumberSet] = {}
        self._places: dict[Partition, PackedRows] = {}
        """Rows of offset and seq, for dead letters that know no more of a frame than where it lay."""
        self._repeated = 0
        self._again: NumberSet | None = None
        """Detected more than once."""
        self._answers: PackedRows | None = None
        """Rows of seq, what was asked of which model, and id."""

    def publish(self, seq: int, partition: Partition, offset: int, *, is_young: bool = False) -> None:
        """A frame lies on Kafka; a young one may still be answered."""
        self._published = self._published or NumberSet()
        self._published.add(seq)
        if is_young:
            self._young = self._young or NumberSet()
            self._young.add(seq)
        if partition not in self._places:
            self._places[partition] = PackedRows(2)
        self._places[partition].append(offset, seq)

    def number_to(self, seq: int, *, is_young: bool = False) -> None:
        """Every frame up to this one should be accounted for; a young one's gaps may still come."""
        self._numbered_to = max(self._numbered_to, seq)
        if not is_young:
            self._young_from = max(self._young_from, seq + 1)

    def date(self, seq: int, *, is_of_interest: bool) -> None:
        """A frame is of a time that is asked for, as all that have a higher number, or of one before that."""
        if is_of_interest:
            first = self._first_of_interest
            self._first_of_interest = seq if first is None else min(first, seq)
        else:
            self._last_before = max(self._last_before, seq)

    def detect(self, answer: Detections) -> None:
        """A frame was answered."""
        seq = answer.frame.seq
        self._detected = self._detected or NumberSet()
        if not self._detected.add(seq):
            self._repeated += 1
            self._again = self._again or NumberSet()
            self._again.add(seq)
        asked = answer.question.version, answer.model.name, answer.model.revision
        if self._answers is None:
            self._answers = PackedRows(3)
        self._answers.append(seq, _asked_number(*asked), _id_number(answer))

    def dead_letter(self, seq: int) -> None:
        """A frame was dead-lettered."""
        self._dead = self._dead or NumberSet()
        self._dead.add(seq)

    def skip(self, reason: str, first: int, last: int) -> None:
        """Frames are in a gap."""
        self._gaps.setdefault(reason, NumberSet()).add_range(first, last)

    def judge(
        self, camera_id: str, run_id: str, dead_at: Places, *, whole: bool, frames_whole: bool, only_of_interest: bool
    ) -> RunReport | None:
        """Put each frame into one class. `dead_at` are the places of all dead letters.

        `whole` and `frames_whole` are False where Kafka has deleted the first answers, or frames. None where nothing
        is of interest, and nothing else is asked for.
        """
        begin = self._begin_of_interest() if only_of_interest else 0
        if begin is None:
            return None
        published, answered = self._published or NumberSet(), self._detected or NumberSet()
        dead_lettered = (self._dead or NumberSet()) | self._dead_at(dead_at)
        accounted = published | answered | dead_lettered
        for one in self._gaps.values():
            accounted |= one
        bounds = accounted.bounds
        start = 0 if whole or bounds is None else bounds[0]
        expected = NumberSet()
        if self._numbered_to >= start:
            expected.add_range(start, self._numbered_to)
        expected |= published
        scope = _from(begin, expected)
        detected = scope & answered
        dead = (scope & dead_lettered) - detected
        left = scope - detected - dead
        by_reason = {}
        for reason, one in sorted(self._gaps.items()):
            if found := (left & one).count:
                by_reason[reason] = found
            left -= one
        # Of a frame without a number of its own nothing but its place is known: it is young if it was published lately.
        in_flight = left & ((self._young or NumberSet()) | _from(self._young_from, left - published))
        missing = left - in_flight
        again = _from(begin, self._again or NumberSet())
        oldest = published.bounds[0] if published.bounds else self._numbered_to + 1
        return RunReport(
            camera_id=camera_id,
            run_id=run_id,
            published=(scope & published).count,
            detected=detected.count,
            dead_lettered=dead.count,
            in_gaps=sum(by_reason.values()),
            repeated=self._repeats_in(detected) if only_of_interest else self._repeated,
            missing=missing.count,
            missing_seqs=list(islice(missing, SHOWN)),
            gaps_by_reason=by_reason,
            conflicting_ids=self._conflicting_ids(again),
            in_flight=in_flight.count,
            expired=((detected | dead) - published).count,
            missing_expired=0 if frames_whole else (missing - _from(oldest, missing)).count,
            begun_later=int(start > 0),
        )

    def _begin_of_interest(self) -> int | None:
        """Return the first number to judge; of frames between what is old and what is new the time is not known."""
        first = self._first_of_interest
        return first if first is None or self._last_before >= first else self._last_before + 1

    def _dead_at(self, dead_at: Places) -> NumberSet:
        """Return which frames lie where a dead letter says that one lay."""
        found = NumberSet()
        for partition, places in self._places.items():
            offsets = dead_at.get(partition)
            if offsets is None or offsets.bounds is None:
                continue
            for offset, seq in places.rows(*offsets.bounds):
                if offset in offsets:
                    found.add(seq)
        return found

    def _repeats_in(self, detected: NumberSet) -> int:
        """Count the answers to these frames beyond the first of each."""
        if not self._again or self._answers is None or detected.bounds is None:
            return 0
        return sum(1 for seq, *_ in self._answers.rows(*detected.bounds) if seq in detected) - detected.count

    def _conflicting_ids(self, again: NumberSet) -> int:
        """Count the frames of which two answers to the same question by the same model contradict each other."""
        if not again or self._answers is None:
            return 0
        count, repeated = 0, iter(again)
        while seqs := list(islice(repeated, PORTION)):
            those = set(seqs)
            ids: dict[tuple[int, int], int] = {}
            contradicted = set()
            for seq, asked, identity in self._answers.rows(seqs[0], seqs[-1]):
                if seq in those and ids.setdefault((seq, asked), identity) != identity:
                    contradicted.add(seq)
            count += len(contradicted)
        return count


def _from(first: int, numbers: NumberSet) -> NumberSet:
    """Return those of the numbers that are not below the first."""
    if not first or numbers.bounds is None:
        return numbers
    range_ = NumberSet()
    if numbers.bounds[1] >= first:
        range_.add_range(first, numbers.bounds[1])
    return numbers & range_


@lru_cache(maxsize=1024)
def _asked_number(version: str, model: str, revision: str) -> int:
    """Return a number of 63 bits for what was asked of which model."""
    digest = blake2b(repr((version, model, revision)).encode("utf-8", "surrogatepass"), digest_size=8)
    return int.from_bytes(digest.digest()) >> 1


def _id_number(answer: Detections) -> int:
    """Return 0 for the id that the contract gives to an answer, which packs to nothing, else one of 32 bits.

    So two other ids of one frame are taken for one once in four thousand million times.
    """
    frame = FrameId(answer.camera_id, answer.frame.run_id, answer.frame.seq)
    if answer.id == detections_id(frame, answer.question.version, answer.model.name, answer.model.revision):
        return 0
    return zlib.crc32(answer.id.encode("utf-8", "surrogatepass")) + 1
