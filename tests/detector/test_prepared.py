"""What is prepared before frames wait for it: warmed shapes, recorded and compiled runs, and what happens without."""

from pathlib import Path
from typing import Any

import pytest
import torch

from groundcam_worker.checkpoints.catalogue import resolve
from groundcam_worker.detectors.grounding_dino.recordings import (
    KEPT,
    Key,
    Recordings,
    Size,
    batch_sizes,
    called_again,
    tokens_for,
)
from groundcam_worker.detectors.guarded import GuardedDetector
from groundcam_worker.detectors.opening import open_detector
from groundcam_worker.detectors.protocol import DetectorHooks
from groundcam_worker.errors import DetectorLostError, ModelError
from parity import asking, match, picture, rows


def as_if_recorded(detector: GuardedDetector, prepare: Any = called_again) -> Any:
    """What is recorded on CUDA is prepared here by `prepare`."""
    inner: Any = detector._detector
    inner._is_prepared, inner._recordings = True, Recordings(prepare, live=True)
    return inner


def count_rows(inner: Any) -> list[int]:
    """How many pictures each run of the backbone saw, from now on."""
    ran: list[int] = []
    see = inner._see

    def counting(pixels: torch.Tensor, **constants: Any) -> torch.Tensor:
        ran.append(len(pixels))
        seen: torch.Tensor = see(pixels, **constants)
        return seen

    inner._see = counting
    return ran


def test_a_prepared_run_answers_smaller_batches_too(breakable: GuardedDetector, detector: GuardedDetector) -> None:
    """What the other rows hold does not matter, whatever batch ran before."""
    inner = as_if_recorded(breakable)
    ran = count_rows(inner)
    asks = [asking("dog"), asking("person", "open door", "taxi")]
    breakable.warm_up(asks, [(320, 240)], 4)
    ran.clear()
    for count in (4, 3, 1, 2):
        images = [picture(seed + 10 * count) for seed in range(count)]
        questions = [asks[seed % 2] for seed in range(count)]
        for one, other in zip(breakable.detect(images, questions), detector.detect(images, questions), strict=True):
            assert match(rows(one), rows(other)).outside() == 0
    assert ran == [4, 4, 1, 2]


def test_a_question_of_several_captions_runs_prepared_and_costs_its_neighbours_nothing(
    breakable: GuardedDetector, detector: GuardedDetector
) -> None:
    """Its second caption is asked of its own picture alone, by what was prepared for so many tokens."""
    inner = as_if_recorded(breakable)
    long = asking(*(f"{one}{other}" for one in "abcdef" for other in "abcdef"))
    assert breakable.cost(long) > 1
    asks = [asking("dog"), long, asking("person", "open door"), long]
    breakable.warm_up(asks, [(320, 240)], 4)
    prepared = len(inner._recordings)
    plain: list[int] = []
    find = inner._answer
    inner._answer = lambda *given, shape: (plain.extend(given[:1]), find(*given, shape=shape))[1]
    images = [picture(seed) for seed in range(4)]
    for one, other in zip(breakable.detect(images, asks), detector.detect(images, asks), strict=True):
        assert match(rows(one), rows(other)).outside() == 0
    assert (plain, len(inner._recordings)) == ([], prepared)


class Failing:
    """Prepares nothing."""

    def __init__(self, error: RuntimeError) -> None:
        self.error, self.tries = error, 0

    def __call__(self, *_given: Any) -> Any:
        self.tries += 1
        raise self.error


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("a recorded run does not give what the network gives"),
        RuntimeError("CUDA error: operation not permitted when stream is capturing"),
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB."),
    ],
)
def test_where_recording_fails_it_goes_on_without(
    breakable: GuardedDetector, detector: GuardedDetector, error: RuntimeError
) -> None:
    """A network that cannot be recorded, gives something else, or finds too little memory for it, is run as it is."""
    failing = Failing(error)
    as_if_recorded(breakable, failing)
    images, asks = [picture(1)], [asking("dog")]
    breakable.warm_up(asks, [(320, 240)], 1)
    for _ in range(4):
        (found,) = breakable.detect(images, asks)
        assert match(rows(found), rows(detector.detect(images, asks)[0])).outside() == 0
    assert failing.tries == 2, "once for each part, and not again"
    assert breakable.ceiling(320, 240).limit is None, "it says nothing of how many pictures fit"


