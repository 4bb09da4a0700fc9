"""Run a command for as long as the process that asked for it lives, then clean up behind it.

`python -m groundcam_runtime.guard FOLDER COMMAND...` reads standard input, which nobody writes to: its end
means that the parent is gone, however it went, SIGKILL included; the command is ended and FOLDER removed.
SIGUSR1 kills the command as a power cut would. No import but the standard library.
"""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path

GRACE_S = 5.0


def main() -> int:
    """Return the command's exit code once it has ended, or was ended because the parent is gone."""
    folder, *command = sys.argv[1:]
    # The parent decides when to stop; a Ctrl-C in the terminal reaches it, not us.
    # (A handler, not SIG_IGN: the command would inherit that, and ignore our own SIGTERM.)
    for stop in (signal.SIGINT, signal.SIGTERM):
        signal.signal(stop, lambda _signal, _frame: None)
    child = subprocess.Popen(command, stdin=subprocess.DEVNULL)
    signal.signal(signal.SIGUSR1, lambda _signal, _frame: child.kill())
    parent_gone = threading.Event()
    threading.Thread(target=_end_with_parent, args=(child, parent_gone), daemon=True).start()
    code = child.wait()
    if folder and parent_gone.is_set():
        shutil.rmtree(folder, ignore_errors=True)
        _remove_if_empty(Path(folder).parent)
    return code


def _end_with_parent(child: "subprocess.Popen[bytes]", parent_gone: threading.Event) -> None:
    # Not sys.stdin: its lock, held by this thread, would abort the interpreter at its end.
    os.read(0, 1)
    parent_gone.set()
    child.terminate()
    try:
        child.wait(GRACE_S)
    except subprocess.TimeoutExpired:
        child.kill()


def _remove_if_empty(folder: Path) -> None:
    with contextlib.suppress(OSError):  # another node still lives in it
        folder.rmdir()


if __name__ == "__main__":
    sys.exit(main())
