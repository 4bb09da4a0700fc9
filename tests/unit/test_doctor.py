"""What the doctor says of a machine, and that one broken check spoils no other."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from groundcam.doctor import machine
from groundcam.doctor.finding import Finding, Weight, examine
from groundcam_worker.settings import WorkSettings


def test_a_check_that_fails_itself_is_wrong_and_the_next_one_runs() -> None:
    def broken() -> Iterator[Finding]:
        yield Finding("gpu", "one")
        raise RuntimeError("rtsp://u:hunter2222@h/ is odd")

    found = list(examine([("gpu", broken), ("clock", lambda: [Finding("clock", "two")])]))
    assert [one.weight for one in found] == [Weight.FINE, Weight.WRONG, Weight.FINE]
    assert "hunter2222" not in "".join(map(str, found))


def test_missing_packages_are_named_with_the_command_that_brings_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(machine.PACKAGES, "producer", ("json", "no_such_package"))
    (found,) = machine.packages("producer", needed=True)
    assert found.weight is Weight.WRONG
    assert "no_such_package" in found.text
    assert "pip install 'groundcam[producer]'" in found.text
    assert next(iter(machine.packages("producer", needed=False))).weight is Weight.HINT


def test_without_the_c_checksum_it_is_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    import kafka.record.util

    monkeypatch.setattr(kafka.record.util, "crc32c_c", None)
    assert [one.weight for one in machine.python()] == [Weight.FINE, Weight.WRONG]


def test_a_folder_without_a_model_is_wrong_and_the_one_in_the_box_is_here(tmp_path: Path) -> None:
    (empty,) = machine.model(WorkSettings(model=str(tmp_path)))
    assert (empty.weight, "no config.json" in empty.text) == (Weight.WRONG, True)
    (demo,) = machine.model(WorkSettings(model="demo"))
    assert demo.weight is Weight.FINE


def test_a_device_that_is_not_there_is_wrong() -> None:
    (found,) = machine.gpu(WorkSettings(model="demo", device="cuda:7"))
    assert found.weight is Weight.WRONG
    assert "cuda:7" in found.text


@pytest.mark.parametrize(("state", "weight"), [(0, Weight.FINE), (5, Weight.HINT), (None, Weight.HINT)])
def test_a_clock_that_nobody_keeps_is_a_hint(
    monkeypatch: pytest.MonkeyPatch, state: int | None, weight: Weight
) -> None:
    monkeypatch.setattr(machine, "_clock_state", lambda: state)
    assert [one.weight for one in machine.clock()] == [weight]


def test_the_kernel_is_really_asked() -> None:
    assert machine._clock_state() in range(6)
