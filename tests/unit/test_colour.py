"""Colour and cursor movements are for terminals, and never with NO_COLOR."""

import os
import pty
import subprocess
import sys

import pytest

WORDS = [["track", "--help"], ["cameras", "--nonsense"], ["produce"]]


def on_a_terminal(words: list[str], **variables: str) -> bytes:
    """What a command writes where both of its ends are a terminal."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "groundcam", *words], stdin=theirs, stdout=theirs, stderr=theirs,
        env=os.environ | {"TERM": "xterm-256color"} | variables,
    )  # fmt: skip
    os.close(theirs)
    written = b""
    try:
        while chunk := os.read(ours, 65536):
            written += chunk
    except OSError:  # that is how the end of a terminal looks on Linux
        pass
    process.wait(30)
    os.close(ours)
    return written


@pytest.mark.parametrize("words", WORDS, ids=" ".join)
def test_no_colour_is_written_where_no_colour_is_wanted(words: list[str]) -> None:
    written = on_a_terminal(words, NO_COLOR="1")
    assert written
    assert b"\x1b" not in written


@pytest.mark.parametrize("words", WORDS, ids=" ".join)
def test_no_colour_is_written_into_a_pipe(words: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "groundcam", *words], capture_output=True, check=False,
        env=os.environ | {"TERM": "xterm-256color"},
    )  # fmt: skip
    assert done.stdout + done.stderr
    assert b"\x1b" not in done.stdout + done.stderr
