"""Picture and boxes on the page are of one frame, always: bars in the picture and the place of its box say which."""

import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from PIL import Image

from barcodes import HEIGHT, WIDTH, number_at, read_bars, shoot
from browser import Open, Stack, Tab
from conftest import until

pytestmark = pytest.mark.broker

CAMERAS = 4
MANY = (1000, 30)
"""Reads and screenshots."""
FEW = (200, 8)
ORANGE = np.array([0xE6, 0x9F, 0x00])
EDGE = 9
"""Pixels around a tile that are hatched in much the same colour where nobody looked."""
NUMBERS = """
([WIDTH, HEIGHT, BITS, BAR, TOP]) => [...document.querySelectorAll(".tile .stage")].map(stage => {
  const canvas = stage.querySelector("canvas"), {width, height} = canvas;
  if (!canvas.dataset.seq) return null;
  const scale = Math.min(width / WIDTH, height / HEIGHT);
  const left = (width - WIDTH * scale) / 2, top = (height - HEIGHT * scale) / 2;
  const all = canvas.getContext("2d").getImageData(0, 0, width, height).data;
  const row = all.subarray(4 * width * Math.round(top + TOP / 2 * scale));
  let bars = 0;
  for (let bit = 0; bit < BITS; bit++) bars = bars * 2 + (row[4 * Math.round(left + (20 + (bit + .5) * BAR) * scale)] > 127);
  for (let y = height - 1; y >= 0; y--) for (let x = 0; x < width; x++) {
    const at = 4 * (y * width + x);
    if (all[at] === 0xe6 && all[at + 1] === 0x9f && all[at + 2] === 0) {
      return {bars, seq: `${canvas.dataset.run}/${canvas.dataset.seq}`, x: (x + 1 - left) / scale / WIDTH, y: (y - top) / scale / HEIGHT};
    }
  }
  return {bars, seq: canvas.dataset.seq, x: null};
})
"""


@pytest.fixture(scope="module")
def cameras(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Four cameras that play numbers, and a worker that reads them."""
    film = shoot(tmp_path_factory.mktemp("film") / "numbers.mp4", 1024)
    stack.start(stack.kafka, "work", "--model", "fake:2ms", "--question", "number", module="barcode_worker")
    names = [word for number in range(CAMERAS) for word in ("--camera", f"cam-{number}={film}")]
    stack.start(stack.kafka, "produce", *names, "--loop", "--fps", "5")
    until(lambda: stack.answered() == CAMERAS, 180, "answers")
    return stack


def slowed(tab: Tab, condition: str) -> None:
    session = tab.page.context.new_cdp_session(tab.page)
    if condition == "slow network":
        session.send("Network.enable")
        session.send(
            "Network.emulateNetworkConditions",
            {"offline": False, "latency": 150, "downloadThroughput": 120_000, "uploadThroughput": 60_000},
        )
    if condition == "slow processor":
        session.send("Emulation.setCPUThrottlingRate", {"rate": 6})


@pytest.mark.parametrize("condition", ["as it is", "slow network", "slow processor"])
@pytest.mark.parametrize(("reads", "screenshots"), [FEW, pytest.param(*MANY, marks=pytest.mark.long)])
def test_every_read_and_every_screenshot_agrees(
    cameras: Stack, tab: Open, condition: str, reads: int, screenshots: int
) -> None:
    with tab(cameras.address, (1100, 800), ("willReadFrequently",)) as shown:  # reading is the test's
        shown.page.add_init_script("localStorage.setItem('paths', 'off')")  # numbers have no way
        shown.go("#/")
        shown.page.wait_for_function(
            "count => [...document.querySelectorAll('.tile canvas.picture')].filter(one => one.dataset.seq).length === count",
            arg=CAMERAS,
        )
        slowed(shown, condition)
        agreed, frames, shots, ends_at = 0, set[str](), 0, time.monotonic() + 300
        while agreed < reads or shots < screenshots or len(frames) <= 20:
            assert time.monotonic() < ends_at, f"{agreed} reads of {len(frames)} frames, {shots} screenshots"
            for one in shown.read(NUMBERS, [WIDTH, HEIGHT, 10, 60, 80]):
                if one is None or one["x"] is None:
                    continue  # not looked at yet, and it says so
                assert number_of(one["x"], one["y"]) == one["bars"], one
                agreed += 1
                frames.add(one["seq"])
            if shots < screenshots:
                seen = numbers_in(shown)
                for bars, box in seen:
                    assert bars == box
                shots += bool(seen)
            shown.page.wait_for_timeout(20)
        print(f"{condition}: {agreed} reads of {len(frames)} frames, {shots} screenshots")


def number_of(x: float, y: float) -> int:
    """The number of a box whose lower left corner lies there."""
    return number_at(x, y - 8 / HEIGHT)


def numbers_in(tab: Tab) -> list[tuple[int, int]]:
    """What bars and boxes of a screenshot say, of each tile with a box."""
    path = tab.shoot("in-step")
    picture, found = np.asarray(Image.open(path).convert("RGB")), []
    for box in tab.read(
        "() => [...document.querySelectorAll('.tile .stage')].map(one => one.getBoundingClientRect().toJSON())"
    ):
        tile = cut(picture, box)
        close = np.abs(tile.astype(int) - ORANGE).sum(axis=2) < 30
        close[:EDGE], close[-EDGE:], close[:, :EDGE], close[:, -EDGE:] = False, False, False, False
        rows = np.flatnonzero(close.any(axis=1))
        if rows.size:
            y = int(rows[-1])
            x = int(np.flatnonzero(close[y])[0])
            height, width = tile.shape[:2]
            found.append((read_bars(tile), number_of((x + 1) / width, y / height)))
    return found


def cut(picture: Any, box: dict[str, float]) -> Any:
    left, top = round(box["x"]), round(box["y"])
    return picture[top : top + round(box["height"]), left : left + round(box["width"])]
