"""The console as an app of its own, as browsers install them."""

import json

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
