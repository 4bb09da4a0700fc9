"""What a tracker costs: frames, objects and cameras a second on one core, memory with many cameras, bytes of states.

No Kafka: answers in memory, decoded, tracked and encoded as the process does it (`make benchmark-tracker`).
"""

import argparse
import gc
import itertools
import json
import platform
import resource
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from arguments import above_zero

from groundcam_events.tracking.camera import At
from groundcam_events.tracking.partition import PartitionTracker
from groundcam_events.tracking.rules import LifeRules
from groundcam_events.tracking.state import encode_state
from groundcam_schemas import decode_answer, encode
from tracked import street, zones_of


def resident_mb() -> float:
    """Memory of this process at most so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--cameras", type=above_zero(int), default=500)
    arguments.add_argument("--fps", type=above_zero(float), default=5)
    arguments.add_argument("--seconds", type=above_zero(float), default=30, help="of film of each camera")
    arguments.add_argument("--checkpoint-s", type=above_zero(float), default=5)
    arguments.add_argument("--json", type=Path)
    given = arguments.parse_args()
    films = [street("cam0", given.seconds, given.fps, seed) for seed in range(8)]
    names = [f"cam{number}" for number in range(given.cameras)]
    log = [
        encode(one.model_copy(update={"camera_id": name}))
        for some in itertools.zip_longest(*(films[number % len(films)] for number in range(given.cameras)))
        for name, one in zip(names, some, strict=True)
        if one is not None
    ]
    gc.collect()
    before_mb = resident_mb()
    tracker = PartitionTracker(0, 0, LifeRules(), lambda _name: None, zones_of)
    every = int(given.checkpoint_s * given.fps * given.cameras)
    objects = events = states = state_bytes = 0
    began, spent = time.process_time(), 0.0
    for offset, value in enumerate(log):
        answer = decode_answer(value)
        objects += len(getattr(answer, "objects", ()))
        time_ms = 1_700_000_000_000 + int(offset / given.cameras / given.fps * 1000)
        for event in tracker.take(answer, At(0, offset, time_ms)):
            events += 1
            encode(event)
        if offset % every == every - 1:
            at = time.process_time()
            for name in tracker.changed:
                state_bytes += len(encode_state(tracker.cameras[name].state))
                states += 1
            tracker.changed.clear()
            spent += time.process_time() - at
    took = time.process_time() - began
    found = {
        "command": " ".join(["python", *sys.argv]),
        "machine": f"{platform.machine()}, {platform.python_implementation()} {platform.python_version()}",
        "cameras": given.cameras,
        "fps": given.fps,
        "answers": len(log),
        "answers_per_s": round(len(log) / took),
        "objects_per_s": round(objects / took),
        "objects_per_answer": round(objects / len(log), 1),
        "cameras_per_core": round(len(log) / took / given.fps),
        "events": events,
        "part_for_states": round(spent / took, 3),
        "state_bytes_each": round(state_bytes / max(1, states)),
        "memory_mb": round(resident_mb() - before_mb, 1),
        "memory_kb_per_camera": round((resident_mb() - before_mb) * 1024 / given.cameras, 1),
    }
    print(json.dumps(found, indent=2))
    if given.json:
        given.json.write_text(json.dumps(found, indent=2) + "\n")


if __name__ == "__main__":
    main()
