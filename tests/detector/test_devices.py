"""Which device a setting names."""

import pytest
import torch

from groundcam_worker.detectors.devices import pick
from groundcam_worker.errors import ModelError


@pytest.mark.parametrize(
    "name", ["cuda:2", "cuda:128", "cuda:255", "cuda:256", "cuda:257", "cuda:999", "cuda:65537", "cuda:99999999999"]
)
def test_a_number_that_no_device_has_is_no_other_device(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """torch keeps the number in a byte."""
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    with pytest.raises(ModelError, match=f"^work.device: {name} is not there; this machine has 2 CUDA devices$"):
        pick(name)


@pytest.mark.parametrize("name", ["cuda", "cuda:0", "cuda:1", "cpu"])
def test_a_device_that_is_there_is_taken(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert str(pick(name)) == name


@pytest.mark.parametrize("name", ["", "gpu", "mps", "cuda:", "cuda:-1", "cuda:x", "cuda:１", "CUDA", "cuda:0 "])
def test_what_is_no_name_of_a_device_is_told_with_those_that_are(name: str) -> None:
    with pytest.raises(ModelError, match="is not auto, cpu, cuda or cuda:N"):
        pick(name)
