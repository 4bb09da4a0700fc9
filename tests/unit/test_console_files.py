"""The console's files: nothing from elsewhere, no script in the page, a word for everything that the service says."""

import hashlib
import json
import re
import subprocess
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from groundcam_schemas import CameraState, EndReason, GapReason
from groundcam_serve.console.files import console_files
from npm import installed

STATIC = Path(__file__).parents[2] / "serve/groundcam_serve/console/static"
OWN = [path for path in sorted(STATIC.rglob("*")) if path.is_file() and "vendor" not in path.parts]


def keys(name: str) -> set[str]:
    """The names in one of the objects of words.js."""
    body = re.search(rf"export const {name} = {{\n(.*?)\n}};", (STATIC / "words.js").read_text(), re.DOTALL)
    assert body
    return set(re.findall(r"^  (\w+):", body.group(1), re.MULTILINE))


def test_every_reason_and_state_has_words() -> None:
    assert keys("GAPS") == keys("ADVICE") == {one.value for one in GapReason}
    assert keys("STATES") == {one.value for one in CameraState}
    assert keys("ENDS") == {one.value for one in EndReason}


def test_vendored_files_are_those_of_the_manifest() -> None:
    manifest = json.loads((STATIC / "vendor/manifest.json").read_text())
    there = {path.name for path in (STATIC / "vendor").iterdir() if path.name != "manifest.json"}
    assert {name for one in manifest for name in (one["file"], one["types"], *one["licences"])} == there
    for one in manifest:
        assert hashlib.sha256((STATIC / "vendor" / one["file"]).read_bytes()).hexdigest() == one["sha256"]


@pytest.mark.parametrize("path", OWN, ids=lambda path: path.name)
def test_a_file_is_short_and_loads_nothing_from_elsewhere(path: Path) -> None:
    text = path.read_text()
    assert len(text.splitlines()) <= 300
    addresses = set(re.findall(r"\bhttps?://[^\s\"'`<>)]+", text)) - {"http://www.w3.org/2000/svg"}
    assert not addresses, addresses
    assert not re.search(
        r"\beval\(|new Function|innerHTML|outerHTML|insertAdjacentHTML|dangerouslySetInnerHTML|document\.write", text
    )


def test_the_page_has_no_script_or_style_in_it() -> None:
    page = (STATIC / "index.html").read_text()
    assert re.findall(r"<script[^>]*>(.*?)</script>", page, re.DOTALL) == [""]
    assert "<style" not in page
    assert not re.search(r"\son\w+=", page)


def test_every_import_is_there() -> None:
    for path in OWN:
        if path.suffix == ".js":
            for name in re.findall(r"from \"(\./[^\"]+)\"", path.read_text()):
                assert (STATIC / name).is_file(), f"{path.name} imports {name}"


def test_its_types_hold() -> None:
    """By JSDoc; checked where Node is at hand, which nobody needs to run or to change the page."""
    compiler = installed(Path(__file__).parents[1] / "node" / "typescript") / "typescript" / "bin" / "tsc"
    done = subprocess.run(["node", compiler, "--project", STATIC.parent], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_the_page_is_small_on_the_wire_and_a_script_that_is_known_is_not_sent_again() -> None:
    """Less than many a library by itself: a phone has it at once."""
    client, size = TestClient(console_files()), 0
    for path in STATIC.rglob("*.js"):
        answer = client.get(f"/{path.relative_to(STATIC)}", headers={"Accept-Encoding": "gzip"})
        assert (answer.status_code, answer.text) == (200, path.read_text())
        assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'; script-src 'self'")
        if path.stat().st_size > 1000:
            assert (answer.headers["Content-Encoding"], answer.headers["Vary"]) == ("gzip", "Accept-Encoding")
        size += int(answer.headers["Content-Length"])
        again = client.get(f"/{path.relative_to(STATIC)}", headers={"If-None-Match": answer.headers["ETag"]})
        assert (again.status_code, again.content) == (304, b"")
        plain = client.get(f"/{path.relative_to(STATIC)}", headers={"Accept-Encoding": "identity"})
        assert "Content-Encoding" not in plain.headers
    assert size < 60_000
