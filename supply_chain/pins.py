"""Read constraints.txt: which version of each package, and the SHA-256 of each of its files. Pure."""

import re
from dataclasses import dataclass

from packaging.utils import NormalizedName, canonicalize_name

from supply_chain.errors import FindingError

PIN = re.compile(r"^([A-Za-z0-9][\w.-]*)==([^\s;\\]+)")
HASH = re.compile(r"^\s+--hash=sha256:([0-9a-f]{64})\s*\\?$")


@dataclass(frozen=True)
class Pin:
    """One package at one version, and the SHA-256 (hexadecimal) of every file of it that may be installed."""

    name: NormalizedName
    version: str
    hashes: tuple[str, ...]


def read_pins(text: str) -> dict[NormalizedName, Pin]:
    """Every pin by the package's normalised name. Raises FindingError where a line is neither a pin nor a hash."""
    pins: dict[NormalizedName, Pin] = {}
    name: NormalizedName | None = None
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        if match := PIN.match(line):
            name = canonicalize_name(match[1])
            if name in pins:
                raise FindingError(f"constraints.txt, line {number}: {name} is pinned twice")
            pins[name] = Pin(name, match[2], ())
        elif (match := HASH.match(line)) and name is not None:
            pins[name] = Pin(name, pins[name].version, (*pins[name].hashes, match[1]))
        else:
            raise FindingError(f"constraints.txt, line {number} is neither a pin nor a SHA-256: {line.strip()[:60]}")
    return pins
