"""A model loads from a folder or the Hub's cache, or one sentence says why not."""

import shutil
import time
from collections.abc import Callable
from pathlib import Path

import huggingface_hub
import pytest

import checkpoints
from groundcam_worker.checkpoints.catalogue import resolve
from groundcam_worker.detectors.opening import open_detector
from groundcam_worker.errors import ModelError


def _cut_weights(folder: Path) -> None:
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:5000])


def _no_tokenizer(folder: Path) -> None:
    for name in ("tokenizer.json", "tokenizer_config.json", "vocab.txt"):
        (folder / name).unlink()


def _missing_weights(folder: Path) -> None:
    from safetensors.torch import load_file, save_file

    weights = load_file(folder / "model.safetensors")
    save_file(dict(list(weights.items())[10:]), folder / "model.safetensors", {"format": "pt"})


def _other_architecture(folder: Path) -> None:
    (folder / "config.json").write_text('{"model_type": "bert"}')


@pytest.mark.parametrize("damage", [_cut_weights, _no_tokenizer, _missing_weights, _other_architecture])
def test_a_damaged_folder_gives_one_sentence(tmp_path: Path, damage: Callable[[Path], None]) -> None:
    folder = checkpoints.save(tmp_path / "damaged", checkpoints.small_config())
    damage(folder)
    with pytest.raises(ModelError, match="damaged") as refused:
        open_detector(resolve(str(folder)), "cpu")
    assert "\n" not in str(refused.value)


def _cache(folder: Path, cache: Path, commit: str) -> None:
    """Lay a folder out as the Hub's cache holds it."""
    repository = cache / "models--somebody--small"
    (repository / "refs").mkdir(parents=True)
    (repository / "refs" / "main").write_text(commit)
    (repository / "snapshots").mkdir()
    shutil.copytree(folder, repository / "snapshots" / commit)


def test_a_cached_model_loads_by_its_hub_id_without_a_network(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its revision is the commit; another revision, or a model that is not there, is one sentence in seconds."""
    commit = "0123456789abcdef0123456789abcdef01234567"
    _cache(folder, tmp_path, commit)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    detector = open_detector(resolve("somebody/small"), "cpu")
    assert (detector.model.name, detector.model.revision) == ("somebody/small", commit)
    for name in ("somebody/other", "somebody/small@v2"):
        started = time.monotonic()
        with pytest.raises(ModelError, match=f"{name.partition('@')[0]}.*not in the local cache") as refused:
            open_detector(resolve(name), "cpu")
        assert "\n" not in str(refused.value)
        assert time.monotonic() - started < 10
