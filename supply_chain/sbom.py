"""Write the bill of materials of an image, as CycloneDX: packages of Python and of Debian, and what wheels bundle."""

import argparse
from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from pathlib import Path

from cyclonedx.contrib.license.factories import LicenseFactory
from cyclonedx.model import Property
from cyclonedx.model.bom import Bom
from cyclonedx.model.bom_ref import BomRef
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.output.json import JsonV1Dot6
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from packageurl import PackageURL
from packaging.requirements import Requirement
from packaging.utils import NormalizedName, canonicalize_name

from supply_chain.errors import FindingError, run
from supply_chain.image import Image, debian_packages, opened, release
from supply_chain.inventory import Part, Wheel, read_wheels
from supply_chain.knowledge import Knowledge, read_knowledge
from supply_chain.licence_audit import findings
from supply_chain.notice import licences

LABEL = "org.opencontainers.image.licenses"
LICENCES = LicenseFactory()


def part_component(wheel: Wheel, part: Part, number: int) -> Component:
    """Something inside a wheel, with how it was seen and in which files."""
    return Component(
        name=part.name,
        version=part.version,
        type=ComponentType.LIBRARY,
        bom_ref=BomRef(f"{wheel.name}#{number}"),
        purl=PackageURL.from_string(part.purl) if part.purl else None,
        licenses=[LICENCES.make_from_string(part.licence)] if part.licence else None,
        properties=[
            Property(name="groundcam:seen", value=part.proof),
            *(Property(name="groundcam:file", value=file) for file in part.files),
        ],
    )


def wheel_component(wheel: Wheel) -> Component:
    """An installed package of Python, with what is inside it as components of its own."""
    return Component(
        name=wheel.name,
        version=wheel.version,
        type=ComponentType.LIBRARY,
        bom_ref=BomRef(wheel.name),
        purl=PackageURL("pypi", name=wheel.name, version=wheel.version),
        licenses=[LICENCES.make_from_string(wheel.licence)] if wheel.licence else None,
        components=[part_component(wheel, part, number) for number, part in enumerate(wheel.parts, 1)],
    )


def system_components(image: Image) -> list[Component]:
    """The packages of Debian, and Python itself where the base image built it."""
    system = release(image.root)
    distribution = f"{system.get('ID', 'debian')}-{system.get('VERSION_ID', '')}".rstrip("-")
    found = [
        Component(
            name=name,
            version=version,
            type=ComponentType.LIBRARY,
            bom_ref=BomRef(f"deb:{name}:{architecture}"),
            purl=PackageURL(
                "deb", system.get("ID", "debian"), name, version, {"arch": architecture, "distro": distribution}
            ),
        )
        for name, version, architecture in debian_packages(image.root)
    ]
    if version := image.environment.get("PYTHON_VERSION"):
        purl = PackageURL("generic", name="python", version=version)
        found.append(Component(name="python", version=version, type=ComponentType.PLATFORM, purl=purl))
    return found


def bill(image: Image, wheels: Mapping[NormalizedName, Wheel]) -> str:
    """The bill of materials, as JSON that the schema of CycloneDX 1.6 accepts."""
    name, _, tag = image.name.rpartition(":")
    whole = Component(
        name=name,
        version=tag,
        type=ComponentType.CONTAINER,
        bom_ref=BomRef("image"),
        properties=[Property(name="groundcam:image-id", value=image.digest)],
    )
    components = {name: wheel_component(wheel) for name, wheel in wheels.items()}
    system = system_components(image)
    bom = Bom(components=[*components.values(), *system])
    bom.metadata.component = whole
    bom.register_dependency(whole, [*components.values(), *system])
    for one, wheel in wheels.items():
        bom.register_dependency(components[one], [components[other] for other in needs(wheel, wheels)])
    return checked(JsonV1Dot6(bom).output_as_string(indent=2), image.name)


def checked(text: str, name: str) -> str:
    """The bill of something, as it is. Raises FindingError where it is no valid CycloneDX."""
    if error := JsonStrictValidator(SchemaVersion.V1_6).validate_str(text):
        raise FindingError(f"the bill of {name} is no valid CycloneDX: {error}")
    return text


def needs(wheel: Wheel, wheels: Mapping[NormalizedName, Wheel]) -> list[NormalizedName]:
    """What a package asks for, plainly or by an extra, and what is there."""
    names = {canonicalize_name(requirement.name) for requirement in map(Requirement, wheel.requires)}
    return sorted(name for name in names if name in wheels and name != wheel.name)


def untold(label: str, wheels: Mapping[NormalizedName, Wheel], knowledge: Knowledge) -> list[str]:
    """Licences that hold for something in an image and that its label keeps back."""
    return sorted(licences(wheels, knowledge) - set(label.split(" AND ")))


def looked_into(knowledge: Knowledge, path: str) -> bool:
    """Is this file, by its path in an image, one of those whose bytes show what was linked in?"""
    patterns: Iterable[str] = (linked.file for one in knowledge.statements.values() for linked in one.linked)
    return any(fnmatchcase(path, f"{folder}/{pattern}") for pattern in patterns for folder in ("*-packages", "app"))


def main(arguments: list[str]) -> str:
    parser = argparse.ArgumentParser(prog="make sbom", description=__doc__)
    parser.add_argument("image", help="an image of this machine, as groundcam/producer:0.2.0")
    parser.add_argument("--output", type=Path, required=True, help="the file to write")
    parser.add_argument("--engine", default="docker", help="docker or podman")
    given = parser.parse_args(arguments)
    knowledge = read_knowledge()
    with opened(given.image, given.engine, lambda path: looked_into(knowledge, path)) as image:
        wheels = read_wheels(image.folders(), knowledge)
        if "groundcam" not in wheels:
            raise FindingError(f"{given.image} holds no groundcam")
        text, system = bill(image, wheels), len(system_components(image))
    given.output.parent.mkdir(parents=True, exist_ok=True)
    given.output.write_text(text)
    found = [*findings(wheels.values(), knowledge)]
    found += [f"the label {LABEL} keeps back {one}" for one in untold(image.labels.get(LABEL, ""), wheels, knowledge)]
    if found:
        raise FindingError("\n".join([*found, f"{given.output} is written, with {len(found)} findings"]))
    inside = sum(len(wheel.parts) for wheel in wheels.values())
    return (
        f"{given.output}: {len(wheels)} packages of Python, {inside} parts inside them, {system} packages of the base"
    )


if __name__ == "__main__":
    run(main)
