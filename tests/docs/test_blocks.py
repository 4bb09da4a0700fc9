"""Each block of code in the documents is commands, a program in Python, settings, or in a list with its reason."""

import ast
import inspect
import re
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest
import yaml

import groundcam
from command_line import run
from doc_blocks import PROGRAMS, ROOT, Block, all_commands, blocks, rest
from groundcam.asking import regions_in
from groundcam.settings import Settings
from groundcam.zones_given import forms_in
from groundcam_runtime.settings import KafkaSettings
from groundcam_serve.keys import read_keys

PRINTS = "what a command prints; the command stands beside it"
DRAWING = "a drawing"
CARRIED = "needs a machine with internet and one without; the page says what was tried"
EXCEPTIONS = {
    ("README.md", "camera, film --> produce --> [groundcam.frames] ---+"): DRAWING,
    ("README.md", "gate         14:02:11 frame 4: 2 person, 1 bicycle (best 0.71), 412 ms"): PRINTS,
    ("README.md", "gate: asked; first answer after 0.3 s"): PRINTS,
    ("docs/air-gapped.md", "uv pip compile --quiet --no-annotate --no-header --generate-hashes --python-version 3.12 --extra serve --extra broker --constraints constraints.txt --output-file /tmp/carry/wanted.txt pyproject.toml"): CARRIED,
    ("docs/air-gapped.md", "(cd wheelhouse && sha256sum --check --quiet SHA256SUMS)"): CARRIED,
    ("docs/air-gapped.md", "(cd ~/.cache/groundcam && find kafka-* -type f -exec sha256sum {} + > /tmp/carry/kafka.sha256)"): CARRIED,
    ("docs/air-gapped.md", "mkdir -p ~/.cache/groundcam && cp -r kafka-* ~/.cache/groundcam/"): CARRIED,
    ("docs/air-gapped.md", "for image in worker producer serve events; do"): CARRIED,
    ("docs/changing.md", "git apply docs/changes/sink.patch"): "tests/unit/test_changes.py applies every patch and runs its tests",
    ("docs/supply-chain.md", "sha256sum --check SHA256SUMS"): "needs a release; the page says that there is none yet",
    ("docs/alerts.md", "groups:"): "rules of Prometheus; tests/operations/test_example_alerts.py runs them",
    ("docs/console.md", "map $http_upgrade $connection_upgrade { default upgrade; '' close; }"): "nginx's settings; it says that they are not tried",
    ("docs/console.md", "http:"): "Traefik's settings; it says that they are not tried",
    ("docs/console.md", "const socket = new WebSocket(`wss://${location.host}/v1/wall`);"): "a page's script; tests/console has the console's own, on the same protocol",
    ("docs/events.md", "gate         22:13:20 person appeared  3d5c5fe90677"): PRINTS,
    ("docs/events.md", "0,0 ────────────────────────────────── 1,0"): DRAWING,
    ("docs/questions.md", "gate: asked; first answer after 0.3 s"): PRINTS,
    ("docs/serving.md", '{"name": "anna", "role": "admin", "scopes": ["detect", "ask", "cameras", "read", "models"], "cameras": null, "login": "users", "by": "session", "expires_s": 1795700000}'): PRINTS,
    ("docs/serving.md", "from supervisely.nn.model.model_api import ModelAPI     # pictures and folders; Session works, too"): "clients of other systems; tests/clients runs them",
    ("docs/settings.md", "groundcam.yaml:12:3: work.batchsize: there is no such setting; did you mean work.batch_size?"): PRINTS,
    ("docs/subscribing.md", "camera --RTSP/file--> produce --frames, one partition per camera--> [groundcam.frames]"): DRAWING,
    ("docs/watching.md", "gate         14:02:11 frame 4: 2 person, 1 bicycle (best 0.71), 412 ms"): PRINTS,
    ("docs/watching.md", "CAMERA  STATE    SINCE                SIZE       FPS  PRODUCER     LAST ERROR"): PRINTS,
}  # fmt: skip
"""Of what is no command and is not tried here: the document and the first line, and why."""
OTHERS = {
    "kafka-configs.sh": "Kafka's own tool, on a cluster of one's own",
    "mosquitto_pub": "Mosquitto's",
    "oauth2-proxy": "it says that it is not tried",
}
"""Programs that are called and not tried, and why. Those of ours are read in test_commands.py."""
READ = {"groundcam", "make", "curl", "helm", "docker"}
RESTS = [one for one in blocks() if rest(one)]
HAS_TESTS = re.compile(r"^def test_", re.MULTILINE)
DIGEST = ("9f2d...", "9f2d" * 16)
"""What stands for a key's digest, and one."""


def is_python(text: str) -> bool:
    """Whether a text is a program, and more than one value."""
    try:
        body = ast.parse(text).body
    except SyntaxError:
        return False
    return any(not isinstance(one, ast.Expr) for one in body)


def kind_of(block: Block) -> str | None:
    """What kind of settings a block is, if any."""
    try:
        held = yaml.safe_load(rest(block))
    except yaml.YAMLError:
        return None
    if not isinstance(held, dict) or exception(block):
        return None
    if set(held) <= set(Settings.model_fields):
        return "settings"
    if all(isinstance(one, list) for one in held.values()) and "keys" not in held:
        return "regions"
    return "keys" if set(held) == {"keys"} else "zones"