def test_a_device_that_is_lost_while_something_is_recorded_is_lost(breakable: GuardedDetector) -> None:
    as_if_recorded(breakable, Failing(RuntimeError("CUDA error: an illegal memory access was encountered")))
    images, asks = [picture(1)], [asking("dog")]
    breakable.detect(images, asks)
    with pytest.raises(DetectorLostError):
        breakable.detect(images, asks)


def test_a_shape_that_comes_up_again_is_recorded_once_for_all_batches_up_to_a_size(
    breakable: GuardedDetector,
) -> None:
    inner = as_if_recorded(breakable)
    for count in (3, 3, 4, 2, 1, 3):
        breakable.detect([picture(seed) for seed in range(count)], [asking("dog")] * count)
    assert [(key.size.part, key.batch) for key in inner._recordings.keys] == [("see", 4), ("answer", 4)]


def test_the_largest_run_of_all_is_recorded_first(breakable: GuardedDetector) -> None:
    """What is smaller shares its memory, which therefore does not grow to the sum."""
    inner = as_if_recorded(breakable)
    long = asking("person", "open door", "taxi", "cat", "car", "van", "a red shape")
    breakable.warm_up([asking("dog"), long], [(320, 240), (640, 240), (100, 300)], 4)
    keys = inner._recordings.keys
    pixels = [key.size.height * key.size.width for key in keys]
    assert pixels == sorted(pixels, reverse=True)
    for area in set(pixels):
        batches = [key.batch for key in keys if key.size.height * key.size.width == area]
        assert batches == sorted(batches, reverse=True)
    assert [key.size.tokens for key in keys[:3]] == [0, 32, 16]


def test_a_model_without_numbers_is_never_ready(breakable: GuardedDetector) -> None:
    inner: Any = breakable._detector
    inner._network.norm.weight.data.fill_(float("nan"))
    with pytest.raises(ModelError, match="NaN"):
        breakable.warm_up([asking("dog")], [(320, 240)], 1)


def test_a_shape_is_not_called_warm_where_nothing_was_asked_yet(folder: Path) -> None:
    """A worker may start without a question: what comes with the first one is counted."""
    new: list[tuple[int, int]] = []
    detector = open_detector(
        resolve(str(folder)), "cpu", hooks=DetectorHooks(new_shape=lambda *shape: new.append(shape))
    )
    detector.warm_up([], [(320, 240)], 8)
    detector.detect([picture(1)], [asking("dog")])
    assert new == [(170, 128)]


def test_a_question_of_several_captions_warms_its_shapes_too(folder: Path) -> None:
    new: list[tuple[int, int]] = []
    detector = open_detector(
        resolve(str(folder)), "cpu", hooks=DetectorHooks(new_shape=lambda *shape: new.append(shape))
    )
    long = asking(*(f"{one}{other}" for one in "abcdef" for other in "abcdef"))
    detector.warm_up([long], [(320, 240)], 8)
    detector.detect([picture(1)], [long])
    assert new == []


def test_on_a_cpu_each_shape_is_warmed_once_whatever_is_asked(breakable: GuardedDetector) -> None:
    inner: Any = breakable._detector
    ran = count_rows(inner)
    breakable.warm_up([asking("dog"), asking("a red taxi"), asking("person", "cat")], [(320, 240), (640, 360)], 8)
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
    detector.warm_up([asking("dog"), asking("person", "taxi")], [(320, 240), (640, 480), (1280, 720)], 8)
    for size in ((320, 240), (1280, 720), (1920, 1080)):
        detector.detect([picture(1, *size)], [asking("dog")])
    assert new == []
    for _ in range(2):
        detector.detect([picture(1, 240, 320)], [asking("dog")])
    assert new == [(128, 170)]


