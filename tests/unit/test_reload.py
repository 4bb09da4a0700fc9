"""What a new reading of a producer's settings changes, and when a file is read at all."""

import multiprocessing
import os
from dataclasses import replace
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Any, cast

import pytest

from groundcam.settings import load, variable_layers
from groundcam_producers.changes import Changes, need_restart
from groundcam_producers.child import Child
from groundcam_producers.roster import Order, Roster
from groundcam_producers.settings import ProduceSettings
from groundcam_producers.settings_watch import WatchedFile
from groundcam_producers.steady import Steady
from groundcam_producers.task import CameraTask
from groundcam_runtime.settings import KafkaSettings, LogSettings, SettingError, TraceSettings

GATE: dict[str, Any] = {"url": "rtsp://viewer@gate/1"}
YARD: dict[str, Any] = {"url": "rtsp://viewer@yard/1"}
FILM: dict[str, Any] = {"url": "film.mp4"}


def settings(cameras: dict[str, dict[str, Any]], **section: Any) -> ProduceSettings:
    return ProduceSettings.model_validate({"cameras": cameras, **section})


def roster(before: ProduceSettings) -> Roster:
    def task(name: str, produce: ProduceSettings, partition: int | None, is_job: bool) -> CameraTask:
        return CameraTask(
            name, produce.cameras[name], produce, KafkaSettings(), LogSettings(), TraceSettings(), "1", "frames",
            partition, 1_000_000, None, is_job,
        )  # fmt: skip

    return Roster(before, 4, task)


def change(before: ProduceSettings, after: ProduceSettings) -> tuple[Order, list[str]]:
    return roster(before).change(after)


@pytest.mark.parametrize(
    ("after", "expected"),
    [
        (settings({"gate": GATE, "yard": YARD}), Changes()),
        (settings({"yard": YARD, "gate": GATE}), Changes()),
        (settings({"gate": GATE, "yard": YARD, "film": FILM}), Changes(added=("film",))),
        (settings({"yard": YARD}), Changes(removed=("gate",))),
        (settings({"yard": YARD, "film": FILM}), Changes(added=("film",), removed=("gate",))),
        (settings({"gate": {**GATE, "fps": 1}, "yard": YARD}), Changes(retuned=("gate",))),
        (settings({"gate": {**GATE, "max_size": "64x64"}, "yard": YARD}), Changes(retuned=("gate",))),
        (settings({"gate": {**GATE, "fps": 5}, "yard": YARD}), Changes()),
        (settings({"gate": GATE, "yard": YARD}, quality=50), Changes(retuned=("gate", "yard"))),
        (settings({"gate": {**GATE, "fps": 5}, "yard": YARD}, fps=1), Changes(retuned=("yard",))),
        (settings({"gate": GATE, "yard": {"url": "rtsp://viewer@yard/2"}}), Changes(reopened=("yard",))),
        (settings({"gate": {**GATE, "password_file": "secret", "fps": 1}, "yard": YARD}), Changes(reopened=("gate",))),
        (settings({"gate": {**GATE, "transport": "udp"}, "yard": YARD}, fps=1),
         Changes(reopened=("gate",), retuned=("yard",))),
        (settings({"gate": {**GATE, "rotate": 90}, "yard": YARD}), Changes(reopened=("gate",))),
    ],
)  # fmt: skip
def test_only_what_has_changed_is_touched_and_only_what_must_is_opened_again(
    after: ProduceSettings, expected: Changes
) -> None:
    order, waits = change(settings({"gate": GATE, "yard": YARD}), after)

    assert order.changes == expected
    assert set(order.tasks) == set(after.cameras)
    assert not waits


def test_cameras_keep_their_partitions_and_a_new_one_goes_to_the_emptiest() -> None:
    names = [f"camera-{number}" for number in range(8)]
    looked_after = roster(settings(dict.fromkeys(names, GATE)))
    before = {name: task.partition for name, task in looked_after.tasks.items()}
    left = [name for name in names if name != "camera-2"]
    order, _ = looked_after.change(settings(dict.fromkeys(["new", *left], GATE)))

    assert {name: order.tasks[name].partition for name in left} == {name: before[name] for name in left}
    assert order.tasks["new"].partition == before["camera-2"]


