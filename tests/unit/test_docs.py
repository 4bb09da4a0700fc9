"""What the README says of settings, metrics and commands is what there is."""

import re
from pathlib import Path

import pytest

from groundcam.settings import Settings
from groundcam_producers.settings import CameraSettings
from groundcam_runtime.metrics import ProducerMetrics, WorkerMetrics

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()


def settings() -> set[str]:
    paths = {
        f"{section}.{name}"
        for section, field in Settings.model_fields.items()
        for name in getattr(field.annotation, "model_fields", {})
    }
    return paths | {f"produce.cameras.ID.{name}" for name in CameraSettings.model_fields}


def test_every_setting_stands_in_the_readme_and_no_other() -> None:
    assert set(re.findall(r"^\| `(?!groundcam\.)([a-zA-Z_.]+\.[a-zA-Z_.]+)` \|", README, re.MULTILINE)) == settings()


def test_every_metric_stands_in_the_readme_and_no_other() -> None:
    families = [
        family for metrics in (WorkerMetrics("1"), ProducerMetrics("1")) for family in metrics.registry.collect()
    ]
    suffix = {"counter": "_total", "info": "_info"}
    names = {family.name + suffix.get(family.type, "") for family in families}
    assert set(re.findall(r"`(groundcam_[a-z_]+)`", README)) == names


@pytest.mark.parametrize("name", ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md"])
def test_links_and_paths_in_documents_exist(name: str) -> None:
    text = (ROOT / name).read_text()
    links = [link for link in re.findall(r"\]\(([^)]+)\)", text) if "://" not in link]
    paths = re.findall(r"`((?:tests|benchmarks|worker|runtime|producers|schemas)/[\w./-]+)`", text)
    paths += [f"tests/{path}" for path in re.findall(r"`((?:unit|broker|properties|detector)/\w+\.py)`", text)]
    for path in (*links, *paths):
        assert (ROOT / path).exists(), path


def test_the_architecture_fits_on_its_page() -> None:
    assert len((ROOT / "ARCHITECTURE.md").read_text().splitlines()) <= 150
