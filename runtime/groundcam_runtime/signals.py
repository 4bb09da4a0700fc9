"""Signals as calls on a thread of their own: the only file that installs handlers.

Python runs a handler on the main thread between any two of its instructions: also while that thread is inside
`threading.Event` or a queue, whose locks it cannot take twice. A handler that sets an event, or writes to the log, may
wait for its own thread, for ever. So the handlers here touch no lock: the interpreter's C code writes the number of
each signal into a pipe (`signal.set_wakeup_fd`), and a thread that reads it acts, even while a native call keeps the
main thread busy. No import but the standard library.
"""

import functools
import os
import signal
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

PIPE_BYTES = 65_536
"""What a pipe takes on Linux (man 7 pipe): one read empties it."""

INTERRUPTED = 130
"""The exit code of what Ctrl-C has ended, as shells have it."""

_actions: dict[int, Callable[[], object]] = {}


def on_signal(numbers: Iterable[signal.Signals], act: Callable[[], object], *, again_ends: bool = False) -> None:
    """Have `act()` called on a thread whenever one of these signals comes; signals that come together count once.

    `act` returns soon and raises nothing. With `again_ends` the next of these signals, whichever it is, has its default
    action, which ends the process at once. A later call for the same number takes the place of an earlier one.
    Raises ValueError outside the main thread, as `signal.signal` does.
    """
    numbers = tuple(numbers)

    def give_back(_number: int, _frame: object) -> None:
        for number in numbers:
            signal.signal(number, signal.SIG_DFL)

    _listen()
    for number in numbers:
        _actions[number] = act
        signal.signal(number, give_back if again_ends else _do_nothing)


def end_on_interrupt() -> None:
    """Have Ctrl-C end the process at once and quietly, where it would raise KeyboardInterrupt.

    That is for the time before and after a command. While modules are imported, and while the interpreter takes itself
    apart, the exception may come up where nobody can catch it, and is printed. Raises ValueError outside the main
    thread.
    """
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # not where somebody ignores it, or listens
        signal.signal(signal.SIGINT, _end)


def raise_on_interrupt() -> None:
    """Take `end_on_interrupt` back. Raises ValueError outside the main thread."""
    if signal.getsignal(signal.SIGINT) is _end:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@contextmanager
def interrupt_is_ours() -> Iterator[None]:
    """Keep Ctrl-C, which reaches the whole process group, from the processes that are started within.

    Their parent decides what it means; they would print a traceback while they import. What comes meanwhile comes
    afterwards to us.
    """
    from multiprocessing import resource_tracker  # noqa: PLC0415 - the program begins by importing this file

    resource_tracker.ensure_running()  # its own start would take the mask away
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _end(_number: int, _frame: object) -> None:
    os._exit(INTERRUPTED)


@functools.cache
def _listen() -> None:
    """Start the thread, once in a process."""
    reads, writes = os.pipe()
    os.set_blocking(writes, False)
    try:
        # A full pipe is no reason for a warning: its reader has been woken already.
        signal.set_wakeup_fd(writes, warn_on_full_buffer=False)
    except ValueError:  # not the main thread
        os.close(reads)
        os.close(writes)
        raise
    threading.Thread(target=_act, args=(reads,), name="signals", daemon=True).start()


def _act(reads: int) -> None:
    while numbers := os.read(reads, PIPE_BYTES):
        for number in set(numbers):
            if action := _actions.get(number):
                action()


def _do_nothing(_number: int, _frame: object) -> None:
    """Python writes to the pipe only for signals that have a handler, and a handler is not inherited as SIG_IGN is."""
