"""Secrets in the forms in which they are written."""

import io
import logging

import pytest

from groundcam_runtime import logs
from groundcam_runtime.redaction import HIDDEN, redact, register


@pytest.mark.parametrize("secret", ["it's\\backslash-1", "both'and\"quotes-2", "new\nline-3", "tab\tand-ünïcode\x07-4"])
def test_a_secret_is_hidden_where_a_line_shows_its_representation(secret: str) -> None:
    """As `%r` and the texts of many exceptions do."""
    register(secret)
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(logs.HumanFormatter())
    logger = logging.Logger("test")
    logger.addHandler(handler)
    logger.warning("the password %r is refused", secret)
    assert HIDDEN in stream.getvalue()
    assert repr(secret)[1:-1] not in stream.getvalue()
    assert redact(f"options: {[secret]}") == f"options: [{repr(secret)[0]}{HIDDEN}{repr(secret)[-1]}]"


def test_a_secret_that_holds_another_is_hidden_whole() -> None:
    register("orchard-gate")
    register("orchard-gate-and-the-rest")
    assert redact("x orchard-gate-and-the-rest y orchard-gate z") == f"x {HIDDEN} y {HIDDEN} z"


@pytest.mark.parametrize("scheme", ["rtsp", "rtsps", "rtmp", "http", "https"])
def test_the_query_of_an_address_is_hidden_whatever_its_names_are(scheme: str) -> None:
    shown = redact(f"opening {scheme}://cam.local:554/live?sid=Ab12&channel=1 failed")
    assert shown == f"opening {scheme}://cam.local:554/live?{HIDDEN} failed"


def test_what_follows_a_question_mark_elsewhere_stays() -> None:
    assert redact("is it there? nobody=knows") == "is it there? nobody=knows"
