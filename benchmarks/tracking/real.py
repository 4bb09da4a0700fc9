"""Harness r: real pedestrians, as people marked them, with a detector's mistakes made up.

TUD-Stadtmitte (179 frames, 10 people) and TUD-Campus (71 frames, 8 people), 640x480 at 25 frame/s: short films of a
street and of a path seen from the side, where people cross and cover each other. Who is covered is marked all the same,
and is found as often as anybody. Every third frame (8.3 frame/s), fifth (5), eighth (3.1) or twelfth (2.1) is taken, so
that steps stay even. The seeds decide what the detector misses; the people are the same 18 for all seeds, so that
these seeds are no fresh people as those of harness s are.
"""

import zipfile
from collections import defaultdict
from pathlib import Path

import numpy as np

from tracking.films import Detector, Film, Truth, clipped, stride, thinned

NAMES = ("TUD-Stadtmitte", "TUD-Campus")
SIZE = (640, 480)
FPS = 25.0
DETECTOR = Detector(found=0.88, jitter=0.03, score=(0.5, 0.12), false_boxes=0.15)
WHEEL = Path(".venv-tracking/wheels/motmetrics-1.4.0-py3-none-any.whl")


def parsed(text: str) -> list[Truth]:
    """Return the frames of a MOTChallenge file: frame, number, left, top, width, height, ... a line, frames from 1."""
    lines: dict[int, list[list[float]]] = defaultdict(list)
    for line in text.splitlines():
        values = [float(value) for value in line.split(",")[:6]]
        lines[int(values[0])].append(values)
    frames = []
    for frame in range(1, max(lines) + 1):
        rows = np.array(lines[frame]).reshape(-1, 6)
        boxes = clipped(np.hstack([rows[:, 2:4], rows[:, 2:4] + rows[:, 4:]]), SIZE)
        nobody = np.zeros(len(rows), dtype=bool)
        frames.append(Truth((frame - 1) / FPS, rows[:, 1].astype(int), boxes, ("person",) * len(rows), nobody))
    return frames


def tracks(wheel: Path = WHEEL) -> dict[str, list[Truth]]:
    """Return the true tracks out of the wheel of motmetrics 1.4.0."""
    if not wheel.exists():
        raise SystemExit(f"{wheel} is not there: make benchmark-tracking fetches it, --wheel says where it is")
    with zipfile.ZipFile(wheel) as packed:
        return {name: parsed(packed.read(f"motmetrics/data/{name}/gt.txt").decode()) for name in NAMES}


def films(marked: dict[str, list[Truth]], seed: int, rate: float) -> list[Film]:
    """Return both films near to a rate, looked at."""
    step = stride(FPS, rate)
    made = []
    for number, (name, frames) in enumerate(marked.items()):
        taken = thinned(frames, step)
        random = np.random.default_rng([seed, 2 + number, step])
        made.append(Film(f"{name} {seed}", FPS / step, taken, DETECTOR.look(taken, SIZE, random)))
    return made
