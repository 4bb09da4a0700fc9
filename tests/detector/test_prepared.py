"""What is prepared before frames wait for it: warmed shapes, recorded and compiled runs, and what happens without."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from groundcam_schemas import Question
from groundcam_worker.checkpoints.catalogue import resolve
from groundcam_worker.detectors.grounding_dino.graph_cache import (
    KEPT,
    GraphCache,
    batch_sizes,
    called_again,
    tokens_for,
)
from groundcam_worker.detectors.grounding_dino.network import Shape, Text
from groundcam_worker.detectors.grounding_dino.optimisations import Optimisations
from groundcam_worker.detectors.guarded import GuardedDetector
from groundcam_worker.detectors.opening import open_detector
from groundcam_worker.detectors.protocol import DetectorHooks
from groundcam_worker.errors import DetectorLostError, ModelError
from parity import match, picture, rows


@pytest.mark.skipif(shutil.which("g++") is None, reason="torch.compile needs a C++ compiler, and there is none")
def test_a_compiled_network_gives_the_same(detector: GuardedDetector, folder: Path) -> None:
    compiled = open_detector(resolve(str(folder)), "cpu", Optimisations(compile=True))
    ask = Question.of("person", "open door")
    compiled.warm_up([ask], [(320, 240)], 1)
    inner: Any = compiled._detector
    assert len(inner._prepared._runs) == 1
    image = picture(1)
    (mine,), (plain,) = compiled.detect([image], [ask]), detector.detect([image], [ask])
    assert match(rows(mine), rows(plain)).outside() == 0


def test_a_prepared_run_answers_smaller_batches_too(breakable: GuardedDetector, detector: GuardedDetector) -> None:
    """What the other rows hold does not matter, whatever batch ran before."""
    inner: Any = breakable._detector
    inner._prepared, inner._compiled = GraphCache(called_again), inner._network  # as if it were compiled
    asks = [Question.of("dog"), Question.of("person", "open door", "taxi")]
    breakable.warm_up(asks, [(320, 240)], 4)
    ran: list[int] = []
    forward = inner._network.forward
    inner._network.forward = lambda pixels, *rest: (ran.append(len(pixels)), forward(pixels, *rest))[1]
    for count in (4, 3, 1, 2):
        images = [picture(seed + 10 * count) for seed in range(count)]
        questions = [asks[seed % 2] for seed in range(count)]
        for one, other in zip(breakable.detect(images, questions), detector.detect(images, questions), strict=True):
            assert match(rows(one), rows(other)).outside() == 0
    assert ran == [4, 4, 1, 2]


def test_where_recording_fails_it_goes_on_without(breakable: GuardedDetector, detector: GuardedDetector) -> None:
    """A network that cannot be recorded, or gives something else, is run as it is; a lost device is none of that."""

    class Failing:
        def __init__(self, text: str) -> None:
            self.text, self.tries = text, 0

        def __call__(self, *_given: Any) -> Any:
            self.tries += 1
            raise RuntimeError(self.text)

    inner: Any = breakable._detector
    images, asks = [picture(1)], [Question.of("dog")]
    inner._records = True
    for text in ("a recorded run does not give", "CUDA error: operation not permitted when stream is capturing"):
        failing = Failing(text)
        inner._prepared = GraphCache(failing)
        inner._plain.clear()
        inner._once.clear()
        for _ in range(4):
            (found,) = breakable.detect(images, asks)
            assert match(rows(found), rows(detector.detect(images, asks)[0])).outside() == 0
        assert failing.tries == 1, "at its second sight, and not again"
    inner._prepared = GraphCache(Failing("CUDA error: an illegal memory access"))
    inner._plain.clear()
    with pytest.raises(DetectorLostError):
        breakable.detect(images, asks)


def test_a_shape_that_comes_up_again_is_recorded_once_for_all_batches_up_to_a_size(
    breakable: GuardedDetector,
) -> None:
    inner: Any = breakable._detector
    inner._records, inner._prepared = True, GraphCache(called_again)
    for count in (3, 3, 4, 2, 1, 3):
        breakable.detect([picture(seed) for seed in range(count)], [Question.of("dog")] * count)
    assert [batch for _, batch in inner._prepared._runs] == [4]


def test_a_model_without_numbers_is_never_ready(breakable: GuardedDetector) -> None:
    inner: Any = breakable._detector
    inner._network.norm.weight.data.fill_(float("nan"))
    with pytest.raises(ModelError, match="NaN"):
        breakable.warm_up([Question.of("dog")], [(320, 240)], 1)


def test_a_shape_is_not_called_warm_where_nothing_was_asked_yet(folder: Path) -> None:
    """A worker may start without a question: what comes with the first one is counted."""
    new: list[tuple[int, int]] = []
    detector = open_detector(
        resolve(str(folder)), "cpu", hooks=DetectorHooks(new_shape=lambda *shape: new.append(shape))
    )
    detector.warm_up([], [(320, 240)], 8)
    detector.detect([picture(1)], [Question.of("dog")])
    assert new == [(170, 128)]


def test_a_question_of_several_captions_warms_its_shapes_too(folder: Path) -> None:
    new: list[tuple[int, int]] = []
    detector = open_detector(
        resolve(str(folder)), "cpu", hooks=DetectorHooks(new_shape=lambda *shape: new.append(shape))
    )
    long = Question.of(*(f"{one}{other}" for one in "abcdef" for other in "abcdef"))
    detector.warm_up([long], [(320, 240)], 8)
    detector.detect([picture(1)], [long])
    assert new == []


def test_on_a_cpu_each_shape_is_warmed_once_whatever_is_asked(breakable: GuardedDetector) -> None:
    inner: Any = breakable._detector
    ran: list[int] = []
    forward = inner._network.forward
    inner._network.forward = lambda pixels, *rest: (ran.append(len(pixels)), forward(pixels, *rest))[1]
    breakable.warm_up(
        [Question.of("dog"), Question.of("a red taxi"), Question.of("person", "cat")], [(320, 240), (640, 360)], 8
    )
    assert ran == [1, 1]


def test_batch_sizes_and_text_lengths_to_prepare_are_few() -> None:
    assert batch_sizes(1) == (1,)
    assert batch_sizes(8) == (1, 2, 4, 8)
    assert batch_sizes(12) == (1, 2, 4, 8, 12)
    assert [tokens_for(needed) for needed in (5, 16, 17, 256)] == [16, 16, 32, 256]


def test_every_shape_is_warmed_up_and_another_is_counted(folder: Path) -> None:
    new: list[tuple[int, int]] = []
    detector = open_detector(
        resolve(str(folder)), "cpu", hooks=DetectorHooks(new_shape=lambda width, height: new.append((width, height)))
    )
    detector.warm_up([Question.of("dog"), Question.of("person", "taxi")], [(320, 240), (640, 480), (1280, 720)], 8)
    for size in ((320, 240), (1280, 720), (1920, 1080)):
        detector.detect([picture(1, *size)], [Question.of("dog")])
    assert new == []
    for _ in range(2):
        detector.detect([picture(1, 240, 320)], [Question.of("dog")])
    assert new == [(128, 170)]


def test_a_compiled_or_recorded_run_is_forgotten_when_newer_ones_come() -> None:
    def forward(pixels: torch.Tensor, _text: Text, _shape: Shape) -> tuple[torch.Tensor, torch.Tensor]:
        return pixels.flatten(1), pixels.flatten(1)

    runs, shape = GraphCache(called_again), Shape(*(torch.zeros(1) for _ in range(5)))  # type: ignore[arg-type]
    text = Text(*(torch.zeros(1, 4, 1) for _ in range(4)))
    for width in range(1, KEPT + 2):
        runs.add(forward, torch.zeros(1, 3, 1, width), text, shape)
    assert len(runs) == KEPT
    assert runs.answer(torch.zeros(1, 3, 1, 1), text) is None
    kept = runs.answer(torch.ones(1, 3, 1, KEPT + 1), text)
    assert kept is not None
    assert np.array_equal(kept[0].numpy(), np.ones((1, 3 * (KEPT + 1))))


def test_runs_of_one_shape_share_the_place_of_their_pictures(breakable: GuardedDetector) -> None:
    inner: Any = breakable._detector
    inner._prepared, inner._compiled = GraphCache(called_again), inner._network
    longer = Question.of("person", "open door", "taxi", "cat", "car", "van", "a red shape")
    breakable.warm_up([Question.of("dog"), longer], [(320, 240)], 8)
    runs = inner._prepared._runs.values()
    assert len(runs) == 8
    assert len({run.pixels.data_ptr() for run in runs}) == 1


def test_constants_of_a_shape_live_as_long_as_what_was_recorded_with_them(breakable: GuardedDetector) -> None:
    """A recording reads them where they lie, whatever else the network remembers or forgets."""
    inner: Any = breakable._detector
    inner._prepared, inner._compiled = GraphCache(called_again), inner._network
    breakable.warm_up([Question.of("dog")], [(320, 240)], 1)
    (run,) = inner._prepared._runs.values()
    image = picture(1)
    (before,) = breakable.detect([image], [Question.of("dog")])
    inner._network._shapes.clear()
    (after,) = breakable.detect([image], [Question.of("dog")])
    assert rows(before) == rows(after)
    assert run.shape.points.shape[-1] == 2
