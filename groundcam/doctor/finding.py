"""What a check has found. Pure."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from groundcam_runtime.printable import printable
from groundcam_runtime.redaction import redact


class Weight(StrEnum):
    """How much a finding matters."""

    FINE = "fine"
    HINT = "hint"
    WRONG = "wrong"


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report."""

    area: str
    text: str
    """What to do, of what is not fine."""
    weight: Weight = Weight.FINE

    def __str__(self) -> str:
        return f"{self.weight.value:5s}  {self.area:9s} {printable(redact(self.text))}"

    def as_json(self) -> dict[str, Any]:
        """Return it for programs."""
        return asdict(self) | {"text": redact(self.text)}


Check = Callable[[], Iterable[Finding]]


def examine(checks: Iterable[tuple[str, Check]]) -> Iterator[Finding]:
    """Run checks one after the other; one that fails itself is a finding, and the others go on."""
    for area, check in checks:
        try:
            yield from check()
        except ImportError as missing:
            # That it is missing, and whether that is wrong, the packages' own check says.
            yield Finding(area, f"not checked: {missing.name} is not installed", Weight.HINT)
        except Exception as error:  # noqa: BLE001 - nobody shall read "nothing is wrong" of what was not looked at
            yield Finding(area, f"this could not be checked: {type(error).__name__}: {error}", Weight.WRONG)
