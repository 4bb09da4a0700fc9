"""What the images are called, what their labels and bills of materials say, and where their base comes from."""

import io
import json
import re
import subprocess
import sys
import sysconfig
import tarfile
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from supply_chain import base_image, sbom
from supply_chain.errors import FindingError, UnavailableError
from supply_chain.image import Image, debian_packages, described, unpack
from supply_chain.inventory import closure, read_wheels
from supply_chain.knowledge import read_knowledge
from supply_chain.notice import IMAGES
from wheels import ELF, install

ROOT = Path(__file__).parents[2]
DOCKERFILE = (ROOT / "Dockerfile").read_text()
VERSION = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
CHART = yaml.safe_load((ROOT / "helm/groundcam/Chart.yaml").read_text())
VALUES = yaml.safe_load((ROOT / "helm/groundcam/values.yaml").read_text())
DIGEST = f"sha256:{'1' * 64}"
KNOWLEDGE = read_knowledge()


def commands(*given: str) -> str:
    """What `make images` would run."""
    done = subprocess.run(["make", "-n", "images", *given], cwd=ROOT, capture_output=True, text=True, check=True)
    return done.stdout


def test_make_compose_and_the_chart_take_one_tag_by_default() -> None:
    assert VALUES["image"]["tag"] == ""
    assert CHART["appVersion"] == VERSION
    assert f"--tag groundcam/$image:{VERSION} " in commands()
    composed = {one["image"] for one in yaml.safe_load((ROOT / "compose.yaml").read_text())["services"].values()}
    ours = {image for image in composed if image.startswith("groundcam/")}
    assert ours == {f"groundcam/{image}:${{TAG:-{VERSION}}}" for image in IMAGES}
    assert {VALUES["image"][one]["repository"] for one in IMAGES} == {image.partition(":")[0] for image in ours}


def test_make_fills_the_labels_and_hands_the_certificates_over_as_a_secret() -> None:
    said = commands("CA=/somewhere/ca.pem", "TAG=other", "REVISION=abc")
    assert f"--build-arg VERSION={VERSION} --build-arg REVISION=abc" in said
    assert "--secret id=ca,src=/somewhere/ca.pem" in said
    assert ":other " in said
    assert "--secret" not in commands()
    assert re.search(r"--build-arg REVISION=(unknown|[0-9a-f]{40}(-dirty)?)\s", commands())


def test_every_label_of_an_image_is_filled() -> None:
    final = DOCKERFILE.partition("AS final")[2]
    labels = dict(re.findall(r'(org\.opencontainers\.image\.\w+)="([^"]*)"', final))
    names = {"title", "description", "licenses", "version", "revision"}
    assert {one.rpartition(".")[2] for one in labels} == names
    assert all(labels.values())
    assert f"ARG VERSION={VERSION}\nARG REVISION=unknown\n" in final


def test_every_step_that_downloads_trusts_the_certificates_of_the_secret_and_leaves_none() -> None:
    steps = [step for step in re.split(r"^(?=[A-Z]+ )", DOCKERFILE, flags=re.MULTILINE) if step.startswith("RUN")]
    for step in steps:
        if "uv pip" in step or "pip install" in step or "list_packages" in step:
            assert step.startswith("RUN --mount=type=secret,id=ca "), step
            assert "with_ca" in step, step
    assert "ARG PIP_CERT" not in DOCKERFILE


def test_every_package_that_an_image_downloads_is_checked_by_its_hash() -> None:
    """What comes from another index of torch's packages is the exception, and stands in a list of its own."""
    joined = DOCKERFILE.replace("\\\n", " ")
    installs = re.findall(r"pip install [^\n]*?(?=&&|;|\n)", joined)
    assert len(installs) == 7
    for one in installs:
        assert "--require-hashes" in one or "--require-build-hashes" in one or "worker-other.txt" in one, one


def test_the_notice_goes_into_the_wheel_and_the_images() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["license-files"] == ["LICENSE", "NOTICE"]
    assert "cp LICENSE NOTICE /app/" in DOCKERFILE
    assert "!NOTICE\n" in (ROOT / ".dockerignore").read_text()


def test_every_package_of_the_program_gets_into_the_images() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    folders = {path.partition("/")[0] for path in project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]}
    sent = set(re.findall(r"^!(\w+)$", (ROOT / ".dockerignore").read_text(), re.MULTILINE))
    assert folders <= sent
    assert folders <= set(re.findall(r"^COPY (\w+) \1$", DOCKERFILE, re.MULTILINE))


