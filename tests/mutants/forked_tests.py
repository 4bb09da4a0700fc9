"""Run tests in a fork of this process: what they import from elsewhere is imported once, here, and not for each mutant.

A mutant may run for ever, or take memory for ever, so both are bounded.
"""

import faulthandler
import multiprocessing
import os
import resource
import sys
from collections.abc import Iterable, Sequence
from enum import Enum
from pathlib import Path

import _hypothesis_pytestplugin
import hypothesis.internal.conjecture.engine
import hypothesis.strategies
import msgpack  # noqa: F401 - what most tests need
import pydantic_settings  # noqa: F401
import pytest
import yaml  # noqa: F401

MOST_BYTES = 6 * 1024**3
PROFILE = "mutants"
"""Few examples, always the same ones; one that fails is not made smaller."""

hypothesis.settings.register_profile(
    PROFILE,
    max_examples=30,
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=list(hypothesis.HealthCheck),  # a machine that is busy kills no mutant
    phases=(hypothesis.Phase.explicit, hypothesis.Phase.generate),
)


class Outcome(Enum):
    """What tests say of code."""

    PASSED = "passed"
    FAILED = "failed"
    TOO_LONG = "too long"


def run(tests: Sequence[str], tree: Path, sources: Iterable[str], output: Path, limit_s: float | None) -> Outcome:
    """Run the tests in `tree`, which import from `sources` in it, up to the first that fails."""
    fork = multiprocessing.get_context("fork")
    child = fork.Process(
        target=_pytest, args=(tests, tree, [str(tree / one) for one in sources], output, limit_s), daemon=True
    )
    child.start()
    try:
        child.join(limit_s)
        if child.is_alive():
            return Outcome.TOO_LONG
        return Outcome.PASSED if child.exitcode == 0 else Outcome.FAILED
    finally:
        child.kill()
        child.join()


def _pytest(tests: Sequence[str], tree: Path, paths: list[str], output: Path, limit_s: float | None) -> None:
    with output.open("wb") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    if limit_s is not None:  # also where whoever started this is gone
        faulthandler.dump_traceback_later(2 * limit_s, exit=True)
        resource.setrlimit(resource.RLIMIT_DATA, (MOST_BYTES, MOST_BYTES))
    os.chdir(tree)
    sys.path[:0] = paths
    sys.dont_write_bytecode = True
    options = ("-x", "-q", "--tb=short", "-p", "no:cacheprovider", f"--hypothesis-profile={PROFILE}")
    sys.exit(pytest.main([*options, *tests], plugins=[_hypothesis_pytestplugin]))
