"""A release is what its tag says, its notes are those of the changelog, and its files are the same bytes each time."""

import re
import shutil
import subprocess
import tarfile
from pathlib import Path

import pytest
import yaml

from supply_chain import distribution, release
from supply_chain.errors import FindingError

ROOT = Path(__file__).parents[2]
VERSION = release.project_version(ROOT)
MAKEFILE = (ROOT / "Makefile").read_text()
WORKFLOWS = {path.name: path.read_text() for path in sorted((ROOT / ".github/workflows").glob("*.yml"))}
CHANGELOG = """# Changelog

## Unreleased

- Not yet.

## 0.3.0 - 2030-02-01

### Added

- A thing ([how](docs/thing.md#way), [home](https://example.org), [here](#added)).

## 0.30.0 - 2030-01-01

- Another.

## 0.2.0

- Without a day.

## 0.1.0 - 2029-01-01
"""


def test_this_tree_is_the_release_of_its_version() -> None:
    assert release.findings(ROOT) == []
    assert release.findings(ROOT, f"v{VERSION}") == []
    assert release.notes((ROOT / "CHANGELOG.md").read_text(), VERSION)


@pytest.mark.parametrize("tag", ["0.2.0", "v0.2", "v0.2.0-dirty", "release", ""])
def test_what_is_no_tag_of_a_release_is_refused(tag: str) -> None:
    assert release.findings(ROOT, tag) == [f"the tag {tag} is not like v1.2.3"]


def test_a_tag_of_another_version_is_refused_by_every_place() -> None:
    found = release.findings(ROOT, "v99.0.0")
    assert [one.partition(" says ")[0] for one in found[:-1]] == [place for place, _ in release.stated(ROOT)]
    assert found[-1] == "CHANGELOG.md has no section ## 99.0.0"