def archive(files: dict[str, bytes]) -> io.BytesIO:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as tar:
        for path, content in files.items():
            member = tarfile.TarInfo(path)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    stream.seek(0)
    return stream


def image(folder: Path, packages: Path, **config: object) -> Image:
    """An image that holds these packages, and two packages of Debian, as it comes out of a container engine."""
    status = (
        "Package: bash\nStatus: install ok installed\nVersion: 5.2\nArchitecture: amd64\n\n"
        "Package: gone\nStatus: deinstall ok config-files\nVersion: 1\nArchitecture: all\n\n"
        "Package: dash\nStatus: install ok installed\nVersion: 0.5\nArchitecture: amd64\n"
    )
    files = {
        f"venv/lib/python3.12/site-packages/{path.relative_to(packages)}": path.read_bytes()
        for path in packages.rglob("*")
        if path.is_file()
    }
    files |= {"var/lib/dpkg/status": status.encode(), "etc/os-release": b'ID=debian\nVERSION_ID="12"\n', "etc/x": b"x"}
    unpack(archive(files), folder, lambda path: sbom.looked_into(KNOWLEDGE, path))
    shown = {"Id": DIGEST, "Config": {"Env": ["PYTHON_VERSION=3.12.9", "A=b=c"], "Labels": None} | config}
    return described("groundcam/producer:1", shown, folder)


def test_a_bill_of_materials_names_packages_what_they_bundle_and_the_base(tmp_path: Path) -> None:
    packages = tmp_path / "packages"
    install(packages, "groundcam", metadata="License-Expression: Apache-2.0\nRequires-Dist: av>=17")
    module = "simplejpeg/_jpeg.cpython-312-x86_64-linux-gnu.so"
    install(packages, "av", files={"av.libs/libx264-1.so": ELF, "av/__init__.py": b"import sys"})
    install(packages, "simplejpeg", files={module: ELF + b"libjpeg-turbo version 3"})
    one = image(tmp_path / "root", packages)
    wheels = read_wheels(one.folders(), KNOWLEDGE)
    bill = json.loads(sbom.bill(one, wheels))
    purls = {component.get("purl") for component in bill["components"]}
    assert {"pkg:pypi/av@1.0", "pkg:generic/python@3.12.9"} < purls
    assert "pkg:deb/debian/bash@5.2?arch=amd64&distro=debian-12" in purls
    assert not any("gone" in str(purl) for purl in purls)
    inside = {
        part["name"]: part["licenses"] for component in bill["components"] for part in component.get("components", ())
    }
    assert inside["x264"] == [{"license": {"id": "GPL-2.0-or-later"}}]
    assert "libjpeg-turbo" in inside
    assert {"ref": "groundcam", "dependsOn": ["av"]} in bill["dependencies"]
    assert not (one.root / "etc/x").exists()
    kept = one.root / "venv/lib/python3.12/site-packages/av.libs/libx264-1.so"
    assert kept.read_bytes() == ELF[:4]


def test_a_label_that_keeps_a_licence_back_is_told(tmp_path: Path) -> None:
    install(tmp_path, "av", files={"av.libs/libx264-1.so": ELF})
    wheels = read_wheels([tmp_path], KNOWLEDGE)
    assert sbom.untold("Apache-2.0", wheels, KNOWLEDGE) == ["GPL-2.0-or-later", "MIT"]
    assert sbom.untold("GPL-2.0-or-later AND MIT AND Zlib", wheels, KNOWLEDGE) == []


def test_no_member_of_an_image_is_written_outside_the_folder(tmp_path: Path) -> None:
    root = tmp_path / "root"
    unpack(archive({"app/../../escaped": b"x", "app/fine": b"x"}), root, lambda _: True)
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["fine"]


def test_a_base_that_is_no_debian_has_no_packages(tmp_path: Path) -> None:
    assert debian_packages(tmp_path) == []


@pytest.mark.parametrize("line", ["ARG BASE={}", "  BASE: ${{BASE:-{}}}"])
@pytest.mark.parametrize("before", ["python:3.12-slim", f"python:3.12-slim@sha256:{'0' * 64}"])
def test_the_base_moves_to_another_digest_and_nothing_else_changes(before: str, line: str) -> None:
    text = f"# about ARG BASE\n{line.format(before)}\nFROM ${{BASE}}\n"
    assert base_image.base(text)[0] == "python:3.12-slim"
    assert base_image.moved(text, "python:3.12-slim", DIGEST) == text.replace(before, f"python:3.12-slim@{DIGEST}")


