"""The command line as a user runs it, to its end."""

import os
import subprocess
import sys

COMMAND = [sys.executable, "-m", "groundcam"]


def run(*arguments: str, given: str | None = None, **variables: str) -> subprocess.CompletedProcess[str]:
    """`given` is what it reads from standard input."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GROUNDCAM_")}
    return subprocess.run(
        [*COMMAND, *arguments],
        input=given,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env=environment | variables,
    )