def exception(block: Block) -> str | None:
    return EXCEPTIONS.get((block.document, rest(block).split("\n")[0]))


SNIPPETS = [one for one in RESTS if is_python(rest(one)) and not exception(one)]


@pytest.mark.parametrize("block", RESTS, ids=str)
def test_what_is_no_command_is_tried_or_has_a_reason(block: Block) -> None:
    assert (block in SNIPPETS) + (kind_of(block) is not None) + (exception(block) is not None) == 1, rest(block)


def test_every_exception_is_of_something_that_is_there() -> None:
    there = {(one.document, rest(one).split("\n")[0]) for one in RESTS}
    assert set(EXCEPTIONS) <= there
    assert {name for name in PROGRAMS if name not in READ and all_commands(name)} == set(OTHERS)


@pytest.mark.parametrize("block", [one for one in RESTS if kind_of(one)], ids=str)
def test_settings_are_taken_by_what_reads_them(block: Block, tmp_path: Path) -> None:
    text = rest(block)
    if kind_of(block) == "settings":
        (tmp_path / "groundcam.yaml").write_text(text)
        done = run("config", "check", str(tmp_path / "groundcam.yaml"))
        assert done.returncode == 0, done.stdout + done.stderr
    elif kind_of(block) == "keys":
        assert DIGEST[0] in text
        assert read_keys(text.replace(*DIGEST))
    elif kind_of(block) == "regions":
        assert len(regions_in(yaml.safe_load(text), "gate")) == 2
        assert regions_in(yaml.safe_load(text), "yard") == regions_in(yaml.safe_load(text), "*") != []
    else:
        assert set(forms_in(text)) == {"gate"}


def types_of(programs: list[str], folder: Path) -> "subprocess.CompletedProcess[str]":
    for number, text in enumerate(programs):
        (folder / f"snippet_{number}.py").write_text(text)
    return subprocess.run(
        [sys.executable, "-m", "mypy", "--config-file", ROOT / "pyproject.toml", *sorted(folder.glob("*.py"))],
        check=False, capture_output=True, text=True, timeout=300, cwd=ROOT,
    )  # fmt: skip


def test_the_types_of_every_program_are_right(tmp_path: Path) -> None:
    """Its syntax, names, imports and attributes, too."""
    assert len(SNIPPETS) >= 6
    done = types_of([rest(one) for one in SNIPPETS], tmp_path)
    assert done.returncode == 0, f"{dict(enumerate(map(str, SNIPPETS)))}\n{done.stdout}"


def pytest_on(block: Block, folder: Path) -> "subprocess.CompletedProcess[str]":
    """Run a block as whoever copies it does: a file of its own, in a folder without settings."""
    (folder / "pytest.ini").write_text("[pytest]\n")
    (folder / "test_copied.py").write_text(rest(block))
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", folder, folder],
        check=False, capture_output=True, text=True, timeout=120, cwd=folder,
    )  # fmt: skip


@pytest.mark.parametrize("block", [one for one in SNIPPETS if HAS_TESTS.search(rest(one))], ids=str)
def test_tests_that_are_shown_pass_as_they_stand(block: Block, tmp_path: Path) -> None:
    done = pytest_on(block, tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_test_that_is_shown_and_fails_is_found(tmp_path: Path) -> None:
    assert [one.document for one in SNIPPETS if HAS_TESTS.search(rest(one))] == ["docs/testing.md"]
    done = pytest_on(Block("a.md", 1, "", "def test_nothing() -> None:\n    assert False\n"), tmp_path)
    assert "1 failed" in done.stdout


def test_a_field_that_is_no_longer_there_is_found(tmp_path: Path) -> None:
    text = "from groundcam import subscribe_events\nfor event in subscribe_events():\n    print(event.lable)\n"
    assert '"Event" has no attribute "lable"' in types_of([text], tmp_path).stdout


@pytest.mark.parametrize("block", SNIPPETS, ids=str)
def test_what_a_program_imports_is_there_and_what_it_passes_has_a_name(block: Block) -> None:
    """`subscribe` takes Kafka's settings beside its own, which no type tells."""
    tree = ast.parse(rest(block))
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                import_module(alias.name)
        elif isinstance(node, ast.ImportFrom):
            assert {alias.name for alias in node.names} <= set(dir(import_module(str(node.module))))
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and hasattr(groundcam, node.func.id):
            function = getattr(groundcam, node.func.id)
            known = {*inspect.signature(function).parameters, *KafkaSettings.model_fields}
            assert {str(one.arg) for one in node.keywords} <= known


@pytest.mark.parametrize(
    ("text", "python"),
    [
        ("from x import y", True),
        ("gate: asked; first answer after 0.3 s", False),
        ('{"a": None}', False),
        ("a = 1", True),
        ("", False),
    ],
)
def test_a_program_is_told_from_what_is_printed(text: str, *, python: bool) -> None:
    assert is_python(text) is python