def test_the_dockerfile_and_compose_name_one_base_where_the_tool_finds_it() -> None:
    assert base_image.base(DOCKERFILE) == base_image.base((ROOT / "compose.yaml").read_text())
    assert re.findall(r"^FROM (?!\$\{BASE\}|builder|final)", DOCKERFILE, re.MULTILINE) == []
    for text in ("FROM python:3.12\n", "ARG BASE=a:1\nARG BASE=b:1\n"):
        with pytest.raises(FindingError, match="not one line ARG BASE="):
            base_image.base(text)


def engine(folder: Path, pulled: str, known: str) -> str:
    """A container engine that says these when it pulls and when it is asked what it has."""
    program = folder / "engine"
    program.write_text(f'#!/bin/sh\ncase "$1" in pull) printf "%b" "{pulled}";; image) printf "%b" "{known}";; esac\n')
    program.chmod(0o755)
    return str(program)


OLD = f"sha256:{'2' * 64}"
HELD = f"docker.io/library/python@{OLD}\\npython@{DIGEST}\\n"


def test_the_digest_is_what_the_registry_says_and_not_one_of_several_that_are_known(tmp_path: Path) -> None:
    """Docker keeps older ones, and Podman that of a platform."""
    said = f"3.12: Pulling from library/python\\nDigest: {DIGEST}\\nStatus: Image is up to date\\n"
    assert base_image.digest_of("python:3.12", engine(tmp_path, said, HELD)) == DIGEST
    one = engine(tmp_path, "0123\\n", f"python@{DIGEST}\\nother@{OLD}\\n")
    assert base_image.digest_of("python:3.12", one) == DIGEST
    with pytest.raises(FindingError, match="knows 2 digests of it: name the right one"):
        base_image.digest_of("python:3.12", engine(tmp_path, "0123\\n", HELD))
    with pytest.raises(FindingError, match="knows no digest of it"):
        base_image.digest_of("python:3.12", engine(tmp_path, "0123\\n", "<none>\\n"))


ABSENT = "engine-that-is-not-there"


@pytest.mark.parametrize(
    ("program", "given"),
    [(base_image.main, []), (sbom.main, ["groundcam/producer:1", "--output", "nowhere.json"])],
    ids=["base-image", "sbom"],
)
def test_without_a_container_engine_one_sentence_says_so(program: Callable[[list[str]], str], given: list[str]) -> None:
    with pytest.raises(UnavailableError, match=f"^there is no {ABSENT} on the PATH, so [^\n]*$"):
        program([*given, "--engine", ABSENT])


UNKNOWN_ELSEWHERE = """
import importlib.metadata, re, sys
held = set(sys.argv[1:])
def named(name): return re.sub(r"[-_.]+", "-", name).lower()
absent = {
    module for module, owners in importlib.metadata.packages_distributions().items()
    if not held & {named(owner) for owner in owners}
}
class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in absent:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Absent())
for module in [one for one in sys.modules if one.partition(".")[0] in absent]:
    del sys.modules[module]
"""
"""Lets no package be found but those that are named."""
STARTS = {
    "serve": """
import groundcam.commands.console, groundcam.commands.serve, groundcam.serving, groundcam_runtime.tracing
assert "groundcam_serve.server" in sys.modules
""",
    "events": """
import groundcam.commands.track, groundcam_events.run
assert "scipy" in sys.modules
""",
}


@pytest.mark.parametrize(
    ("image", "lacks"),
    [("serve", ""), ("serve", "granian"), ("events", ""), ("events", "scipy"), ("events", "msgpack")],
)
def test_a_process_starts_with_what_its_image_holds(image: str, lacks: str) -> None:
    installed = read_wheels([Path(sysconfig.get_path("purelib"))], KNOWLEDGE)
    held = set(closure(installed, "groundcam", IMAGES[image])) - {lacks}
    assert "torch" not in held
    begun = [sys.executable, "-c", UNKNOWN_ELSEWHERE + STARTS[image], *held]
    done = subprocess.run(begun, capture_output=True, text=True, check=False)
    assert (done.returncode != 0) == bool(lacks), done.stderr
