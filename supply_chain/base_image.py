"""Move the base image to what its tag names today: the digest in the Dockerfile's `ARG BASE`."""

import argparse
import re
import subprocess
from pathlib import Path

from supply_chain.errors import FindingError, UnavailableError, run
from supply_chain.image import absence, last_line

DOCKERFILE = Path(__file__).parents[1] / "Dockerfile"
ARGUMENT = re.compile(r"^ARG BASE=(?P<tag>[^@\s]+)(?:@(?P<digest>sha256:[0-9a-f]{64}))?$", re.MULTILINE)
DIGEST = re.compile(r"@(sha256:[0-9a-f]{64})$")


def base(dockerfile: str) -> tuple[str, str | None]:
    """The tag and the digest of the base image. Raises FindingError where the Dockerfile names none."""
    match = ARGUMENT.search(dockerfile)
    if match is None:
        raise FindingError("the Dockerfile has no line ARG BASE=NAME:TAG or ARG BASE=NAME:TAG@sha256:...")
    return match["tag"], match["digest"]


def moved(dockerfile: str, tag: str, digest: str) -> str:
    """The Dockerfile with this base."""
    return ARGUMENT.sub(f"ARG BASE={tag}@{digest}", dockerfile, count=1)


def digest_of(tag: str, engine: str) -> str:
    """What a registry has under a tag now: the digest of all its platforms together.

    Raises UnavailableError where no registry answers.
    """
    if trouble := absence(engine):
        raise UnavailableError(f"{trouble}, so no registry can be asked for {tag}")
    pull = subprocess.run([engine, "pull", "--quiet", tag], capture_output=True, text=True, check=False)
    if pull.returncode:
        said = last_line(pull.stderr)
        raise UnavailableError(f"no registry answered for {tag}, so the base stays as it is: {said}")
    command = [engine, "image", "inspect", "--format", '{{join .RepoDigests "\\n"}}', tag]
    shown = subprocess.run(command, capture_output=True, text=True, check=False).stdout.split()
    repository = re.sub(r":[^:/]+$", "", tag)
    found = [
        match[1] for one in shown if (match := DIGEST.search(one)) and f"/{one}".endswith(f"/{repository}@{match[1]}")
    ]
    if not found:
        raise FindingError(f"{engine} pulled {tag} and knows no digest of it")
    return found[0]


def main(arguments: list[str]) -> str:
    parser = argparse.ArgumentParser(prog="make base-image", description=__doc__)
    parser.add_argument("--tag", help="another base than that of the Dockerfile, as python:3.13-slim-trixie")
    parser.add_argument("--engine", default="docker", help="docker or podman")
    parser.add_argument("--dockerfile", type=Path, default=DOCKERFILE)
    given = parser.parse_args(arguments)
    text = given.dockerfile.read_text()
    tag, before = base(text)
    wanted = given.tag or tag
    digest = digest_of(wanted, given.engine)
    if (wanted, digest) == (tag, before):
        return f"the base is {tag}@{digest}, as before"
    given.dockerfile.write_text(moved(text, wanted, digest))
    return f"the base is {wanted}@{digest} now; it was {tag}{f'@{before}' if before else ', without a digest'}"


if __name__ == "__main__":
    run(main)
