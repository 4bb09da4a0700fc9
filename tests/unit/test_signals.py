"""Signals act on a thread of their own, so that no handler waits for a lock that its own thread has. Real processes."""

import ast
import os
import random
import select
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from groundcam.commands.options import until_stopped

ROOT = Path(__file__).parents[2]
PRODUCT = ["groundcam", "producers", "runtime", "schemas", "worker"]
SIGNALS = ROOT / "runtime" / "groundcam_runtime" / "signals.py"
END_S = 30.0

PAUSES_S, STOPS = (0.0005, 0.0, 0.0005, 0.0), 500
"""2,000 SIGTERMs in all: each of four children is stopped 500 times, and asks for an event again after each stop.

Two of them turn 2,000 times a second, as a worker under load, and two without a rest, which meets more locks: with
handlers that set the events themselves more than every second stop of these hangs.
"""
BUSY = """
import os, sys, threading
from groundcam.commands.options import until_stopped

pause_s, stops = float(sys.argv[1]), int(sys.argv[2])
for _ in range(stops):
    wake = threading.Event()
    stop = until_stopped(wake)
    os.write(1, b".")  # not print: its lock would be one more
    while not stop.is_set():
        wake.clear()
        wake.wait(pause_s)
"""


def run(code: str, *arguments: object) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(
        [sys.executable, "-c", code, *map(str, arguments)], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )  # fmt: skip


def said(child: "subprocess.Popen[bytes]", timeout_s: float = END_S) -> bytes:
    """What a child writes next; nothing where it has ended, or writes nothing in that time."""
    assert child.stdout is not None
    ready, _, _ = select.select([child.stdout], [], [], timeout_s)
    return os.read(child.stdout.fileno(), 4096) if ready else b""


def ended(child: "subprocess.Popen[bytes]") -> tuple[int, str]:
    """A child's exit code and what it wrote on standard error."""
    try:
        _, errors = child.communicate(timeout=END_S)
    except subprocess.TimeoutExpired:
        child.kill()
        _, errors = child.communicate()
    return child.returncode, errors.decode()


def stop_again_and_again(pause_s: float) -> tuple[int, int]:
    """Send a child SIGTERMs at any moment of its turns; return its exit code and how many it obeyed."""
    child, obeyed = run(BUSY, pause_s, STOPS), 0
    for _ in range(STOPS):
        if said(child) != b".":
            break
        time.sleep(random.uniform(0, 0.001))  # waits for nothing: it chooses the moment
        child.terminate()
        obeyed += 1
    code, _ = ended(child)
    return code, obeyed if code == 0 else obeyed - 1


def test_2000_sigterms_at_busy_loops_are_all_obeyed() -> None:
    with ThreadPoolExecutor(2) as pool:
        outcomes = list(pool.map(stop_again_and_again, PAUSES_S))
    assert outcomes == [(0, STOPS)] * len(PAUSES_S)


def test_a_signal_that_comes_while_the_main_thread_is_inside_an_event_is_obeyed() -> None:
    code = """if True:
        import signal, threading
        from groundcam.commands.options import until_stopped
        wake = threading.Event()
        stop = until_stopped(wake)
        with wake._cond:  # as in wake.wait(), which releases it only while it sleeps
            signal.raise_signal(signal.SIGTERM)
        assert wake.wait(30) and stop.is_set()
    """
    assert ended(run(code)) == (0, "")


def test_a_signal_acts_while_a_native_call_keeps_the_main_thread() -> None:
    code = """if True:
        import hashlib, os, signal
        from groundcam_runtime.signals import on_signal
        on_signal([signal.SIGTERM], lambda: os._exit(7))
        os.write(1, b".")
        hashlib.pbkdf2_hmac("sha256", b"", b"", 2**31 - 1)  # many minutes, in which no handler of Python's runs
    """
    child = run(code)
    assert said(child) == b"."
    child.terminate()
    assert ended(child) == (7, "")


