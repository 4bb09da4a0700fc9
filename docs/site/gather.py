"""Lay out what the site is made of: pages and files as they lie in the repository, and the messages' contract.

The generator reads one folder, while the pages lie where a code host shows them. Here nothing knows the generator, so
that another one can take the folder.
"""

import argparse
import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import yaml

from groundcam import __version__
from groundcam_runtime.asyncapi import document
from groundcam_schemas import Topics
from groundcam_schemas.export import export

ROOT = Path(__file__).parents[2]
BEGINNINGS = ("README.md", "docs/*.md")
"""These pages, and whatever they lead to."""
LOOKS = "docs/site/looks"
ICON = "serve/groundcam_serve/console/static/icon.svg"
LINK = re.compile(r"(?<=\]\()[^)#\s]+")
CONTRACT = """# The messages' contract

Made by `groundcam schema` of version {version}.
What topics, keys and headers mean stands in [subscribing](../docs/subscribing.md).

All topics, with their messages, keys, headers and retention, as AsyncAPI 3.0:
[asyncapi.yaml](asyncapi.yaml), [asyncapi.json](asyncapi.json).

A JSON Schema for each message:

| message | what it is |
| --- | --- |
{rows}
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="where to lay it out; what lies there from before is removed")
    folder: Path = parser.parse_args().folder
    if folder.exists() and not (folder / "looks").is_dir():
        parser.error(f"{folder} is there and was not made by this program")
    shutil.rmtree(folder, ignore_errors=True)
    for path in reached():
        put(path, folder)
    shutil.copytree(ROOT / LOOKS, folder / "looks")
    shutil.copy(ROOT / ICON, folder / "looks")
    write_contract(folder / "contract")


def reached() -> Iterator[Path]:
    """Each file that the pages lead to, and the pages; what a link misses is left for the generator to tell."""
    seen = {path for pattern in BEGINNINGS for path in ROOT.glob(pattern)}
    left = sorted(seen)
    while left:
        path = left.pop()
        yield path
        if path.suffix == ".md":
            new = {target for target in targets(path) if target.is_file()} - seen
            seen |= new
            left += sorted(new)


def targets(page: Path) -> Iterator[Path]:
    for link in LINK.findall(page.read_text()):
        if "://" not in link:
            yield (page.parent / link).resolve()


def put(path: Path, folder: Path) -> None:
    """Copy a file. Browsers show what is called .txt; a name without an ending they save."""
    to = folder / named(path.relative_to(ROOT).as_posix())
    to.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".md":
        to.write_text(LINK.sub(lambda link: named(link[0]), path.read_text()))
    else:
        shutil.copyfile(path, to)


def named(path: str) -> str:
    return f"{path}.txt" if path.endswith(("LICENSE", "NOTICE")) else path


def write_contract(folder: Path) -> None:
    rows = []
    for path in sorted(export(folder)):
        schema = json.loads(path.read_text())
        what = schema["description"].split("\n\n")[0].replace("\n", " ")
        rows.append(f"| [{schema['title']}]({path.name}) | {what} |")
    found = document(Topics(), __version__)
    (folder / "asyncapi.json").write_text(json.dumps(found, indent=2))
    (folder / "asyncapi.yaml").write_text(yaml.safe_dump(found, sort_keys=False, width=120))
    (folder / "README.md").write_text(CONTRACT.format(version=__version__, rows="\n".join(rows)))


if __name__ == "__main__":
    main()