def test_what_is_used_least_leaves_when_there_are_too_many_recordings() -> None:
    runs = Recordings(called_again, live=True)
    for width in range(1, KEPT + 1):
        runs.add(Size("see", 1, width), torch.neg, (torch.zeros(1, width),))
    for width in range(2, KEPT + 1):
        runs.run(Size("see", 1, width), torch.neg, (torch.zeros(1, width),))
    for _ in range(2):
        runs.run(Size("see", 1, KEPT + 1), torch.neg, (torch.zeros(1, KEPT + 1),))
    assert len(runs) == KEPT
    assert Key(Size("see", 1, 1), 1) not in runs.keys
    assert Key(Size("see", 1, KEPT + 1), 1) in runs.keys
    answer = runs.run(Size("see", 1, KEPT + 1), torch.neg, (torch.ones(1, KEPT + 1),))
    assert torch.equal(answer, -torch.ones(1, KEPT + 1))


def test_sizes_that_are_used_alike_do_not_push_each_other_out() -> None:
    """More of them than are kept, in turns: nothing is recorded again and again."""
    prepared: list[int] = []

    def prepare(function: Any, inputs: tuple[torch.Tensor, ...]) -> Any:
        prepared.append(inputs[0].shape[1])
        return lambda: function(*inputs)

    runs = Recordings(prepare, live=True)
    for _ in range(12):
        for width in range(1, KEPT + 40):
            runs.run(Size("see", 1, width), torch.neg, (torch.zeros(1, width),))
    assert len(prepared) == KEPT


def test_a_slow_recording_waits_until_there_is_time_for_it_again() -> None:
    """While frames wait no more than a fiftieth of the time goes into recording."""
    now = [0.0]
    made: list[float] = []

    def prepare(function: Any, inputs: tuple[torch.Tensor, ...]) -> Any:
        made.append(now[0])
        now[0] += 4.0
        return lambda: function(*inputs)

    runs = Recordings(prepare, live=True, clock=lambda: now[0])
    while now[0] < 2000:
        for width in range(1, 40):
            runs.run(Size("see", 1, width), torch.neg, (torch.zeros(1, width),))
        now[0] += 1.0
    assert len(made[2:]) * 4.0 <= 0.02 * 2000 + 4.0
    assert len(made) >= 10, "and it goes on"


def test_runs_of_one_shape_share_the_place_of_their_pictures(breakable: GuardedDetector) -> None:
    inner = as_if_recorded(breakable)
    longer = asking("person", "open door", "taxi", "cat", "car", "van", "a red shape")
    breakable.warm_up([asking("dog"), longer], [(320, 240)], 8)
    runs = inner._recordings._runs
    assert len(runs) == 12, "four batch sizes of the pictures, and of each of two lengths of text"
    for part in ("see", "answer"):
        assert len({run.inputs[0].data_ptr() for key, run in runs.items() if key.size.part == part}) == 1
    features, positions = next(run.inputs[1:3] for key, run in runs.items() if key.size.part == "answer")
    assert features.data_ptr() != positions.data_ptr(), "what is alike in form is not the same"


def test_constants_of_a_shape_live_as_long_as_what_was_recorded_with_them(breakable: GuardedDetector) -> None:
    """A recording reads them where they lie, whatever else the network remembers or forgets."""
    inner = as_if_recorded(breakable)
    breakable.warm_up([asking("dog")], [(320, 240)], 1)
    (run,) = [run for key, run in inner._recordings._runs.items() if key.size.part == "answer"]
    image = picture(1)
    (before,) = breakable.detect([image], [asking("dog")])
    inner._network._shapes.clear()
    (after,) = breakable.detect([image], [asking("dog")])
    assert rows(before) == rows(after)
    assert run.function.keywords["shape"].points.shape[-1] == 2
