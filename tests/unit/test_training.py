"""The bundled model's training: what it draws and asks is what the model card says."""

from pathlib import Path

import numpy as np
import pytest

from training.batches import draw_batch, input_shape
from training.phrases import HELD_OUT, SEEN, Kind, Phrase, draw_kinds, draw_question, read_phrase
from training.scenes import SMALLEST, draw_scene
from training.train import learning_rate


def test_a_phrase_is_true_of_what_it_says() -> None:
    kind = Kind("red", "circle")
    assert [str(one) for one in (Phrase("red", "circle"), Phrase(shape="circle"), Phrase("red"))] == [
        "red circle", "circle", "red shape",
    ]  # fmt: skip
    for text, fits in {
        "red circle": True,
        "circle": True,
        "red shape": True,
        "blue circle": False,
        "star": False,
    }.items():
        assert read_phrase(text).fits(kind) is fits
        assert str(read_phrase(text)) == text


def test_held_out_pairs_are_neither_asked_for_nor_drawn() -> None:
    rng = np.random.default_rng(1)
    for _ in range(2000):
        question = draw_question(rng)
        assert not {(one.colour, one.shape) for one in question} & HELD_OUT
        kinds = draw_kinds(rng, 8, question)
        assert {(one.colour, one.shape) for one in kinds} <= set(SEEN)
        assert len(kinds) == 8


def test_the_box_of_an_object_holds_what_was_drawn() -> None:
    """Boxes are judged on clean scenes: what differs from the background lies in the box and fills it."""
    for seed in range(40):
        rng = np.random.default_rng(seed)
        scene = draw_scene(rng, 200, 150, [Kind("red", "star")])
        for thing in scene.things:
            x1, y1, x2, y2 = thing.box
            assert max(x2 - x1, y2 - y1) >= SMALLEST * 150 * 0.99
            patch = scene.picture[int(y1) : int(y2) + 1, int(x1) : int(x2) + 1].astype(int)
            reddest = (patch[..., 0] - patch[..., 1:].mean(-1)).max()
            assert reddest > 60


def test_the_same_seed_and_step_give_the_same_batch() -> None:
    """So that a run that was stopped goes on as if it had not been."""
    one, other, next_one = draw_batch(5, 3, 2), draw_batch(5, 3, 2), draw_batch(5, 4, 2)
    assert np.array_equal(one.pixels.numpy(), other.pixels.numpy())
    assert np.array_equal(one.words.numpy(), other.words.numpy())
    assert one.pixels.shape != next_one.pixels.shape or not np.array_equal(one.pixels.numpy(), next_one.pixels.numpy())


def test_targets_mark_every_token_of_every_true_phrase() -> None:
    for step in range(6):
        batch = draw_batch(9, step, 4)
        for boxes, right in zip(batch.boxes, batch.right, strict=True):
            assert len(boxes) == len(right)
            assert (right.sum(-1) >= 1).all(), "nobody is asked for without a token that says so"
            assert ((boxes >= 0) & (boxes <= 1)).all()
        assert batch.pixels.shape[2:] in {(128, 128), (128, 170), (128, 227), (170, 128)}


@pytest.mark.parametrize("size", [(640, 480), (320, 240), (640, 360), (480, 640), (128, 128), (333, 500)])
def test_pictures_have_the_shape_that_the_processor_gives(size: tuple[int, int], tmp_path: Path) -> None:
    from training.architecture import processor

    image_processor = processor(tmp_path).image_processor
    pixels = image_processor(images=[np.zeros((size[1], size[0], 3), np.uint8)], return_tensors="np")["pixel_values"]
    assert (pixels.shape[3], pixels.shape[2]) == input_shape(*size)


def test_the_learning_rate_rises_stays_and_falls() -> None:
    rates = [learning_rate(step, 10_000, 1e-3) for step in range(10_000)]
    assert rates[0] < 1e-5
    assert rates[400] == rates[6000] == 1e-3
    assert 0 <= rates[-1] < 1e-6
    assert max(rates) == 1e-3
