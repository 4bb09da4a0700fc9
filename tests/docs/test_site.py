"""The documents as a site: whole, and with nothing from elsewhere."""

import json
import shutil
from pathlib import Path

import pytest
import yaml

from site_build import build
from site_links import broken, read

ROOT = Path(__file__).parents[2]


def test_every_link_section_and_picture_of_the_site_is_there_and_nothing_comes_from_another_host(site: Path) -> None:
    pages = read(site)
    assert len(pages) > 25
    assert list(broken(pages)) == []


def test_every_document_is_a_page(site: Path) -> None:
    names = {path.stem for path in (ROOT / "docs").glob("*.md")} - {"README"}
    assert {path.stem for path in (site / "docs").glob("*.html")} == names | {"index"}


def test_the_contract_can_be_downloaded(site: Path) -> None:
    schemas = [json.loads(path.read_text()) for path in (site / "contract").glob("*.schema.json")]
    assert {"Detections", "Event", "Frame", "Gap"} <= {one["title"] for one in schemas}
    text = (site / "contract/asyncapi.yaml").read_text()
    assert yaml.safe_load(text) == json.loads((site / "contract/asyncapi.json").read_text())
    assert "groundcam.detections" in text


@pytest.mark.parametrize(
    ("page", "line", "words"),
    [
        ("docs/limits.md", "[gone](nosuch.md)", "nosuch.md"),
        ("docs/limits.md", "[gone](console.md#nosuch)", "#nosuch"),
        ("docs/limits.md", "[gone](#nosuch)", "#nosuch"),
        ("docs/limits.md", "[gone](/docs/console.md)", "/docs/console.md"),
        ("docs/new.md", "# A page that is in no navigation", "docs/new.md"),
    ],
)
def test_a_fault_ends_the_build_and_is_named(sources: Path, tmp_path: Path, page: str, line: str, words: str) -> None:
    spoilt = Path(shutil.copytree(sources, tmp_path / "sources"))
    with (spoilt / page).open("a") as file:
        file.write(f"\n{line}\n")
    done = build(spoilt, tmp_path / "site")
    assert done.returncode != 0
    assert words in done.stdout + done.stderr
