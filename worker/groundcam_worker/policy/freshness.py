"""Is a frame stale, that is, too old to be worth an answer? Pure: time comes in as an argument.

A frame's age is its delay on the way to Kafka, how long it lay there, and how long it has waited here. The last is
measured by our own clock. So is the second, for every record that came after we first saw the end of its partition;
for older ones Kafka's append time is used, where there is one. Only the first needs the camera's clock (`clocks.py`).
Where neither is known, a frame is judged by what can be guessed: that its clock is right, or off by as much as before;
the guess that makes it younger counts, and nothing is taken for younger than the time since we first looked.
"""

from collections import OrderedDict
from collections.abc import Mapping
from typing import TypeVar

from groundcam_runtime.records import Consumed, Partition
from groundcam_schemas import FrameId
from groundcam_worker.policy.clocks import NS, TOLERANCE_NS, RunClock, Sight, Smallest

REMEMBERED = 4096
"""So many runs, cameras and partitions are known."""
EXACT_NS = NS
"""How long a record lay on Kafka is known well enough where its bounds are so close."""
WORTH_WRITING_MS = 1000
FORGET = 0.99

K = TypeVar("K")
V = TypeVar("V")


class Freshness:
    """Knows the clocks of cameras and brokers, and how long a frame takes from here to its answer."""

    def __init__(self, max_age_s: float, by_camera: Mapping[str, float] | None = None) -> None:
        """`max_age_s` is the largest age of a frame when it is answered; 0 looks at every frame.

        `by_camera` overrides it for some cameras.
        """
        self._max_age_s = max_age_s
        self._by_camera = dict(by_camera or {})
        self._runs: OrderedDict[tuple[str, str], RunClock] = OrderedDict()
        self._newest_run: OrderedDict[str, str] = OrderedDict()
        self._believed: OrderedDict[str, int] = OrderedDict()
        """Of each camera the difference of the clocks, in an earlier run or before its clock was set."""
        self._brokers: OrderedDict[Partition, Smallest] = OrderedDict()
        self._origin_ns: int | None = None
        self._stepped_ns = 0
        """So far our own clock was set since the first record: what is learned is kept by one that never is."""
        self.lead_s = 0.0
        """About how long a frame that is taken up now will need until it is answered."""

    def took(self, seconds: float) -> None:
        """Note how long a frame needed from here to its answer: the longest counts, and is forgotten slowly."""
        self.lead_s = max(seconds, self.lead_s * FORGET)

    def arrived(self, frame: FrameId, captured_at_ns: int, record: Consumed) -> float | None:
        """Learn from a frame that has come; return its run's smallest delay lately, in s.

        That is the path's, and the difference of the two clocks; None where this frame gives no evidence. Frames of a
        partition come in the order of their offsets.
        """
        came = self._steady(record)
        self._stepped_ns = record.consumed_at_ns - came
        self._watch_broker(record, came)
        run = self._runs.get(frame[:2]) or RunClock()
        _keep(self._runs, frame[:2], run)
        _keep(self._newest_run, frame.camera_id, frame.run_id)
        learned = run.came(frame.seq, self._sight(captured_at_ns, record))
        known = run.known.value
        if not learned or known is None:
            return None
        if run.frames > 1:  # a single stamp may be anything
            _keep(self._believed, frame.camera_id, known)
        return (known + self._stepped_ns) / NS

    def age_s(self, frame: FrameId, captured_at_ns: int, record: Consumed, now_ns: int) -> float:
        """Return a frame's age; `now_ns` is of the clock that `record.consumed_at_ns` is of."""
        sight = self._sight(captured_at_ns, record)
        run = self._runs.get(frame[:2]) or RunClock()
        ours = -self._stepped_ns  # that the camera's clock is as right as ours
        believed = self._believed.get(frame.camera_id)
        age = run.age(frame.seq, sight, (ours,) if believed is None else (ours, believed))
        return (age + max(0, now_ns - self._stepped_ns - sight.came)) / NS

    def is_stale(
        self, frame: FrameId, captured_at_ns: int, record: Consumed, now_ns: int, limit_s: float | None = None
    ) -> bool:
        """Whether a frame that is admitted now would be stale when it is answered.

        A detector that needs longer than half of the largest age gets frames all the same, the newest ones. `limit_s`
        is the frame's own largest age.
        """
        if limit_s is None:
            limit_s = self._by_camera.get(frame.camera_id, self._max_age_s)
            if limit_s <= 0:
                return False
        lead_s = min(self.lead_s, limit_s / 2)
        return self.age_s(frame, captured_at_ns, record, now_ns) > limit_s - lead_s

    def remembered(self, camera_id: str) -> int | None:
        """Return the delay of a camera's newest run in ms, if its clock is so wrong that it is worth writing down."""
        run = self._runs.get((camera_id, self._newest_run.get(camera_id, "")))
        known = run.known.value if run is not None else None
        if known is None:
            return None
        delay_ms = (known + self._stepped_ns) * 1000 // NS
        return delay_ms if abs(delay_ms) >= WORTH_WRITING_MS else None

    def recall(self, camera_id: str, run_id: str, delay_ms: int) -> None:
        """Use a run's delay from a commit note, perhaps another worker's, until its frames give a better one."""
        delay = delay_ms * NS // 1000 - self._stepped_ns
        run = self._runs.get((camera_id, run_id)) or RunClock()
        known = run.known.value
        if known is None or abs(known - delay) > TOLERANCE_NS:
            run.known = Smallest(delay)
        _keep(self._runs, (camera_id, run_id), run)
        if camera_id not in self._newest_run:
            _keep(self._newest_run, camera_id, run_id)
        _keep(self._believed, camera_id, delay)

    def _sight(self, captured_at_ns: int, record: Consumed) -> Sight:
        came = self._steady(record)
        waited = int(record.waited_at_least_s * NS)
        most = None if record.waited_at_most_s is None else int(record.waited_at_most_s * NS)
        is_exact = most is not None and most - waited <= EXACT_NS
        if not is_exact and record.appended_at_ns is not None:
            broker = self._brokers.get(record.partition)
            difference = broker.value if broker is not None else None
            lag = came - record.appended_at_ns - (-self._stepped_ns if difference is None else difference)
            waited = max(waited, lag if most is None else min(lag, most))
        return Sight(captured_at_ns, came, waited, is_exact, record.appended_at_ns)

    def _watch_broker(self, record: Consumed, came: int) -> None:
        """Learn how much later our clock is than the broker's."""
        sight = self._sight(0, record)
        if sight.is_exact and record.appended_at_ns is not None:
            difference = self._brokers.get(record.partition) or Smallest()
            difference.note(came - record.appended_at_ns - sight.waited, came)
            _keep(self._brokers, record.partition, difference)

    def _steady(self, record: Consumed) -> int:
        """Return when a record was taken, by a clock that shows ours at the first record and is never set."""
        if record.monotonic_ns is None:
            return record.consumed_at_ns
        if self._origin_ns is None:
            self._origin_ns = record.consumed_at_ns - record.monotonic_ns
        return record.monotonic_ns + self._origin_ns


def _keep(known: "OrderedDict[K, V]", key: K, value: V) -> None:
    """Remember the newest; what was quiet for longest is forgotten."""
    known[key] = value
    known.move_to_end(key)
    if len(known) > REMEMBERED:
        known.popitem(last=False)
