"""The console as an app of its own, as browsers install them."""

import gzip
import json
import urllib.request
from pathlib import Path

import pytest

from browser import PHONE, Open, Stack

pytestmark = pytest.mark.broker


def test_a_browser_finds_what_it_needs_to_install_it(stack: Stack, tab: Open) -> None:
    with tab(stack.address, PHONE) as shown:
        shown.go()
        shown.page.get_by_text("No camera has told of itself yet").wait_for()
        session = shown.page.context.new_cdp_session(shown.page)
        found = session.send("Page.getAppManifest")
        assert (found["errors"], json.loads(found["data"])["name"]) == ([], "groundcam")
        faults = {one["errorId"] for one in session.send("Page.getInstallabilityErrors")["installabilityErrors"]}
        assert faults <= {"in-incognito"}, "the test's own window is one"


def test_scripts_come_compressed_from_the_server_that_there_is(stack: Stack) -> None:
    request = urllib.request.Request(f"{stack.address}/console/main.js", headers={"Accept-Encoding": "gzip"})
    with urllib.request.urlopen(request, timeout=30) as answer:
        body = answer.read()
        assert answer.headers["Content-Encoding"] == "gzip"
    script = Path(__file__).parents[2] / "serve/groundcam_serve/console/static/main.js"
    assert gzip.decompress(body) == script.read_bytes()