@pytest.mark.parametrize("first", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("second", [signal.SIGTERM, signal.SIGINT])
def test_the_second_signal_ends_the_process_at_once(first: signal.Signals, second: signal.Signals) -> None:
    code = """if True:
        import os, threading
        from groundcam.commands.options import until_stopped
        stop = until_stopped()
        os.write(1, b".")
        stop.wait()
        os.write(1, b"stopping")
        threading.Event().wait()
    """
    child = run(code)
    assert said(child) == b"."
    child.send_signal(first)
    assert said(child) == b"stopping"
    child.send_signal(second)
    assert ended(child) == (-second, "")


def test_a_signal_may_come_again_and_again_where_the_second_one_ends_nothing() -> None:
    code = """if True:
        import os, signal
        from groundcam_runtime.signals import on_signal
        on_signal([signal.SIGTERM], lambda: os.write(1, b"."))
        os.write(1, b"up")
        while True:
            signal.pause()
    """
    child = run(code)
    assert said(child) == b"up"
    for _ in range(3):
        child.terminate()
        assert said(child) == b"."
    child.kill()
    assert ended(child) == (-signal.SIGKILL, "")


def test_a_pipe_that_is_full_keeps_nobody_and_loses_no_stop() -> None:
    code = """if True:
        import os, signal, threading
        from groundcam_runtime.signals import PIPE_BYTES, on_signal
        acting, go_on = threading.Event(), threading.Event()
        times = []
        def act():
            times.append(1)
            acting.set()
            go_on.wait()
            if len(times) == 2:
                os._exit(7)
        on_signal([signal.SIGTERM], act)
        signal.raise_signal(signal.SIGTERM)
        acting.wait()
        for _ in range(PIPE_BYTES + 10):
            signal.raise_signal(signal.SIGTERM)
        go_on.set()
        threading.Event().wait()
    """
    assert ended(run(code)) == (7, "")


def test_a_program_that_is_started_afterwards_obeys_signals_as_usual() -> None:
    code = """if True:
        import signal, subprocess, sys
        from groundcam_runtime.signals import on_signal
        on_signal([signal.SIGTERM, signal.SIGINT], lambda: None)
        for number in (signal.SIGTERM, signal.SIGINT):
            program = subprocess.Popen(["sleep", "60"])
            program.send_signal(number)
            assert program.wait(10) == -number
    """
    assert ended(run(code)) == (0, "")


def test_another_thread_than_the_main_one_may_not_ask() -> None:
    with ThreadPoolExecutor(1) as pool, pytest.raises(ValueError, match="main thread"):
        pool.submit(until_stopped).result()


def test_a_worker_that_hangs_ends_itself_even_where_the_log_hangs() -> None:
    code = """if True:
        import logging, os, threading
        from groundcam.commands.work import _end_in_time
        from groundcam_runtime import logs
        logs.configure()
        logging.getLogger().handlers[0].acquire()  # as a thread that writes to a pipe which nobody reads
        stop = threading.Event()
        threading.Thread(target=_end_in_time, args=(stop, 0.01), daemon=True).start()
        stop.set()
        threading.Event().wait()
    """
    assert ended(run(code)) == (1, "")


def calls(path: Path) -> list[ast.Call]:
    return [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)]


def installs_a_handler(call: ast.Call) -> bool:
    """Whether a call gives a signal to Python code; to ignore one is no handler."""
    called = ast.unparse(call.func)
    if called == "signal.signal":
        return ast.unparse(call.args[1]) not in ("signal.SIG_IGN", "signal.SIG_DFL")
    return called in ("signal.set_wakeup_fd", "signal.setitimer", "signal.alarm") or "add_signal_handler" in called


def test_one_file_installs_handlers() -> None:
    found = {
        path
        for folder in PRODUCT
        for path in (ROOT / folder).rglob("*.py")
        if any(map(installs_a_handler, calls(path)))
    }
    assert found == {SIGNALS}


def test_the_module_signal_goes_by_its_own_name() -> None:
    """Or the test above would look past a handler."""
    for folder in PRODUCT:
        for path in (ROOT / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.ImportFrom):
                    assert node.module != "signal", path
                elif isinstance(node, ast.Import):
                    assert all(one.name != "signal" or one.asname is None for one in node.names), path
