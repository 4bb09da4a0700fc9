"""Run a command for as long as the process that asked for it lives, then clean up behind it.

`python -m groundcam.devkafka.guard FOLDER COMMAND...` reads standard input, which nobody writes to: its end
means that the parent is gone, however it went, SIGKILL included; the command is ended and FOLDER removed.
SIGUSR1 kills the command as a power cut would. It imports the standard library and what reads signals.
"""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

from groundcam_runtime.signals import on_signal

GRACE_S = 5.0


def main() -> int:
    """Return the command's exit code once it has ended, or was ended because the parent is gone."""
    folder, *command = sys.argv[1:]
    # The parent decides when to stop; a Ctrl-C in the terminal reaches it, not us.
    # (A handler, not SIG_IGN: the command would inherit that, and ignore our own SIGTERM.)
    on_signal((signal.SIGINT, signal.SIGTERM), lambda: None)
    # A group of its own, so that whatever it starts can be ended with it.
    child = subprocess.Popen(command, stdin=subprocess.DEVNULL, start_new_session=True)
    on_signal((signal.SIGUSR1,), child.kill)
    parent_gone = threading.Event()
    threading.Thread(target=_end_with_parent, args=(child, parent_gone), daemon=True).start()
    code = child.wait()
    _end_group(child.pid)
    if folder and parent_gone.is_set():
        shutil.rmtree(folder, ignore_errors=True)
        _remove_if_empty(Path(folder).parent)
    return code


def _end_with_parent(child: "subprocess.Popen[bytes]", parent_gone: threading.Event) -> None:
    # Not sys.stdin: its lock, owned by this thread, would abort the interpreter at its end.
    os.read(0, 1)
    parent_gone.set()
    child.terminate()
    try:
        child.wait(GRACE_S)
    except subprocess.TimeoutExpired:
        _signal_group(child.pid, signal.SIGKILL)


def _end_group(group: int) -> None:
    """End what the command has left behind."""
    deadline = time.monotonic() + GRACE_S
    if _signal_group(group, signal.SIGTERM):
        while time.monotonic() < deadline and _signal_group(group, 0):
            time.sleep(0.05)
        _signal_group(group, signal.SIGKILL)


def _signal_group(group: int, number: int) -> bool:
    """Send a signal to a group; return whether anybody is in it."""
    try:
        os.killpg(group, number)
    except ProcessLookupError:
        return False
    return True


def _remove_if_empty(folder: Path) -> None:
    with contextlib.suppress(OSError):  # another node still lives in it
        folder.rmdir()


if __name__ == "__main__":
    sys.exit(main())