def test_producers_that_share_a_list_agree_on_every_camera_through_all_changes() -> None:
    """Each looks after its own cameras, and places all of them."""
    lists = [["a", "b", "c", "d", "e"], ["a", "c", "d", "e", "f"], ["g", "c", "e", "f"], ["b", "g", "c", "e", "f", "h"]]
    both = [roster(settings(dict.fromkeys(lists[0], GATE), shard=(number, 2))) for number in range(2)]
    alone = roster(settings(dict.fromkeys(lists[0], GATE)))
    for names in lists[1:]:
        for number, one in enumerate(both):
            one.change(settings(dict.fromkeys(names, GATE), shard=(number, 2)))
        alone.change(settings(dict.fromkeys(names, GATE)))
        tasks = {**both[0].tasks, **both[1].tasks}
        assert {name: task.partition for name, task in tasks.items()} == {
            name: task.partition for name, task in alone.tasks.items()
        }


def test_what_is_read_at_the_start_alone_is_named_and_stays() -> None:
    looked_after = roster(settings({"gate": GATE}))
    order, waits = looked_after.change(settings({"gate": GATE, "yard": YARD}, timeout_s=5, partitioner="key"))

    assert waits == ["produce.partitioner", "produce.timeout_s"]
    assert order.changes == Changes(added=("yard",))
    assert order.tasks["yard"].produce.timeout_s == 10
    assert order.tasks["yard"].partition is not None
    assert looked_after.change(settings({"gate": GATE, "yard": YARD}))[1] == []


def test_a_setting_of_another_section_is_named_without_its_value() -> None:
    old = KafkaSettings(bootstrap_servers="a:1")
    assert need_restart("kafka", old, KafkaSettings(bootstrap_servers="b:1")) == ["kafka.bootstrap_servers"]


def test_a_password_in_a_variable_that_other_processes_have_inherited_waits_for_a_restart() -> None:
    """The server that camera processes are forked from was started without the variables of the first settings."""
    gate, yard = {**GATE, "password_env": "GATE_PASSWORD"}, {**YARD, "password_env": "YARD_PASSWORD"}
    order, waits = change(settings({"gate": gate}), settings({"gate": {**gate, "fps": 1}, "yard": yard}))
    assert (order.changes, waits) == (Changes(retuned=("gate",)), ["produce.cameras.yard.password_env"])

    order, waits = change(settings({"gate": GATE}), settings({"gate": gate, "yard": YARD}))
    assert (order.changes, waits) == (Changes(added=("yard",)), ["produce.cameras.gate.password_env"])
    assert order.tasks["gate"].camera.password_env is None


def test_settings_that_do_not_go_with_those_that_wait_change_nothing() -> None:
    looked_after = roster(settings({"film": FILM}, every_frame=True))
    with pytest.raises(SettingError, match=r"every_frame is for files; gate .* \(until a restart produce.every_frame"):
        looked_after.change(settings({"gate": GATE}))
    assert set(looked_after.tasks) == {"film"}


def test_a_producer_that_goes_on_for_ever_does_not_become_a_job_that_ends() -> None:
    looked_after = roster(settings({"gate": GATE, "film": FILM}))
    assert not looked_after.change(settings({"film": FILM}))[0].is_job
    assert not looked_after.change(settings({"film": FILM}, fps=1))[0].is_job
    job = roster(settings({"film": FILM}))
    assert job.change(settings({"film": FILM}, fps=1))[0].is_job
    assert not job.change(settings({"film": FILM}, loop=True))[0].is_job


def test_a_content_is_read_once_and_only_when_two_looks_have_found_it() -> None:
    steady = Steady(b"a")
    looks = [b"a", b"", b"b", b"b", b"b", None, b"b", None, None, None, b"a", b"a"]
    assert [steady.see(look) for look in looks] == [
        False, False, False, True, False, False, False, False, True, False, False, True,
    ]  # fmt: skip


def test_who_asks_has_the_file_read_at_once_and_again() -> None:
    steady = Steady(b"a")
    assert [steady.see(b"a", asked=True), steady.see(b"b", asked=True), steady.see(b"b")] == [True, True, False]


