"""Why a check of the supply chain ends with an error.

SupplyChainError        one sentence for a person; exit code 1
  FindingError          the check was made, and it found something
  UnavailableError      the check could not be made: a program, a database or a registry is not at hand; exit code 3
"""

import sys
from collections.abc import Callable


class SupplyChainError(Exception):
    """One sentence that a person can act on."""

    exit_code = 1


class FindingError(SupplyChainError):
    """The check was made, and it found something."""


class UnavailableError(SupplyChainError):
    """The check could not be made, which is no pass."""

    exit_code = 3


def run(main: Callable[[list[str]], str]) -> None:
    """Run a program: its last sentence to standard output, an error as one sentence to standard error."""
    try:
        print(main(sys.argv[1:]))
    except SupplyChainError as error:
        print(error, file=sys.stderr)
        sys.exit(error.exit_code)
