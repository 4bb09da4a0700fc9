"""Secrets in the forms in which they are written, and what stays readable."""

import base64
import io
import json
import logging
from collections.abc import Iterator
from urllib.parse import quote, quote_plus

import pytest

from groundcam_runtime import logs, redaction
from groundcam_runtime.redaction import HIDDEN, public_url, redact, register, register_url


@pytest.fixture(autouse=True)
def _forget() -> Iterator[None]:
    before = dict(redaction._registered)
    redaction._registered.clear()
    yield
    redaction._registered.clear()
    redaction._registered.update(before)


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


@pytest.mark.parametrize("inner_first", [True, False])
def test_a_secret_that_holds_another_is_hidden_whole(inner_first: bool) -> None:
    for secret in sorted(["orchard-gate", "orchard-gate-and-the-rest"], reverse=not inner_first):
        register(secret)
    assert redact("x orchard-gate-and-the-rest y orchard-gate z") == f"x {HIDDEN} y {HIDDEN} z"


@pytest.mark.parametrize("scheme", ["rtsp", "rtsps", "rtmp", "http", "https"])
def test_the_query_of_an_address_is_hidden_whatever_its_names_are(scheme: str) -> None:
    shown = redact(f"opening {scheme}://cam.local:554/live?sid=Ab12&channel=1 failed")
    assert shown == f"opening {scheme}://cam.local:554/live?{HIDDEN} failed"


def test_what_follows_a_question_mark_elsewhere_stays() -> None:
    assert redact("is it there? nobody=knows") == "is it there? nobody=knows"


def test_a_secret_of_three_letters_is_hidden_and_one_of_two_would_blank_out_words() -> None:
    register("abc")
    register("de")
    assert redact("abc and de, abcde") == "*** and de, ***de"


@pytest.mark.parametrize("secret", ["p@ss/wörd +1", "50% off", "a+b c", "x/y"])
def test_a_secret_is_hidden_in_every_form_that_a_url_gives_it(secret: str) -> None:
    register(secret)
    for form in (secret, quote(secret), quote(secret, safe=""), quote_plus(secret)):
        assert redact(f"said {form}, and more") == "said ***, and more"


def test_a_secret_that_was_given_percent_encoded_is_hidden_as_it_is_meant() -> None:
    register("p%40ss")
    assert redact("p%40ss is p@ss") == "*** is ***"


def test_of_tokens_the_newest_are_known_and_they_push_out_no_other_secret() -> None:
    register("camera-Passw0rd")
    for number in range(3000):
        redaction.register_token(f"to+ken/{number}==")
    assert len(redaction._tokens) == redaction.MOST_TOKENS
    assert redact("to+ken/2999== to+ken/2990==") == "*** ***"
    assert redact("camera-Passw0rd") == "***"
    redaction._tokens.clear()


def test_the_last_64_tokens_are_hidden() -> None:
    redaction._tokens.clear()
    for number in range(64):
        redaction.register_token(f"token-{number:03}")
    assert redact("token-000") == "***"
    redaction.register_token("token-064")
    assert redact("token-000, token-001, token-064") == "token-000, ***, ***"
    redaction._tokens.clear()


@pytest.mark.parametrize("secret", ['\u00fc"quoted\u00fc', '"', "\u00fc\u00fc\u00fc", 'a"b'])
def test_json_shows_no_letter_of_a_secret(secret: str) -> None:
    register(f"{secret}-and-{secret}")
    for is_ascii in (True, False):
        assert redact(json.dumps([f"{secret}-and-{secret}"], ensure_ascii=is_ascii)) == '["***"]'


def test_a_tab_in_a_secret_is_no_blank_that_may_be_a_plus() -> None:
    register("ab\tcd")
    assert redact("said %61b\tcd") == "said ***"
    assert redact("said ab+cd") == "said ab+cd"


@pytest.mark.parametrize(("password", "is_hidden"), [("ab", False), ("abc", True), ("abcd", True)])
def test_a_header_is_hidden_where_its_password_is_no_ordinary_word(password: str, is_hidden: bool) -> None:
    register_url(f"rtsp://viewer:{password}@cam/live")
    header = base64.b64encode(f"viewer:{password}".encode()).decode()
    assert redact(f"Basic {header}") == f"Basic {HIDDEN if is_hidden else header}"


@pytest.mark.parametrize("run", [1, 2, 2047, 2048, 2049, 2050, 5000])
def test_what_may_be_a_url_before_the_cut_is_left_out_up_to_2048_characters(run: int) -> None:
    text = " " * (65_536 - run) + ":" * run + ":rest"
    assert redact(text) == " " * (65_536 - run) + ":" * max(0, run - 2048) + "... (cut)"


