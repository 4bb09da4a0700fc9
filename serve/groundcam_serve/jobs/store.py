"""Videos that are answered frame by frame: what became of each so far. Pure: time comes in as an argument."""

from dataclasses import dataclass, field
from enum import StrEnum

from groundcam_schemas import Detections, Gap, encode_json
from groundcam_schemas.identity import JOB

MAX_GAP = 10_000_000
"""Numbers of one gap; a film of a hundred hours has fewer frames."""


class JobState(StrEnum):
    """What a job is doing."""

    WAITING = "waiting"
    """For its turn, and for the workers' verdict on its question."""
    DECODING = "decoding"
    ANSWERING = "answering"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def is_through(self) -> bool:
        """Whether nothing more comes."""
        return self in {JobState.DONE, JobState.FAILED, JobState.CANCELLED}


@dataclass(slots=True, eq=False)
class Job:
    """One video."""

    id: str
    owner: str
    """The name of the key that began it: nobody else sees it."""
    since_s: float
    state: JobState = JobState.WAITING
    reason: str = ""
    frames: int | None = None
    """How many there are, once all are on Kafka."""
    lines: list[str] = field(default_factory=list)
    """Detections and gaps as JSON, in the order in which they came."""
    seen: set[int] = field(default_factory=set)
    """Numbers of frames that were answered or told as a gap."""

    @property
    def camera_id(self) -> str:
        """What its frames are called on Kafka."""
        return f"{JOB}{self.id}"

    @property
    def is_answered(self) -> bool:
        """Whether something was said of every frame."""
        return self.frames is not None and len(self.seen) >= self.frames

    @property
    def progress(self) -> float | None:
        """From 0 to 1, once it is known of how many."""
        return min(1.0, len(self.seen) / self.frames) if self.frames else None


class JobStore:
    """The jobs that are known: bounded in number, in bytes of results, and in time once they are through."""

    def __init__(self, most: int, most_bytes: int, keep_s: float) -> None:
        self._most, self._most_bytes, self._keep_s = most, most_bytes, keep_s
        self._known: dict[str, Job] = {}
        self._through_s: dict[str, float] = {}
        self._bytes = 0

    def add(self, job: Job, now_s: float) -> bool:
        """Take a job in; the one that is through for longest makes room. False where all are at work."""
        self.expire(now_s)
        if len(self._known) >= self._most and not self._forget_oldest():
            return False
        self._known[job.id] = job
        return True

    def find(self, job_id: str, owner: str, now_s: float) -> Job | None:
        """Return the one of this owner."""
        self.expire(now_s)
        job = self._known.get(job_id)
        return job if job is not None and job.owner == owner else None

    def of(self, owner: str, now_s: float) -> list[Job]:
        """Return every one of this owner."""
        self.expire(now_s)
        return [job for job in self._known.values() if job.owner == owner]

    def take(self, answer: Detections | Gap, now_s: float) -> Job | None:
        """Note what was said of a job's frames; return the job if it is one's. One whose results have no room fails."""
        job = self._known.get(answer.camera_id.removeprefix(JOB)) if answer.camera_id.startswith(JOB) else None
        if job is None or job.state.is_through:
            return None
        numbers = _numbers(answer)
        if job.seen.issuperset(numbers):
            return job  # redelivered
        line = encode_json(answer).decode()
        while self._bytes + len(line) > self._most_bytes and self._forget_oldest():
            pass
        if self._bytes + len(line) > self._most_bytes:
            self.end(job, JobState.FAILED, now_s, f"the results of jobs take {self._bytes} bytes already")
            return job
        job.lines.append(line)
        job.seen.update(numbers)
        self._bytes += len(line)
        return job

    def end(self, job: Job, state: JobState, now_s: float, reason: str = "") -> None:
        """It is through; only the first end counts."""
        if not job.state.is_through:
            job.state, job.reason = state, reason
            self._through_s[job.id] = now_s

    def forget(self, job: Job) -> None:
        """Nobody asks for it any more."""
        if self._known.pop(job.id, None) is not None:
            self._bytes -= sum(map(len, job.lines))
            self._through_s.pop(job.id, None)

    def expire(self, now_s: float) -> None:
        """Forget those that have been through for so long."""
        for job_id, through_s in list(self._through_s.items()):
            if now_s - through_s > self._keep_s:
                self.forget(self._known[job_id])

    def _forget_oldest(self) -> bool:
        oldest = min(self._through_s, key=self._through_s.__getitem__, default=None)
        if oldest is not None:
            self.forget(self._known[oldest])
        return oldest is not None


def _numbers(answer: Detections | Gap) -> range:
    if isinstance(answer, Detections):
        return range(answer.frame.seq, answer.frame.seq + 1)
    if answer.first_seq is None or answer.last_seq is None:
        return range(0)
    return range(answer.first_seq, min(answer.last_seq + 1, answer.first_seq + MAX_GAP))
