"""What is handed from part to part, and from thread to thread, cannot be changed on its way."""

import dataclasses
import importlib
import inspect
import pkgutil
from collections.abc import Iterator

import pytest

import groundcam_runtime.partitions
import groundcam_worker.loop
import groundcam_worker.policy
from groundcam_runtime import records
from groundcam_schemas import GapReason
from groundcam_worker import frames
from groundcam_worker.loop.instructions import ClearMarks, FramesDropped

STATES = {"PartitionState", "RunClock"}
"""These live and change."""


def plain_values() -> Iterator[type]:
    """Every public dataclass of the pure folders."""
    packages = [groundcam_runtime.partitions, groundcam_worker.loop, groundcam_worker.policy]
    names = [found.name for one in packages for found in pkgutil.iter_modules(one.__path__, f"{one.__name__}.")]
    for module in (*map(importlib.import_module, names), frames, records):
        for name, kind in inspect.getmembers(module, inspect.isclass):
            if kind.__module__ == module.__name__ and dataclasses.is_dataclass(kind) and not name.startswith("_"):
                yield kind


VALUES = [kind for kind in plain_values() if kind.__name__ not in STATES and dataclasses.fields(kind)]


def test_there_are_such_values() -> None:
    assert len(VALUES) > 30


@pytest.mark.parametrize("kind", VALUES, ids=lambda kind: kind.__name__)
def test_a_value_cannot_be_changed(kind: type) -> None:
    for field in dataclasses.fields(kind):
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(object.__new__(kind), field.name, 1)


def test_facts_that_say_the_same_are_the_same() -> None:
    assert ClearMarks() == ClearMarks()
    assert FramesDropped("gate", GapReason.STALE) == FramesDropped("gate", GapReason.STALE, 1)