@pytest.mark.parametrize(
    ("file", "old", "new", "says"),
    [
        ("helm/groundcam/Chart.yaml", f"\nversion: {VERSION}", "\nversion: 9.0.0", "Chart.yaml, version says 9.0.0"),
        ("helm/groundcam/Chart.yaml", f'appVersion: "{VERSION}"', 'appVersion: "9.0.0"', "appVersion says 9.0.0"),
        ("Dockerfile", f"ARG VERSION={VERSION}", "ARG VERSION=9.0.0", "Dockerfile says 9.0.0"),
        ("Dockerfile", f"ARG VERSION={VERSION}", "", "Dockerfile says nothing"),
        ("compose.yaml", f"groundcam/worker:${{TAG:-{VERSION}}}", "groundcam/worker:${TAG:-9.0.0}", "compose.yaml says 9.0.0"),
        ("CHANGELOG.md", f"## {VERSION} - ", f"## {VERSION} -- ", f"no section ## {VERSION}"),
    ],
)  # fmt: skip
def test_one_place_with_another_version_is_found(file: str, old: str, new: str, says: str, tmp_path: Path) -> None:
    for name in ("pyproject.toml", "helm/groundcam/Chart.yaml", "Dockerfile", "compose.yaml", "CHANGELOG.md"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    assert release.findings(tmp_path, f"v{VERSION}") == []
    text = (tmp_path / file).read_text()
    assert text.count(old) == 1
    (tmp_path / file).write_text(text.replace(old, new))
    (found,) = release.findings(tmp_path, f"v{VERSION}")
    assert says in found
    with pytest.raises(FindingError, match=re.escape(says)):
        release.main(["check", "--tag", f"v{VERSION}", "--folder", str(tmp_path)])


def test_notes_are_one_section_with_links_that_work_elsewhere() -> None:
    home = "https://github.com/groundcam/groundcam/blob/v0.3.0"
    assert release.notes(CHANGELOG, "0.3.0") == (
        f"### Added\n\n- A thing ([how]({home}/docs/thing.md#way), [home](https://example.org), [here](#added)).\n"
    )
    assert release.notes(CHANGELOG, "0.30.0") == "- Another.\n"


@pytest.mark.parametrize(
    ("version", "says"),
    [("0.4.0", "no section"), ("0.2.0", "has no day"), ("0.1.0", "nothing stands"), ("0", "no section")],
)
def test_notes_that_are_missing_are_told(version: str, says: str) -> None:
    with pytest.raises(FindingError, match=says):
        release.notes(CHANGELOG, version)
    with pytest.raises(FindingError, match="2 sections"):
        release.notes(CHANGELOG + CHANGELOG, "0.3.0")


@pytest.fixture(scope="module")
def twice(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folders = tmp_path_factory.mktemp("first"), tmp_path_factory.mktemp("second")
    for folder in folders:
        distribution.build_package(ROOT, folder, 1_700_000_000)
        distribution.package_chart(ROOT / distribution.CHART, folder, 1_700_000_000)
        (wheel,) = folder.glob("*.whl")
        (folder / f"{wheel.name}.cdx.json").write_text(distribution.bill(wheel, 1_700_000_000))
    return folders


def test_two_builds_are_the_same_bytes(twice: tuple[Path, Path]) -> None:
    first, second = map(distribution.sums, twice)
    assert first == second
    assert [line.partition("  ")[2] for line in first.splitlines()] == [
        f"groundcam-{VERSION}-py3-none-any.whl",
        f"groundcam-{VERSION}-py3-none-any.whl.cdx.json",
        f"groundcam-{VERSION}.tar.gz",
        f"groundcam-{VERSION}.tgz",
    ]


def test_another_time_makes_other_bytes(twice: tuple[Path, Path], tmp_path: Path) -> None:
    """So the two builds above are the same because of the time that they were given."""
    distribution.build_package(ROOT, tmp_path, 1_800_000_000)
    distribution.package_chart(ROOT / distribution.CHART, tmp_path, 1_800_000_000)
    assert not set(distribution.sums(tmp_path).splitlines()) & set(distribution.sums(twice[0]).splitlines())


def test_the_chart_package_is_the_chart(twice: tuple[Path, Path]) -> None:
    with tarfile.open(twice[0] / f"groundcam-{VERSION}.tgz") as packed:
        names = set(packed.getnames())
        held = packed.extractfile("groundcam/values.yaml")
        assert held
        assert held.read() == (ROOT / "helm/groundcam/values.yaml").read_bytes()
    there = {
        f"groundcam/{path.relative_to(ROOT / distribution.CHART)}" for path in (ROOT / distribution.CHART).rglob("*")
    }
    assert {name for name in names if name.startswith("groundcam/templates/")} <= there
    assert {"groundcam/Chart.yaml", "groundcam/values.schema.json", "groundcam/README.md"} <= names
    assert not [name for name in names if name.endswith(".gotmpl")]


def test_the_time_is_that_of_the_commit_unless_it_is_given(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "12")
    assert distribution.epoch(tmp_path) == 12
    monkeypatch.delenv("SOURCE_DATE_EPOCH")
    with pytest.raises(distribution.UnavailableError, match="SOURCE_DATE_EPOCH"):
        distribution.epoch(tmp_path)


@pytest.mark.parametrize("name", WORKFLOWS)
def test_a_workflow_trusts_commits_not_tags_and_may_do_nothing_by_default(name: str) -> None:
    text = WORKFLOWS[name]
    jobs = yaml.safe_load(text)
    assert jobs["permissions"] == {}
    assert jobs["concurrency"]
    used = re.findall(r"^\s+(?:- )?uses: (.*)$", text, re.MULTILINE)
    assert used
    assert [one for one in used if not re.fullmatch(r"[\w/-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", one)] == []
    assert set(re.findall(r"\bsecrets\.(\w+)", text)) <= {"GITHUB_TOKEN"}
    for job in jobs["jobs"].values():
        assert job["timeout-minutes"]
        assert "permissions" in job


def test_one_action_is_one_commit_in_all_workflows() -> None:
    pins = set(re.findall(r"uses: ([\w/-]+)@(\S+)", "".join(WORKFLOWS.values())))
    assert len({action for action, _ in pins}) == len(pins)


def test_workflows_call_recipes_that_there_are_and_build_every_image() -> None:
    jobs = [job for text in WORKFLOWS.values() for job in yaml.safe_load(text)["jobs"].values()]
    runs = "\n".join(step.get("run", "") for job in jobs for step in job["steps"])
    called = set(re.findall(r"\bmake (?:--silent )?([a-z-]+)", runs))
    assert called == {"check-release", "dist", "release-notes", "sbom"}
    assert [recipe for recipe in called if not re.search(rf"^{recipe}: ", MAKEFILE, re.MULTILINE)] == []
    assert "bash .ci/run" in runs
    assert (ROOT / ".ci/run").is_file()
    images = re.search(r"^IMAGES \?= (.*)$", MAKEFILE, re.MULTILINE)
    assert images
    matrix = yaml.safe_load(WORKFLOWS["release.yml"])["jobs"]["images"]["strategy"]["matrix"]
    assert matrix["image"] == images[1].split()


def test_make_hands_the_tag_over() -> None:
    said = subprocess.run(
        ["make", "-n", "check-release", "TAG=v1.2.3"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert "release check --tag v1.2.3" in said.stdout
    wrong = subprocess.run(
        ["make", "check-release", "TAG=9.9.9"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert (wrong.returncode != 0, "the tag 9.9.9 is not like v1.2.3" in wrong.stderr) == (True, True)
    said = subprocess.run(["make", "-n", "release-notes"], cwd=ROOT, capture_output=True, text=True, check=True)
    assert "--tag" not in said.stdout
