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


class RunAccount:
    """Takes what was said, in any order and any number of times."""

    __slots__ = (
        "_again", "_answers", "_dead", "_detected", "_gaps", "_numbered_to", "_places", "_published", "_repeated",
    )  # fmt: skip

    def __init__(self) -> None:
        self._numbered_to = -1
        """Every frame up to this one was numbered by the sampler, whether or not it came to Kafka."""
        # Most of what strangers invent has frames or answers, not both: what is empty is not there.
        self._published: NumberSet | None = None
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

    def publish(self, seq: int, partition: Partition, offset: int) -> None:
        """A frame lies on Kafka."""
        self._published = self._published or NumberSet()
        self._published.add(seq)
        if partition not in self._places:
            self._places[partition] = PackedRows(2)
        self._places[partition].append(offset, seq)

    def number_to(self, seq: int) -> None:
        """Every frame up to this one should be accounted for."""
        self._numbered_to = max(self._numbered_to, seq)

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

    def judge(self, camera_id: str, run_id: str, dead_at: Places, *, whole: bool) -> RunReport:
        """Put each frame into one class. `dead_at` are the places of all dead letters."""
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
        detected = expected & answered
        dead = (expected & dead_lettered) - detected
        left = expected - detected - dead
        by_reason = {}
        for reason, one in sorted(self._gaps.items()):
            if found := (left & one).count:
                by_reason[reason] = found
            left -= one
        return RunReport(
            camera_id=camera_id,
            run_id=run_id,
            published=published.count,
            detected=detected.count,
            dead_lettered=dead.count,
            in_gaps=sum(by_reason.values()),
            repeated=self._repeated,
            missing=left.count,
            missing_seqs=list(islice(left, SHOWN)),
            gaps_by_reason=by_reason,
            conflicting_ids=self._conflicting_ids(),
        )

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

    def _conflicting_ids(self) -> int:
        """Count frames of which two answers to the same question by the same model contradict each other."""
        if not self._again or self._answers is None:
            return 0
        count, repeated = 0, iter(self._again)
        while seqs := list(islice(repeated, PORTION)):
            those = set(seqs)
            ids: dict[tuple[int, int], int] = {}
            contradicted = set()
            for seq, asked, identity in self._answers.rows(seqs[0], seqs[-1]):
                if seq in those and ids.setdefault((seq, asked), identity) != identity:
                    contradicted.add(seq)
            count += len(contradicted)
        return count


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
