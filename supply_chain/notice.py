"""Write NOTICE and the images' licence labels from what the wheels really hold, or check that they still say it."""

import argparse
import platform
import re
import sysconfig
import textwrap
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path

from packaging.utils import NormalizedName

from supply_chain.errors import FindingError, UnavailableError, run
from supply_chain.expressions import joined, taken
from supply_chain.inventory import Part, Wheel, closure, read_wheels
from supply_chain.knowledge import Knowledge, read_knowledge
from supply_chain.licence_audit import EXTRAS, findings
from supply_chain.vendored import findings as vendored_findings
from supply_chain.vendored import vendored

ROOT = Path(__file__).parents[1]
IMAGES = {
    "producer": ("producer", "tracing"),
    "worker": ("worker", "tracing"),
    "serve": ("serve", "tracing"),
    "events": ("events", "tracing"),
}
"""The images, and the extras that each of them holds."""
BASE = "LicenseRef-base-image"
"""Stands in the labels for the packages of the base image, whose licences it documents itself."""
MADE_ON = ("Linux", "x86_64")
LONGEST_LIST = 6
CHECKSUM = re.compile(r"([-.][0-9a-f]{8})+(?=\.)|[-_]+[0-9a-f]{8}(?=\.so)")
"""What a wheel's builder puts into a library's name; it may differ from one Python's wheel to that of another."""
Wheels = Mapping[NormalizedName, Wheel]

HEAD = """groundcam

groundcam itself is under the Apache License 2.0 (LICENSE). Of others its wheel holds, with the licences beside it:

{vendored}

What it needs comes as wheels of others, which the images hold. Below are all of them, with the licence of each and
with what lies inside, as seen in the wheels for Linux on x86-64 that constraints.txt pins. After a name stands where it
goes: into the producer's image, into the worker's image (where that is built with CPU-only wheels, it holds nothing of
NVIDIA), into that of the HTTP service (serve), into that of trackers (events), or to nobody but
those who install the extra.

In an image the licence files that wheels bring along are in /venv/lib/python3*/site-packages/*.dist-info, the texts of
the GPL, the LGPL and the MPL in /usr/share/common-licenses, and the licences of the base image's own packages, which
{base} stands for in the label org.opencontainers.image.licenses, in /usr/share/doc/*/copyright.
"""


def licences(wheels: Wheels, knowledge: Knowledge) -> set[str]:
    """Every licence that holds for something in these wheels; of several offered ones, one that is allowed."""
    found = set[str]()
    for wheel in wheels.values():
        for expression in (wheel.licence, *(part.licence for part in wheel.parts)):
            if expression is not None:
                found |= taken(expression, partial(knowledge.allows, wheel.name))
    return found


def label(wheels: Wheels, knowledge: Knowledge) -> str:
    """The licences of an image that holds these wheels, as one expression."""
    return joined({*licences(wheels, knowledge), BASE})


def render(wheels: Wheels, images: Mapping[str, Wheels], knowledge: Knowledge) -> str:
    """NOTICE, whole."""
    ours = "\n".join(line for one in vendored() for line in wrapped(f"    {one}"))
    lines = [HEAD.format(base=BASE, vendored=ours), "What asks for more than that notices are kept", ""]
    for one in knowledge.accepted:
        who = [wheel for wheel in wheels.values() if one.licence in licences({wheel.name: wheel}, knowledge)]
        if who:
            lines += [*wrapped(f"{one.licence}: {', '.join(wheel.name for wheel in who)}"), *wrapped(f"    {one.why}")]
    lines += ["", "All packages", ""]
    for name, wheel in wheels.items():
        if name != "groundcam":
            places = [image for image, held in images.items() if name in held] or ["extra"]
            lines += wrapped(f"{name} {wheel.version} ({', '.join(places)}): {wheel.licence}")
            lines += [line for part in parts(wheel, knowledge) for line in wrapped(f"    {part}")]
    return "\n".join(lines) + "\n"


def wrapped(line: str) -> list[str]:
    return textwrap.wrap(line, 120, subsequent_indent="        ", break_long_words=False, break_on_hyphens=False)


def parts(wheel: Wheel, knowledge: Knowledge) -> Iterator[str]:
    """A line for each thing inside a wheel, and one for all its Rust crates."""
    crates = [part for part in wheel.parts if (part.purl or "").startswith("pkg:cargo/")]
    for part in wheel.parts:
        if part not in crates:
            version = f" {part.version}" if part.version else ""
            yield f"{part.name}{version}: {part.licence}{proof(part)}"
    if crates:
        bills = ", ".join(sorted({file for part in crates for file in part.files}))
        allows = partial(knowledge.allows, wheel.name)
        said = set[str]().union(*(taken(part.licence, allows) for part in crates if part.licence))
        yield f"{len(crates)} Rust crates, listed in {bills}: {joined(said)}"


def proof(part: Part) -> str:
    if part.proof == "bytes":
        return " (linked in)"
    if part.proof == "stated":
        return ""
    names = sorted({CHECKSUM.sub("", file.rpartition("/")[2]) for file in part.files})
    more = f" and {len(names) - LONGEST_LIST} more" if len(names) > LONGEST_LIST else ""
    return f" ({', '.join(names[:LONGEST_LIST])}{more})"


def labelled(dockerfile: str, labels: Mapping[str, str]) -> str:
    """The Dockerfile with these licence labels in the stages of the images. Raises FindingError where it has none."""
    for image, licence in labels.items():
        pattern = rf'(FROM final AS {image}\n(?:(?!FROM ).*\n)*?.*org\.opencontainers\.image\.licenses=")[^"]*'
        dockerfile, changed = re.subn(pattern, rf"\g<1>{licence}", dockerfile)
        if changed != 1:
            raise FindingError(f"the Dockerfile's stage {image} has no label org.opencontainers.image.licenses")
    return dockerfile


def written(packages: Path, knowledge: Knowledge, dockerfile: str) -> dict[str, str]:
    """What NOTICE and the Dockerfile have to say of the wheels in a folder. Raises FindingError as the audit does."""
    installed = read_wheels([packages], knowledge)
    wheels = closure(installed, "groundcam", EXTRAS)
    found = [*findings(wheels.values(), knowledge), *vendored_findings(knowledge)]
    if found:
        raise FindingError("\n".join([*found, "nothing is written until `make audit-licences` finds nothing"]))
    images = {image: closure(installed, "groundcam", extras) for image, extras in IMAGES.items()}
    labels = {image: label(held, knowledge) for image, held in images.items()}
    return {"NOTICE": render(wheels, images, knowledge), "Dockerfile": labelled(dockerfile, labels)}


def main(arguments: list[str]) -> str:
    parser = argparse.ArgumentParser(prog="make notice", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing, and fail where something would change")
    parser.add_argument("--packages", type=Path, default=Path(sysconfig.get_path("purelib")), help="folder of packages")
    given = parser.parse_args(arguments)
    here = platform.system(), platform.machine()
    if here != MADE_ON:
        raise UnavailableError(f"NOTICE is of the wheels for {' '.join(MADE_ON)}; this is {' '.join(here)}")
    told = written(given.packages, read_knowledge(), (ROOT / "Dockerfile").read_text())
    changed = [name for name, text in told.items() if (ROOT / name).read_text() != text]
    if given.check and changed:
        raise FindingError(f"{' and '.join(changed)} no longer say what the wheels hold: run `make notice`")
    for name in changed:
        (ROOT / name).write_text(told[name])
    return f"NOTICE and the images' labels say what the wheels hold ({'changed' if changed else 'as before'})"


if __name__ == "__main__":
    run(main)
