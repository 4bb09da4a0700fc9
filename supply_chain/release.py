"""Is this tree the release that a tag names, and what does the changelog say of it?"""

import argparse
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import yaml

from supply_chain.errors import FindingError, run

ROOT = Path(__file__).parents[1]
TAG = re.compile(r"v(\d+\.\d+\.\d+(?:-?(?:a|b|rc)\.?\d+)?)")
HEADING = re.compile(r"^## (?P<name>\S+)(?: - (?P<day>\d{4}-\d\d-\d\d))?$", re.MULTILINE)
LINK = re.compile(r"(?<=\]\()(?!https?://|#)([^)\s]+)(?=\))")
HOME = "https://github.com/groundcam/groundcam"


def stated(root: Path) -> Iterator[tuple[str, str]]:
    """Each place that states the version, and what it says there."""
    yield "pyproject.toml", project_version(root)
    chart = yaml.safe_load((root / "helm/groundcam/Chart.yaml").read_text())
    for name in ("version", "appVersion"):
        yield f"helm/groundcam/Chart.yaml, {name}", str(chart[name])
    for file, pattern in (("Dockerfile", r"^ARG VERSION=(\S+)$"), ("compose.yaml", r"\$\{TAG:-([^}]+)\}")):
        found = set(re.findall(pattern, (root / file).read_text(), re.MULTILINE))
        if not found:
            yield file, "nothing"
        for version in sorted(found):
            yield file, version


def project_version(root: Path) -> str:
    """The version of pyproject.toml, which all others follow."""
    return str(tomllib.loads((root / "pyproject.toml").read_text())["project"]["version"])


def findings(root: Path, tag: str | None = None) -> list[str]:
    """What keeps this tree from being the release that the tag names: a sentence each. Without a tag: pyproject's."""
    if tag is not None and not TAG.fullmatch(tag):
        return [f"the tag {tag} is not like v1.2.3"]
    wanted = tag.removeprefix("v") if tag else project_version(root)
    found = [f"{place} says {version}, not {wanted}" for place, version in stated(root) if version != wanted]
    try:
        notes((root / "CHANGELOG.md").read_text(), wanted)
    except FindingError as missing:
        found.append(str(missing))
    return found


def notes(changelog: str, version: str) -> str:
    """What the changelog says of a version, without its heading; links are to the files of that version.

    Raises FindingError where there is no such section, it has no day, or nothing stands in it.
    """
    headings = list(HEADING.finditer(changelog))
    ours = [number for number, heading in enumerate(headings) if heading["name"] == version]
    if len(ours) != 1:
        raise FindingError(f"CHANGELOG.md has {len(ours) or 'no'} section{'s' * (len(ours) > 1)} ## {version}")
    (number,) = ours
    if not headings[number]["day"]:
        raise FindingError(f"CHANGELOG.md: ## {version} has no day, as ## {version} - 2030-12-31")
    end = headings[number + 1].start() if number + 1 < len(headings) else len(changelog)
    text = changelog[headings[number].end() : end].strip()
    if not text:
        raise FindingError(f"CHANGELOG.md: nothing stands under ## {version}")
    return LINK.sub(rf"{HOME}/blob/v{version}/\1", text) + "\n"


def main(arguments: list[str]) -> str:
    parser = argparse.ArgumentParser(prog="make check-release", description=__doc__)
    parser.add_argument("what", choices=("check", "notes"))
    parser.add_argument("--tag", help="the tag, as v1.2.3; by default the version of pyproject.toml")
    parser.add_argument("--folder", type=Path, default=ROOT, help="the tree")
    given = parser.parse_args(arguments)
    tag: str | None = given.tag or None
    if given.what == "notes":
        version = tag.removeprefix("v") if tag else project_version(given.folder)
        return notes((given.folder / "CHANGELOG.md").read_text(), version).rstrip("\n")
    if found := findings(given.folder, tag):
        raise FindingError("\n".join(found))
    return f"{tag or project_version(given.folder)}: package, chart, images, compose and changelog agree"


if __name__ == "__main__":
    run(main)
