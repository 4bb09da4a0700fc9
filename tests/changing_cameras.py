"""Cameras that change at random under a producer that goes on, and what became of the others."""

import random
import time
from collections import defaultdict
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import av
import numpy as np
import yaml

from conftest import Program, Wait
from groundcam_runtime.kafka.reader import Reader
from groundcam_runtime.settings import KafkaSettings
from groundcam_schemas import Frame, decode

RATES = (4, 5, 8, 10)
SIZES = ("160x96", "128x80", "64x48")


def film(path: Path) -> Path:
    """A small one, of moving bars: what it costs to play a dozen of them is little."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=10)
        stream.width, stream.height, stream.pix_fmt = 160, 96, "yuv420p"
        for number in range(100):
            picture = np.roll(np.arange(160, dtype=np.uint8) // 20 * 30, number)
            shown = np.repeat(np.tile(picture, (96, 1))[..., None], 3, 2)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(shown, "rgb24")))
        container.mux(stream.encode())
    return path


class ConfigMap:
    """A folder as Kubernetes mounts it: a new content is another folder, behind a link that is swapped."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._version = folder, 0
        folder.mkdir()
        self.path = folder / "groundcam.yaml"
        self.path.symlink_to("..data/groundcam.yaml")

    def write(self, text: str) -> None:
        self._version += 1
        there = self._folder / f"..{self._version}"
        there.mkdir()
        (there / "groundcam.yaml").write_text(text)
        (self._folder / "..new").symlink_to(there.name)
        (self._folder / "..new").replace(self._folder / "..data")


class Changes:
    """Changes one camera after the other, and remembers of each when it was opened by a change of its own."""

    def __init__(self, config: ConfigMap, clip: Path, seed: int, names: list[str]) -> None:
        self._config, self._clip, self._random = config, clip, random.Random(seed)
        self._names = names
        self.cameras: dict[str, dict[str, Any]] = {name: self._new() for name in names[: len(names) * 2 // 3]}
        self.touched: dict[str, list[float]] = defaultdict(list)
        """When a change removed a camera, brought it, or opened it anew."""
        self.opened: dict[str, int] = dict.fromkeys(self.cameras, 1)
        self.write()

    def _new(self) -> dict[str, Any]:
        return {"url": str(self._clip), "loop": True, "fps": self._random.choice(RATES)}

    def write(self) -> None:
        self._config.write(yaml.safe_dump({"produce": {"cameras": self.cameras}}, sort_keys=False))

    def one(self) -> str:
        """Change one camera, or break the file; return what the producer's log says of it."""
        absent = [name for name in self._names if name not in self.cameras]
        kinds = [
            "retune",
            "reopen",
            "fault",
            *(["add"] if absent else []),
            *(["remove"] if len(self.cameras) > 3 else []),
        ]
        kind = self._random.choice(kinds)
        name = self._random.choice(absent if kind == "add" else list(self.cameras))
        if kind == "fault":
            self._config.write(f"produce:\n  cameras:\n    {name}: {{url: x.mp4, fps: -{self._random.random():.9f}}}\n")
            return f"produce.cameras.{name}.fps: "
        if kind == "retune":
            before = dict(self.cameras[name])
            while self.cameras[name] == before:
                self.cameras[name] |= {"fps": self._random.choice(RATES), "max_size": self._random.choice(SIZES)}
            self.write()
            return f"camera {name}: from now on"
        self.touched[name].append(time.time())
        if kind == "remove":
            del self.cameras[name]
            self.write()
            return f"camera {name}: it is gone"
        self.opened[name] = self.opened.get(name, 0) + 1
        if kind == "add":
            self.cameras[name] = self._new()
            self.write()
            return f"camera {name}: it is new"
        self.cameras[name]["rotate"] = (self.cameras[name].get("rotate", 0) + 90) % 360
        self.write()
        return f"camera {name}: it is opened anew"

    def make(self, times: int, producer: Program, wait: Wait, pace_s: Callable[[], float]) -> None:
        """Make so many changes, each when the one before was taken over and `pace_s` has passed."""
        for _ in range(times):
            begun, seen = time.monotonic(), producer.log
            said = self.one()
            wait(lambda log=seen, line=said: producer.log.count(line) > log.count(line), 60, said)
            if said.startswith("produce."):
                self.write()  # with what was there before: nothing is to be taken over
            ready_at = begun + pace_s()
            wait(lambda at=ready_at: time.monotonic() >= at, 60, "the next change")


def judge(settings: KafkaSettings, changes: Changes, longest_s: float) -> list[str]:
    """Return what is wrong with the frames on Kafka: nothing may have happened to a camera but by its own changes."""
    frames: dict[str, list[Frame]] = defaultdict(list)
    partitions: dict[tuple[str, str], set[int]] = defaultdict(set)
    with Reader(settings, [settings.topics.frames], start="beginning") as reader:
        for record in reader.to_the_end():
            frame = decode(Frame, record.value or b"")
            frames[frame.camera_id].append(frame)
            partitions[frame.camera_id, frame.run_id].add(record.partition.number)
    wrong = [f"{run} is on the partitions {numbers}" for run, numbers in partitions.items() if len(numbers) > 1]
    for name, found in frames.items():
        found.sort(key=lambda frame: frame.captured_at_ns)
        runs = list(dict.fromkeys(frame.run_id for frame in found))
        if len(runs) > changes.opened[name]:
            wrong.append(f"{name} was opened {len(runs)} times, not {changes.opened[name]}")
        for run in runs:
            numbers = [frame.seq for frame in found if frame.run_id == run]
            if numbers != list(range(len(numbers))):
                wrong.append(f"{name} lacks frames of its run {run}")
        for one, other in pairwise(found):
            begin_s, end_s = one.captured_at_ns / 1e9, other.captured_at_ns / 1e9
            own = one.run_id != other.run_id and any(begin_s - 3 < at < end_s for at in changes.touched[name])
            if end_s - begin_s > longest_s and not own:
                wrong.append(f"{name} has no frame for {end_s - begin_s:.2f} s, until {end_s:.2f}")
    return wrong