def test_no_secret_of_the_settings_is_ever_forgotten() -> None:
    for number in range(5000):
        register(f"secret {number} of many")
    assert redact("secret 0 of many, secret 4999 of many") == "***, ***"


def test_a_secret_across_the_cut_is_hidden_before_it() -> None:
    register("camera-Passw0rd")
    assert "camera" not in redact("x" * (redaction.LONGEST_TEXT - 9) + "camera-Passw0rd tail")


def test_a_url_across_the_cut_shows_nothing_of_a_password_that_nobody_registered() -> None:
    for before in range(5, 40):
        text = " " * (redaction.LONGEST_TEXT - before) + "rtsp://viewer:Passw0rd-of-a-stranger@cam/live"
        assert "Passw" not in redact(text)


@pytest.mark.parametrize(
    "form",
    ["p%40ss%2Fw%C3%B6rd%20x", "p%40ss%2fw%c3%b6rd%20x", "p@ss%2Fw\u00f6rd+x", "%70%40%73%73%2f%77%c3%b6%72%64%20%78"],
)
def test_a_secret_is_hidden_however_much_of_it_is_percent_encoded(form: str) -> None:
    register("p@ss/w\u00f6rd x")
    assert redact(f"said {form}, and more") == "said ***, and more"


def test_a_secret_is_hidden_in_json_in_python_and_in_a_header() -> None:
    register_url("rtsp://viewer:it's%20%22me%22%C3%BC@cam/live")
    secret = 'it\'s "me"\u00fc'
    for text in (json.dumps({"a": secret}), json.dumps([secret], ensure_ascii=False), repr({"a": secret})):
        assert "me" not in redact(text)
    header = base64.b64encode(f"viewer:{secret}".encode()).decode()
    assert redact(f"Authorization: Basic {header}") == "Authorization: Basic ***"


@pytest.mark.parametrize(
    "text",
    ["produce.cameras.rtsp://viewer:PW12@h/x: no", "0rtsp://u:PW12@h", "a-scheme-of-many-letters://u:PW12@h",
     "rtsp:/u:PW12@h/x", "'rtsp://u:PW'12@h/x'", "file:rtsp://u:PW12@h/x", "RTSP://u:P@W12@h/x"],
)  # fmt: skip
def test_a_password_in_anything_like_a_url_is_hidden(text: str) -> None:
    assert "12@" not in redact(text)
    assert "PW" not in redact(text)


def test_the_password_of_a_url_is_hidden_elsewhere_and_its_user_is_not() -> None:
    register_url("rtsp://viewer:hunter:22@cam/live")
    register_url("rtsp://guest@cam/live")
    assert redact("viewer and guest said hunter:22") == "viewer and guest said ***"


def test_credentials_in_a_path_are_hidden_elsewhere_and_their_names_are_not() -> None:
    register_url("rtsp://cam/user=admin&password=hunter22&channel=1&TOKEN=abc123/live")
    assert redact("admin, password, hunter22 on channel 1, abc123") == "admin, password, *** on channel 1, ***"


def test_values_of_a_query_are_hidden_elsewhere_unless_they_are_as_short_as_words() -> None:
    register_url("rtsp://cam/live?a=abcdef&b=ghijk&c=lmnopqrstuvw&mnbvcx&d=")
    assert redact("abcdef, ghijk, lmnopqrstuvw, mnbvcx") == "***, ghijk, ***, mnbvcx"
    register_url("rtsp://cam/longpath/without=aquery")
    assert redact("longpath, without aquery") == "longpath, without aquery"


def test_a_text_of_64_kib_is_whole_and_a_longer_one_is_cut() -> None:
    longest = "x" * 65_536
    assert redact(longest) == longest
    assert redact(longest + "y") == longest + "... (cut)"


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("rtsp://u:p@cam:554/a/b?x=1?y=2#z", "rtsp://cam:554/a/b"),
        ("rtsp://cam", "rtsp://cam"),
        ("rtsp://u@cam?x=1", "rtsp://cam"),
        ("rtsp://u:p@[::1]:554/a#b?c", "rtsp://[::1]:554/a"),
        ("http://u:a@b@cam/x/y/z", "http://cam/x/y/z"),
        ("/srv/clip.mp4", "/srv/clip.mp4"),
    ],
)
def test_a_url_is_shown_by_its_scheme_host_and_path(url: str, shown: str) -> None:
    assert public_url(url) == shown


def test_a_registered_secret_is_hidden_in_what_is_no_url() -> None:
    register("hunter22")
    assert public_url("/srv/hunter22/clip.mp4") == "/srv/***/clip.mp4"
    assert public_url("rtsp://cam/hunter22") == "rtsp://cam/***"
