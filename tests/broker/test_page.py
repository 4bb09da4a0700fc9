"""`groundcam watch --html`: a short way to the console."""

import re
import urllib.request

import pytest

from conftest import Start, Wait
from groundcam_runtime.settings import KafkaSettings

pytestmark = pytest.mark.broker

DIRECTLY = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def is_there(url: str) -> bool:
    try:
        DIRECTLY.open(url, timeout=5).close()
    except OSError:
        return False
    return True


def test_it_serves_the_console_of_some_cameras_and_a_taken_port_is_told_in_a_sentence(
    kafka: KafkaSettings, start: Start, wait: Wait
) -> None:
    watcher = start(kafka, "watch", "--html", "0", "--camera", "gate", "--camera", "yard")
    wait(lambda: "the console is at" in watcher.log, 60, "the page")
    found = re.search(
        r"the page is at (http://127.0.0.1:(\d+)/console/)#/\?wall=gate,yard; Ctrl-C stops it", watcher.out
    )
    assert found
    wait(lambda: is_there(found[1]), 30, "its answer")
    with DIRECTLY.open(found[1], timeout=10) as page:
        assert "script-src 'self'" in page.headers["Content-Security-Policy"]
        assert b'src="main.js"' in page.read()
    second = start(kafka, "watch", "--html", found[2])
    assert second.process.wait(60) == 2
    assert f"serve.port: 127.0.0.1:{found[2]} cannot be listened on" in second.log
    assert watcher.stop() == 0
