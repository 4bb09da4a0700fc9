"""The benchmark of trackers: its films are what they are said to be, and its figures those of perfect and of bad tracks."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

ROOT = Path(__file__).parents[2]
sys.path.append(str(ROOT / "benchmarks"))

from tracking import films, real, traffic, ways  # noqa: E402

PYTHON = ROOT / ".venv-tracking" / "bin" / "python"
needs_trackeval = pytest.mark.skipif(
    not PYTHON.exists(), reason="trackeval is not installed: make benchmark-tracking fetches it into .venv-tracking"
)
MARKED = "1,1,10,20,30,40,1,-1,-1,-1\n1,2,-10,0,30,40,1,-1,-1,-1\n3,1,12,20,30,40,1,-1,-1,-1\n"
ONE = films.Look(0.5, np.array([[1.0, 2.0, 3.0, 4.0]]), np.array([0.4]), ("person",))


def same(one: Any, other: Any) -> bool:
    return all(np.array_equal(getattr(one, name), getattr(other, name)) for name in type(one).__dataclass_fields__)


def test_a_seed_gives_the_same_traffic_and_the_same_looks_and_another_seed_others() -> None:
    first, again, other = (traffic.film(seed, 5, 10) for seed in (3, 3, 4))
    assert all(map(same, (*first.truth, *first.looks), (*again.truth, *again.looks)))
    assert not all(map(same, first.looks, other.looks))


def test_traffic_stays_within_the_picture_and_everybody_keeps_number_and_label() -> None:
    film, labels = traffic.film(1, 4, 30), dict[int, str]()
    limits = np.array([*traffic.SIZE, *traffic.SIZE])
    for frame in (*film.truth, *film.looks):
        assert (frame.boxes >= 0).all()
        assert (frame.boxes <= limits).all()
        assert (frame.boxes[:, :2] < frame.boxes[:, 2:]).all()
    for frame in film.truth:
        assert len(set(frame.numbers)) == len(frame.numbers)
        for number, label in zip(frame.numbers, frame.labels, strict=True):
            assert labels.setdefault(int(number), label) == label
    assert set(labels.values()) == {"person", "bicycle", "car"}


def test_at_another_rate_it_is_the_same_traffic() -> None:
    slow, fast = (list(traffic.truth(2, rate, 20)) for rate in (2, 10))
    assert all(map(same, slow, fast[::5]))


def test_some_objects_stop_and_some_are_hidden() -> None:
    frames = list(traffic.truth(0, 5, 60))
    assert 0.01 < np.mean(np.concatenate([frame.hidden for frame in frames])) < 0.2
    assert any(
        (np.diff(one.times)[(np.diff(one.points, axis=0) == 0).all(axis=1)] > 2).any() for one in traffic.movers(0, 60)
    )


def test_thinning_keeps_the_times_and_the_steps_are_even() -> None:
    frames = [films.Truth(number / 25, *[None] * 4) for number in range(100)]  # type: ignore[arg-type]
    assert [films.stride(25, rate) for rate in (25, 8, 5, 3, 2, 60)] == [1, 3, 5, 8, 12, 1]
    taken = films.thinned(frames, 12)
    assert [frame.at_s for frame in taken] == pytest.approx(np.arange(0, 4, 0.48))


def test_marked_frames_are_read_with_their_gaps_and_clipped() -> None:
    frames = real.parsed(MARKED)
    assert [frame.at_s for frame in frames] == pytest.approx([0.0, 0.04, 0.08])
    assert [frame.numbers.tolist() for frame in frames] == [[1, 2], [], [1]]
    assert frames[0].boxes.tolist() == [[10, 20, 40, 60], [0, 0, 20, 40]]
    (film,) = real.films({"a": frames}, 7, 25)
    assert [look.at_s for look in film.looks] == [frame.at_s for frame in frames]


def test_a_detector_misses_shakes_and_invents_as_often_as_it_is_told() -> None:
    truth = films.Truth(
        0.0, np.arange(2), np.array([[100.0, 100, 200, 300], [400, 100, 500, 300]]), ("a", "b"), np.array([False, True])
    )
    detector = films.Detector(found=0.8, jitter=0.05, score=(0.5, 0.1), false_boxes=0.0)
    looks = detector.look([truth] * 3000, (640, 480), np.random.default_rng(1))
    assert {label for look in looks for label in look.labels} == {"a"}
    boxes = np.concatenate([look.boxes for look in looks])
    assert len(boxes) / 3000 == pytest.approx(0.8, abs=0.03)
    assert np.std((boxes[:, 0] + boxes[:, 2]) / 200) == pytest.approx(0.05, abs=0.01)
    scores = np.concatenate([look.scores for look in looks])
    assert (np.mean(scores), np.std(scores)) == pytest.approx((0.5, 0.1), abs=0.01)
    blind = films.Detector(found=0.0, jitter=0.0, score=(0.5, 0.1), false_boxes=0.25)
    invented = blind.look([truth] * 3000, (640, 480), np.random.default_rng(1))
    assert np.mean([len(look.boxes) for look in invented]) == pytest.approx(0.25, abs=0.03)


def test_overlaps_of_boxes() -> None:
    some, others = np.array([[0.0, 0, 10, 10]]), np.array([[0.0, 0, 10, 10], [5, 0, 15, 10], [20, 20, 30, 30]])
    assert films.iou(some, others)[0].tolist() == pytest.approx([1, 1 / 3, 0])
    assert films.iou(np.zeros((0, 4)), others).shape == (0, 3)


def test_our_tracker_is_asked_as_its_interface_says(monkeypatch: pytest.MonkeyPatch) -> None:
    @dataclass(frozen=True, slots=True)
    class Detected:
        box: tuple[float, float, float, float]
        score: float
        label: str

    asked = []

    class Tracker:
        def step(self, at_s: float, found: list[Detected]) -> list[int]:
            asked.append((at_s, found))
            return [4 for _ in found]

    monkeypatch.setitem(
        sys.modules, "groundcam_events.tracking.tracker", SimpleNamespace(Detected=Detected, Tracker=Tracker)
    )  # type: ignore[arg-type]
    assert ways.maker("groundcam")(5.0)(ONE).tolist() == [4]
    assert asked == [(0.5, [Detected((1.0, 2.0, 3.0, 4.0), 0.4, "person")])]


def test_a_tracker_that_is_not_there_is_told_with_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("groundcam_events.tracking.tracker", "trackers"):
        monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ways.MissingError, match=r"events/groundcam_events/tracking/tracker\.py is not there"):
        ways.maker("groundcam")
    with pytest.raises(ways.MissingError, match="trackers is not installed: make benchmark-tracking"):
        ways.maker("sort")


def run(*arguments: str) -> str:
    variables = os.environ | {"PYTHONPATH": f"{ROOT / 'benchmarks'}:{ROOT / 'events'}"}
    done = subprocess.run([PYTHON, *arguments], capture_output=True, text=True, check=False, env=variables)
    assert done.returncode == 0, done.stderr
    return done.stdout


JUDGED = """
import json
from tracking import films, traffic
from tracking.figures import Tracked, figures

