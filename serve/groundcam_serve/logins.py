"""Attempts to log in: so many at a time, and so many of one client and of one name in a while."""

import time
from asyncio import wrap_future
from concurrent.futures import Future, ThreadPoolExecutor

from groundcam_serve.login_rates import LoginRates
from groundcam_serve.passwords import Hash
from groundcam_serve.problems import Problem

AT_ONCE = 2
"""Computations of scrypt, each with a core and 32 MiB."""
MOST_WAITING = 16
COME_AGAIN_S = 3.0


class Logins:
    """Lets attempts in, and compares passwords on threads of its own. Its methods belong to the event loop."""

    def __init__(self) -> None:
        self._rates = LoginRates()
        self._threads = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="login")
        self.at_work: set[Future[bool]] = set()
        """Also those whose client has gone meanwhile: they take as long."""

    def require_rate(self, address: str, name: str | None) -> None:
        """Count an attempt. Raises Problem."""
        wait_s = self._rates.take(address, name, time.monotonic())
        if wait_s is not None:
            raise Problem(429, "too-many", "too many attempts to log in", retry_after_s=wait_s)

    async def fits(self, password: str, kept: Hash) -> bool:
        """Return whether it is the password that is kept. Raises Problem where too many wait."""
        if len(self.at_work) >= AT_ONCE + MOST_WAITING:
            why = f"{len(self.at_work)} attempts to log in are at work already"
            raise Problem(503, "overloaded", why, retry_after_s=COME_AGAIN_S)
        work = self._threads.submit(kept.fits, password)
        self.at_work.add(work)
        try:
            return await wrap_future(work)
        finally:
            work.add_done_callback(self.at_work.discard)
