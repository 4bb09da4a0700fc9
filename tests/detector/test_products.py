"""Linear layers by oneDNN on a CPU: the same answers, only where that is faster, and what follows a product within it."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode
from transformers.activations import ACT2FN

from groundcam_worker.checkpoints.catalogue import resolve
from groundcam_worker.checkpoints.loading import load
from groundcam_worker.detectors.grounding_dino import feed, linear
from groundcam_worker.detectors.grounding_dino.compiled.export import MOST_PICTURES, Answer, See, _example
from groundcam_worker.detectors.grounding_dino.feed import Feed
from groundcam_worker.detectors.grounding_dino.linear import HAS_ONEDNN, LEAST_PRODUCTS, OneDnnLinear
from groundcam_worker.detectors.grounding_dino.network import Network
from groundcam_worker.detectors.grounding_dino.optimisations import Optimisations
from groundcam_worker.detectors.opening import open_detector
from groundcam_worker.errors import ModelError
from parity import asking, match, picture, rows

pytestmark = pytest.mark.skipif(not HAS_ONEDNN, reason="there is no oneDNN here, or no x86 CPU")
ASK = asking("person", "open door")
CPU = torch.device("cpu")


class Products(TorchDispatchMode):
    """Counts products by oneDNN, by what they end in."""

    def __init__(self) -> None:
        super().__init__()
        self.counts: Counter[str] = Counter()

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if "_linear_pointwise" in str(function):
            self.counts[args[3]] += 1
        return function(*args, **(kwargs or {}))


@pytest.fixture
def everything(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let oneDNN compute whatever is small, too, and a few rows at a time."""
    monkeypatch.setattr(linear, "LEAST_PRODUCTS", 1)
    monkeypatch.setattr(feed, "ROWS", 7)


@pytest.fixture
def as_torch_begins() -> Iterator[None]:
    """Where a detector was opened, in full fp32, torch exports nothing any more."""
    convolutions: Any = torch.backends.cudnn.conv
    before, convolutions.fp32_precision = convolutions.fp32_precision, "tf32"
    yield
    convolutions.fp32_precision = before


def answers(folder: Path, products: Any) -> tuple[Any, Counter[str]]:
    detector = open_detector(resolve(str(folder)), "cpu", Optimisations(products=products))
    with Products() as counted:
        found = detector.detect([picture(1), picture(2)], [ASK, ASK])
    return found, counted.counts


@pytest.mark.usefixtures("everything")
def test_onednn_gives_what_torchs_own_products_give(folder: Path) -> None:
    plain, none = answers(folder, "plain")
    ours, counts = answers(folder, "auto")
    assert not none
    assert min(counts[one] for one in ("none", "relu", "gelu")) > 0, counts
    for mine, theirs in zip(ours, plain, strict=True):
        matched = match(rows(mine), rows(theirs))
        assert matched.scores
        assert matched.outside() == 0, matched


def test_what_is_small_is_left_to_torch(folder: Path) -> None:
    """A call of oneDNN costs more than a small product."""
    _, counts = answers(folder, "auto")
    assert not counts


def test_a_product_goes_to_onednn_by_its_size_for_each_picture() -> None:
    layer = OneDnnLinear(nn.Linear(256, 256))
    rows_needed = LEAST_PRODUCTS // 256**2
    assert layer.is_for(torch.zeros(1, rows_needed, 256))
    assert not layer.is_for(torch.zeros(64, rows_needed - 1, 256)), "what is compiled does not know how many there are"
    assert not layer.is_for(torch.zeros(1, rows_needed, 256, dtype=torch.bfloat16))
    assert not layer.is_for(torch.zeros(1, rows_needed, 256, device="meta"))


@pytest.mark.usefixtures("everything")
@pytest.mark.parametrize("name", ["relu", "gelu", "gelu_new", "silu"])
def test_what_lies_between_is_what_it_was_whatever_it_is(name: str) -> None:
    draw = torch.Generator().manual_seed(5)
    first, second = nn.Linear(8, 32), nn.Linear(32, 8, bias=False)
    fed = Feed(OneDnnLinear(first), ACT2FN[name], OneDnnLinear(second))
    features = torch.randn(3, 23, 8, generator=draw) * 3
    with torch.inference_mode(), Products() as counted:
        found = fed(features)
        wanted = second(ACT2FN[name](first(features)))
    assert torch.allclose(found, wanted, atol=1e-6)
    assert bool(counted.counts[name]) == (name in {"relu", "gelu"})


@pytest.mark.usefixtures("everything", "as_torch_begins")
def test_what_is_compiled_has_them_and_leaves_pictures_and_tokens_open(folder: Path) -> None:
    network = Network(load(resolve(str(folder))).model.eval(), "embedding_bag", onednn=True).eval()
    pixels = torch.rand(3, 3, 64, 96)
    with torch.no_grad():
        shape = network.shape_of(pixels)
        batch, tokens = torch.export.Dim("batch", min=1, max=MOST_PICTURES), torch.export.Dim("tokens", max=200)
        one = {0: batch, 1: tokens}
        see = torch.export.export(
            See(network, network.grids_of(pixels)), (pixels,), dynamic_shapes=({0: batch},), strict=False
        )
        answer = torch.export.export(
            Answer(network, shape), (torch.rand(3, shape.levels.total, network.width), *_example(network.width, 10)),
            dynamic_shapes=({0: batch}, (one, one, one, {0: batch, 2: tokens, 3: tokens}, one, one)), strict=False,
        )  # fmt: skip
    for part in (see, answer):
        assert any("_linear_pointwise" in str(node.target) for node in part.graph.nodes)


def test_what_it_means_by_device_and_precision() -> None:
    assert Optimisations().is_onednn_on(CPU)
    assert not Optimisations(products="plain").is_onednn_on(CPU)
    assert not Optimisations("bf16").is_onednn_on(CPU)
    assert not Optimisations().is_onednn_on(torch.device("cuda"))
    with pytest.raises(ValueError, match="products is onednn, which needs an x86 CPU"):
        Optimisations(products="onednn").is_onednn_on(torch.device("cuda"))


def test_without_onednn_that_is_refused_where_it_is_wanted(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from groundcam_worker.detectors.grounding_dino import optimisations

    monkeypatch.setattr(optimisations, "HAS_ONEDNN", False)
    assert not Optimisations().is_onednn_on(CPU)
    with pytest.raises(ModelError, match="products is onednn"):
        open_detector(resolve(str(folder)), "cpu", Optimisations(products="onednn"))
