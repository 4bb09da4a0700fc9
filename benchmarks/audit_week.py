"""Feed the auditor a week of cameras without Kafka, and measure its memory and rate.

    python benchmarks/audit_week.py --days 7 --cameras 40 --fps 5

Every frame is published; most are answered, some of those twice; the rest are in gaps, dead-lettered or missing. The
records are what producers and workers write, byte for byte, but for the picture, which is as small as a JPEG can be.
What the auditor says is compared with what was fed to it.
"""

import argparse
import json
import random
import resource
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import msgpack
from arguments import above_zero

from groundcam.audit import Auditor, totals
from groundcam_runtime.records import Consumed, Partition
from groundcam_schemas import DeadLetter, FrameId, GapReason, Topics, detections_id

TOPICS = Topics()
PARTITIONS = 4
RUN_S = 86_400
"""A camera begins a new run once a day."""
JPEG = bytes.fromhex("ffd8ffe000104a46494600010100000100010000ffd9")
DAY_S = 86_400
MIB = 1 << 20


class Camera:
    """Writes records of its own frames, with what the auditor should make of them."""

    def __init__(self, number: int, fps: int, seed: int) -> None:
        self._camera_id = f"cam{number:03}"
        self._partition = number % PARTITIONS
        self._frames_a_run = RUN_S * fps
        self._random = random.Random(f"{seed}/{number}")
        self._skip_until = -1

    def records(self, number: int, offsets: Counter[str], fed: Counter[str]) -> Iterator[Consumed]:
        """Yield what is written about the frame of this number."""
        run, seq = divmod(number, self._frames_a_run)
        frame = FrameId(self._camera_id, f"run-{run:04}", seq)
        offset = offsets[TOPICS.frames]
        yield self._record(TOPICS.frames, offsets, msgpack.packb(_frame(frame)))
        fed["published"] += 1
        if number <= self._skip_until:
            return
        chance = self._random.random()
        if chance < 0.0005:
            # Some frames in a row are not looked at, as many as still belong to the run.
            last = min(seq + self._random.randrange(40), self._frames_a_run - 1)
            self._skip_until = number + last - seq
            fed["in_gaps"] += last - seq + 1
            yield self._record(TOPICS.detections, offsets, msgpack.packb(_gap(frame, last)))
        elif chance < 0.0006:
            letter = DeadLetter(
                topic=TOPICS.frames, partition=self._partition, offset=offset, timestamp_ms=0, error_class="E",
            )  # fmt: skip
            fed["dead_lettered"] += 1
            yield self._record(TOPICS.dead_letters, offsets, JPEG, tuple(letter.headers()))
        elif chance < 0.000601:
            fed["missing"] += 1
        else:
            fed["detected"] += 1
            answer = msgpack.packb(_answer(frame, self._partition, offset))
            yield self._record(TOPICS.detections, offsets, answer)
            if chance > 0.999:
                fed["repeated"] += 1
                yield self._record(TOPICS.detections, offsets, answer)

    def _record(
        self, topic: str, offsets: Counter[str], value: bytes, headers: tuple[tuple[str, bytes], ...] = ()
    ) -> Consumed:
        offset = offsets[topic]
        offsets[topic] += 1
        return Consumed(Partition(topic, self._partition), offset, 0, self._camera_id.encode(), value, headers, 0)


def _frame(frame: FrameId) -> dict[str, object]:
    return {
        "schema": "frame/1.1", "camera_id": frame.camera_id, "run_id": frame.run_id, "seq": frame.seq,
        "captured_at_ns": 1, "pts_ns": None, "width": 1, "height": 1, "source_width": 1, "source_height": 1,
        "data": JPEG,
    }  # fmt: skip


def _gap(frame: FrameId, last: int) -> dict[str, object]:
    return {
        "schema": "gap/1.0", "camera_id": frame.camera_id, "run_id": frame.run_id, "reason": GapReason.STALE.value,
        "first_seq": frame.seq, "last_seq": last,
    }  # fmt: skip


def _answer(frame: FrameId, partition: int, offset: int) -> dict[str, object]:
    stamps = ("captured", "published_to_kafka", "consumed", "batched", "inferred", "published")
    return {
        "schema": "detections/1.0", "id": detections_id(frame, "v", "m", ""), "camera_id": frame.camera_id,
        "frame": {
            "run_id": frame.run_id, "seq": frame.seq, "topic": TOPICS.frames, "partition": partition,
            "offset": offset,
        },
        "captured_at_ns": 1, "source_width": 1, "source_height": 1,
        "question": {"id": "*", "version": "v", "classes": ["person"]}, "model": {"name": "m", "revision": ""},
        "objects": [], "timings_ns": dict.fromkeys(stamps, 1),
    }  # fmt: skip


def private_mib() -> float:
    """Return this process's own memory now, without the pages of files that the system takes and gives as it likes."""
    status = Path("/proc/self/status").read_text()
    return int(status.split("RssAnon:")[1].split()[0]) / 1024


def week(days: float, cameras: int, fps: int, seed: int) -> dict[str, object]:
    """Feed, judge and compare."""
    frames = int(days * DAY_S * fps)
    writers = [Camera(number, fps, seed) for number in range(cameras)]
    offsets: list[Counter[str]] = [Counter() for _ in range(PARTITIONS)]
    fed: Counter[str] = Counter()
    auditor, order = Auditor(TOPICS), random.Random(seed)
    begun_mib, begun_at, records, taking_s = private_mib(), time.process_time(), 0, 0.0
    grown = []
    for number in range(frames):
        order.shuffle(writers)  # cameras that share a partition come in no fixed order
        written = [one for camera in writers for one in camera.records(number, offsets[camera._partition], fed)]
        records += len(written)
        since = time.process_time()
        for record in written:
            auditor.take(record)
        taking_s += time.process_time() - since
        if (number + 1) % max(1, frames // 20) == 0:
            grown.append(round(private_mib() - begun_mib, 1))
            print(f"{fed['published']:,} frames: {grown[-1]} MiB, {time.process_time() - begun_at:.0f} s", flush=True)
    fed_at = time.process_time()
    total = totals(auditor.report())
    names = ("published", "detected", "dead_lettered", "in_gaps", "repeated", "missing")
    wrong = {name: (getattr(total, name), fed[name]) for name in names if getattr(total, name) != fed[name]}
    return {
        "frames": fed["published"], "records": records, "fed": fed, "wrong": wrong,
        "conflicting_ids": total.conflicting_ids, "begun_mib": round(begun_mib, 1), "grown_mib": grown,
        "peak_mib": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / MIB, 1),
        "us_a_record": round(taking_s / records * 1e6, 2),
        "us_a_record_to_write_it": round((fed_at - begun_at - taking_s) / records * 1e6, 2),
        "judging_s": round(time.process_time() - fed_at, 1),
    }  # fmt: skip


def main() -> int:
    """Measure; exit code 1 where the auditor is wrong."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--days", type=above_zero(float), default=7.0)
    parser.add_argument("--cameras", type=above_zero(int), default=40)
    parser.add_argument("--fps", type=above_zero(int), default=5)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    result = week(arguments.days, arguments.cameras, arguments.fps, arguments.seed)
    print(json.dumps(result, indent=1))
    return 1 if result["wrong"] or result["conflicting_ids"] else 0


if __name__ == "__main__":
    sys.exit(main())