truth = list(traffic.truth(0, 2, 40))
looks = [films.Look(one.at_s, one.boxes, one.boxes[:, 0], one.labels) for one in truth]
film = films.Film("a", 2.0, truth, looks)
perfect = [one.numbers for one in truth]
late = [one.numbers + 1000 * (one.at_s >= 20) for one in truth]
silent = [0 * one.numbers - 1 for one in truth]
print(json.dumps([figures([Tracked(film, answers, 0.0)]) for answers in (perfect, late, silent)]))
"""


@needs_trackeval
def test_perfect_tracks_have_full_marks_and_tracks_that_break_or_are_silent_have_not() -> None:
    perfect, late, silent = json.loads(run("-c", JUDGED))
    assert (perfect["idf1"], perfect["hota"], perfect["mota"], perfect["switches"]) == (100, 100, 100, 0)
    assert perfect["tracks"] == perfect["objects"] > 20
    assert late["switches"] == late["tracks"] - late["objects"] > 0
    assert late["idf1"] < 95
    assert (silent["idf1"], silent["tracks"], silent["objects"]) == (0, 0, perfect["objects"])


@needs_trackeval
def test_the_benchmark_writes_what_it_measured_and_with_what(tmp_path: Path) -> None:
    out = tmp_path / "tracking.json"
    table = run("-m", "tracking", "--harness", "s", "--rates", "2,5", "--seeds", "0", "--seconds", "20",
                "--trackers", "sort,bytetrack,ocsort", "--json", str(out))  # fmt: skip
    told = json.loads(out.read_text())
    assert [(row["rate"], row["tracker"]) for row in told["rows"]] == [
        (rate, name) for rate in (2, 5) for name in ways.SETTINGS
    ]
    assert all(0 < row["hota"] < 100 and row["ms_a_frame"] > 0 for row in told["rows"])
    assert told["versions"]["trackers"]
    assert table.count("| sort |") == 2
