"""Start cameras' processes from one small server that has imported everything once and knows no secret.

Each would import for more than a second of CPU time otherwise. The server has neither threads nor a Kafka client, so
that a fork of it is sound, and it ends with its parent, as `multiprocessing` has it.
"""

import multiprocessing
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from multiprocessing.context import ForkServerContext, ForkServerProcess
from typing import Any

from groundcam_runtime.signals import interrupt_is_ours

SETTINGS = "GROUNDCAM_"
PRELOADED = "groundcam_producers.preloaded"


class ForkServer:
    """Starts processes that run `target`, without the variables that may hold a secret."""

    def __init__(self, target: Callable[..., None], secret_variables: Iterable[str]) -> None:
        """`secret_variables` are kept from the processes, and so are all of groundcam's settings."""
        self._target = target
        self._secret = frozenset(secret_variables)
        self.context: ForkServerContext = multiprocessing.get_context("forkserver")
        self.context.set_forkserver_preload(["__main__", PRELOADED])

    def start(self, name: str, *arguments: Any) -> ForkServerProcess:
        """Start one."""
        process = self.context.Process(target=self._target, args=arguments, name=name, daemon=True)
        # Should the server have died, a new one is started here.
        with self._scrubbed_environment(), interrupt_is_ours():
            process.start()
        return process

    @contextmanager
    def _scrubbed_environment(self) -> Iterator[None]:
        """What the server would inherit; it belongs to the thread that starts processes."""
        # A library that starts threads at its import would have them half alive after a fork.
        os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
        hidden = {key: os.environ.pop(key) for key in list(os.environ) if self._is_secret(key)}
        try:
            yield
        finally:
            os.environ.update(hidden)

    def _is_secret(self, key: str) -> bool:
        return key in self._secret or key.startswith(SETTINGS)


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
