"""The model of a pass on a GPU: what it counts is what torch counts, and its times follow from a card's rates."""

import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch

import checkpoints

sys.path.append(str(Path(__file__).parents[2] / "benchmarks"))

import roofline
from cards import H200

SIZE = (96, 160)


@pytest.fixture(scope="module")
def listed() -> list[roofline.Operator]:
    return roofline.operators(roofline.network(checkpoints.small_config()), 2, 16, SIZE)


def test_products_are_counted_as_their_shapes_say_and_twice_as_many_for_twice_the_pictures(
    listed: list[roofline.Operator],
) -> None:
    feed = [one for one in listed if one.name == "aten._addmm_activation" and one.part == "text with them"]
    config = checkpoints.small_config()
    rows = {one.flop / (2 * config.d_model * config.encoder_ffn_dim) for one in feed}
    assert 2 * config.num_queries in rows, "each of the decoder's feed-forward layers takes every query"
    alone = roofline.operators(roofline.network(config), 1, 16, SIZE)
    of_pictures = [sum(one.flop for one in some if one.part == "pictures") for some in (alone, listed)]
    assert of_pictures[1] == pytest.approx(2 * of_pictures[0])


def test_a_pass_samples_once_a_layer_and_reads_four_corners_at_each_place(listed: list[roofline.Operator]) -> None:
    config = checkpoints.small_config()
    samples = [one for one in listed if one.kind == "sampling"]
    assert len(samples) == config.encoder_layers + config.decoder_layers
    places = (
        2 * config.num_queries * config.decoder_attention_heads * config.num_feature_levels * config.decoder_n_points
    )
    depth = config.d_model // config.decoder_attention_heads
    assert samples[-1].looks == places * 4 * depth * torch.float16.itemsize


def test_a_faster_memory_never_makes_a_pass_slower_and_no_kernel_is_shorter_than_its_launch(
    listed: list[roofline.Operator],
) -> None:
    faster = replace(H200, memory=2 * H200.memory, pointwise=2 * H200.pointwise)
    assert all(one.seconds(faster) <= one.seconds(H200) for one in listed)
    assert all(one.seconds(H200) >= one.kernels * H200.launch_s for one in listed)
    for step in roofline.STEPS.values():
        assert roofline.milliseconds(step(listed), H200) <= roofline.milliseconds(listed, H200)


def test_what_an_h200_measured_is_read_from_its_report() -> None:
    seen = dict(roofline.seen_on(roofline.REPORT))
    assert seen[960, 544, 8, 256] == pytest.approx((4.92, 16.73), abs=0.01)
    assert len(seen) == 12