def test_a_content_that_was_gone_when_it_was_read_is_read_when_it_comes_back() -> None:
    steady = Steady(b"a")
    assert [steady.see(b"b"), steady.see(b"b")] == [False, True]
    steady.forget()
    assert steady.see(b"b")


def test_a_file_is_known_by_its_content_also_behind_links_that_are_swapped(tmp_path: Path) -> None:
    """As Kubernetes does it: ..data points to another folder from one moment to the next."""
    for version in ("1", "2"):
        (tmp_path / version).mkdir()
        (tmp_path / version / "groundcam.yaml").write_text(version)
    (tmp_path / "..data").symlink_to("1")
    (tmp_path / "groundcam.yaml").symlink_to("..data/groundcam.yaml")
    file = WatchedFile(tmp_path / "groundcam.yaml")
    assert file.digest() == file.at_start
    (tmp_path / "..data_tmp").symlink_to("2")
    (tmp_path / "..data_tmp").replace(tmp_path / "..data")
    assert file.digest() not in (file.at_start, None)
    (tmp_path / "2" / "groundcam.yaml").write_text("1")
    assert file.digest() == file.at_start
    (tmp_path / "..data").unlink()
    assert file.digest() is None


def test_two_contents_of_one_size_and_time_are_told_apart(tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_text("a")
    stat, file = path.stat(), WatchedFile(path)
    path.write_text("b")
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert file.digest() != file.at_start


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (
            "produce:\n  cameras:\n    gate: {url: a.mp4}\n    yard:\n      url: a.mp4\n      fps: -1\n",
            r"c\.yaml:6:\d+: produce\.cameras\.yard\.fps",
        ),
        ("produce:\n  cameras:\n    gate:\n      fps: 1\n", r"c\.yaml:3:\d+: produce\.cameras\.gate\.url"),
        ("log: {}\nproduce:\n  shutter: 3\n", r"c\.yaml:3:3: produce\.shutter: there is no such setting"),
        ("kafka:\n  topic_prefix: x.\nproduce: 3\n", r"c\.yaml:3:\d+: produce: it is no map of settings"),
        ("produce:\n  cameras: {gate: [\n", r"c\.yaml:\d+:\d+: it is no YAML"),
        ("produce:\n  fps: 1\n  fps: 2\n", "'fps' is given twice, in lines 2 and 3"),
    ],
)
def test_a_fault_in_a_file_is_told_with_its_line(tmp_path: Path, content: str, sentence: str) -> None:
    path = tmp_path / "c.yaml"
    path.write_text(content)
    with pytest.raises(SettingError, match=sentence):
        load(path, {})


def test_variables_that_were_read_before_hold_whatever_has_become_of_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where a camera's process is started, groundcam's variables are hidden for a moment."""
    path = tmp_path / "c.yaml"
    path.write_text("produce:\n  fps: 1\n  quality: 50\n")
    monkeypatch.setenv("GROUNDCAM_PRODUCE__FPS", "3")
    variables = variable_layers()
    monkeypatch.delenv("GROUNDCAM_PRODUCE__FPS")
    produce = load(path, {}, variables).produce
    assert (produce.fps, produce.quality) == (3, 50)


def test_a_fault_of_an_option_has_no_line_of_the_file_that_it_beats(tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_text("produce:\n  fps: 1\n")
    with pytest.raises(SettingError) as caught:
        load(path, {"produce.fps": -1})
    assert ".yaml:" not in str(caught.value)


def test_a_process_that_does_not_listen_makes_its_parent_wait_for_nothing() -> None:
    """It hears the newest tuning once it listens again."""
    ours, theirs = multiprocessing.Pipe()
    pipe = cast("Connection", ours)
    task, process = roster(settings({"gate": GATE})).tasks["gate"], cast("ForkServerProcess", None)
    child = Child(task, process, pipe, 0.0, 0.0)
    sent = 0
    while child.untold is None:
        child.untold = replace(task.tuning, quality=20)
        child.tell()
        sent += child.untold is None
    child.untold = task.tuning
    child.tell()
    assert child.untold == task.tuning
    for _ in range(sent):
        theirs.recv()
    child.tell()
    assert theirs.recv() == task.tuning
    theirs.close()
    child.untold = task.tuning
    child.tell()
    assert child.untold == task.tuning
    ours.close()
