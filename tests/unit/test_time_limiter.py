"""A call that takes too long is given up, and few of those may still run."""

import threading

import pytest

from groundcam_worker.time_limiter import OverdueError, TimeLimiter


def test_what_a_call_returns_or_raises_is_passed_on() -> None:
    limiter = TimeLimiter("test", 60, 1)
    assert limiter.call(threading.current_thread) is not threading.current_thread()
    with pytest.raises(TimeoutError, match="its own"):
        limiter.call(_raise)


def _raise() -> None:
    raise TimeoutError("its own")


def test_few_calls_that_were_given_up_may_still_run() -> None:
    limiter, release = TimeLimiter("test", 0.05, 2), threading.Event()
    begun: list[threading.Thread] = []

    def stuck() -> None:
        begun.append(threading.current_thread())
        release.wait()

    try:
        for _ in range(2):
            with pytest.raises(OverdueError, match=r"more than 0\.05 s"):
                limiter.call(stuck)
        for _ in range(3):
            with pytest.raises(OverdueError, match="2 earlier ones"):
                limiter.call(stuck)
        assert len(begun) == 2, "no more were begun"
        assert all(thread.daemon for thread in begun), "they would keep the process alive"
    finally:
        release.set()
    for thread in begun:
        thread.join(10)
    assert limiter.call(lambda: 5) == 5
