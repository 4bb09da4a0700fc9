"""A small Grounding DINO of random weights, opened once."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

import checkpoints
from groundcam_worker.checkpoints.catalogue import resolve
from groundcam_worker.checkpoints.loading import load
from groundcam_worker.detectors.grounding_dino.reference import Reference
from groundcam_worker.detectors.guarded import GuardedDetector
from groundcam_worker.detectors.opening import open_detector


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return checkpoints.save(tmp_path_factory.mktemp("small") / "small", checkpoints.small_config())


@pytest.fixture(scope="session")
def detector(folder: Path) -> GuardedDetector:
    return open_detector(resolve(str(folder)), "cpu")


@pytest.fixture
def breakable(folder: Path) -> GuardedDetector:
    """A detector of the test's own."""
    return open_detector(resolve(str(folder)), "cpu")


@pytest.fixture(scope="session")
def reference(folder: Path) -> Reference:
    return Reference(load(resolve(str(folder))), torch.device("cpu"))


@pytest.fixture(scope="session")
def full(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Folders of the full architectures with random weights, for inputs of 256x448; each is made once."""
    made: dict[str, Path] = {}

    def folder_of(name: str) -> Path:
        if name not in made:
            config = {"swin-t": checkpoints.swin_t_config, "swin-b": checkpoints.swin_b_config}[name]()
            made[name] = checkpoints.save(tmp_path_factory.mktemp(name) / name, config, shortest=256, longest=448)
        return made[name]

    return folder_of
