"""Move the base image to what its tag names today: its digest, in the Dockerfile and in compose.yaml."""

import argparse
import re
import subprocess
from pathlib import Path

from supply_chain.errors import FindingError, UnavailableError, run
from supply_chain.image import absence, last_line

ROOT = Path(__file__).parents[1]
FILES = ("Dockerfile", "compose.yaml")
REFERENCE = r"(?P<tag>[^@\s}]+)(?:@(?P<digest>sha256:[0-9a-f]{64}))?"
PLACE = re.compile(rf"^(?P<before>ARG BASE=|  BASE: \$\{{BASE:-){REFERENCE}(?P<after>\}}?)$", re.MULTILINE)
PULLED = re.compile(r"^Digest: (sha256:[0-9a-f]{64})$", re.MULTILINE)
"""Docker says it of what it pulled; Podman does not."""
DIGEST = re.compile(r"@(sha256:[0-9a-f]{64})$")


def base(text: str) -> tuple[str, str | None]:
    """The tag and the digest of the base image. Raises FindingError where a file does not name it exactly once."""
    found = list(PLACE.finditer(text))
    if len(found) != 1:
        raise FindingError(
            "there is not one line ARG BASE=NAME:TAG or BASE: ${BASE:-NAME:TAG}, with or without @sha256:..."
        )
    return found[0]["tag"], found[0]["digest"]


def moved(text: str, tag: str, digest: str) -> str:
    """The file with this base."""
    return PLACE.sub(lambda match: f"{match['before']}{tag}@{digest}{match['after']}", text)


def digest_of(tag: str, engine: str) -> str:
    """What a registry has under a tag now: the digest of all its platforms together.

    Raises UnavailableError where no registry answers.
    """
    if trouble := absence(engine):
        raise UnavailableError(f"{trouble}, so no registry can be asked for {tag}")
    pull = subprocess.run([engine, "pull", tag], capture_output=True, text=True, check=False)
    if pull.returncode:
        said = last_line(pull.stderr)
        raise UnavailableError(f"no registry answered for {tag}, so the base stays as it is: {said}")
    if digest := PULLED.search(pull.stdout):
        return digest[1]
    command = [engine, "image", "inspect", "--format", '{{join .RepoDigests "\\n"}}', tag]
    shown = subprocess.run(command, capture_output=True, text=True, check=False).stdout.split()
    repository = re.sub(r":[^:/]+$", "", tag)
    found = {
        match[1] for one in shown if (match := DIGEST.search(one)) and f"/{one}".endswith(f"/{repository}@{match[1]}")
    }
    if len(found) != 1:
        # One of several may be that of a platform alone, or an older one.
        told = (
            f"{len(found)} digests of it: name the right one in {' and '.join(FILES)}" if found else "no digest of it"
        )
        raise FindingError(f"{engine} pulled {tag} and knows {told}")
    return found.pop()


def main(arguments: list[str]) -> str:
    parser = argparse.ArgumentParser(prog="make base-image", description=__doc__)
    parser.add_argument("--tag", help="another base than that of the Dockerfile, as python:3.13-slim-trixie")
    parser.add_argument("--engine", default="docker", help="docker or podman")
    parser.add_argument("--folder", type=Path, default=ROOT, help="where the Dockerfile and compose.yaml are")
    given = parser.parse_args(arguments)
    texts = {given.folder / name: (given.folder / name).read_text() for name in FILES}
    before = {base(text) for text in texts.values()}
    tag, old = base(texts[given.folder / FILES[0]])
    wanted = given.tag or tag
    digest = digest_of(wanted, given.engine)
    if before == {(wanted, digest)}:
        return f"the base is {tag}@{digest}, as before"
    for path, text in texts.items():
        path.write_text(moved(text, wanted, digest))
    return f"the base is {wanted}@{digest} now; it was {tag}{f'@{old}' if old else ', without a digest'}"


if __name__ == "__main__":
    run(main)
