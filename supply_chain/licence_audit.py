"""Is every licence of what is installed permitted or accepted, and every compiled file explained?"""

import argparse
import sysconfig
from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path

from supply_chain.errors import FindingError, run
from supply_chain.expressions import taken
from supply_chain.inventory import Wheel, closure, read_wheels
from supply_chain.knowledge import Knowledge, read_knowledge
from supply_chain.vendored import findings as vendored_findings
from supply_chain.vendored import vendored

EXTRAS = ("producer", "worker", "models", "serve", "events", "tracing", "broker", "demo", "training")
"""Everything that a user may install; what develops groundcam is not handed on."""


def findings(wheels: Iterable[Wheel], knowledge: Knowledge) -> Iterator[str]:
    """What a person has to look at, a sentence each."""
    for wheel in wheels:
        whole = f"{wheel.name} {wheel.version}"
        allows = partial(knowledge.allows, wheel.name)
        parts = [(f"{part.name} in {whole}", part.licence) for part in wheel.parts]
        for name, expression in ((whole, wheel.licence), *parts):
            if expression is None:
                yield f"{name} says no licence beyond doubt: look at its licence file and add it to components.toml"
            elif refused := sorted(one for one in taken(expression, allows) if not allows(one)):
                yield f"{name} is under {', '.join(refused)}, which components.toml neither permits nor accepts there"
        if not wheel.is_listed:
            yield f"{whole} says nowhere which files it has (RECORD): what it holds is not known"
        for file in wheel.unknown:
            yield f"{whole} holds the compiled file {file}, which components.toml does not explain"


def main(arguments: list[str]) -> str:
    parser = argparse.ArgumentParser(prog="make audit-licences", description=__doc__)
    parser.add_argument("--packages", type=Path, default=Path(sysconfig.get_path("purelib")), help="folder of packages")
    given = parser.parse_args(arguments)
    knowledge = read_knowledge()
    wheels = closure(read_wheels([given.packages], knowledge), "groundcam", EXTRAS)
    found = [*findings(wheels.values(), knowledge), *vendored_findings(knowledge)]
    if found:
        raise FindingError("\n".join([*found, f"{len(found)} findings in {len(wheels)} packages"]))
    parts = sum(len(wheel.parts) for wheel in wheels.values()) + sum(len(one.parts) for one in vendored())
    return f"{len(wheels)} packages and the {parts} parts seen in them are under permitted or accepted licences"


if __name__ == "__main__":
    run(main)
