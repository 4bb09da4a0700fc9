"""What the settings' layers make of cameras: whole ones, each given once."""

import pickle
from pathlib import Path

import pytest

from groundcam.settings import load
from groundcam_producers.task import CameraTask
from groundcam_runtime.settings import SettingError


@pytest.fixture
def config(tmp_path: Path) -> Path:
    (tmp_path / "pw").write_text("s3cretpw\n")
    path = tmp_path / "c.yaml"
    path.write_text(
        "produce:\n  fps: 2\n  cameras:\n"
        f"    gate: {{url: 'rtsp://viewer@10.0.0.5/stream', password_file: {tmp_path}/pw, fps: 1}}\n"
        "    yard: rtsp://10.0.0.6/a\n"
    )
    return path


def test_a_camera_is_replaced_whole_so_that_its_password_goes_to_no_other_host(config: Path) -> None:
    given = {"produce.cameras": {"gate": {"url": "rtsp://viewer@203.0.113.9/other"}}}
    gate = load(config, given).produce.cameras["gate"]
    assert (gate.full_url(), gate.fps) == ("rtsp://viewer@203.0.113.9/other", None)


def test_other_cameras_and_other_settings_stay_and_keep_their_order(config: Path) -> None:
    produce = load(config, {"produce.cameras": {"new": {"url": "clip.mp4"}}, "produce.quality": 70}).produce
    assert list(produce.cameras) == ["gate", "yard", "new"]
    assert (produce.fps, produce.quality) == (2, 70)


def test_a_list_of_cameras_of_which_all_is_commented_out_is_empty(config: Path) -> None:
    config.write_text("produce:\n  fps: 2\n  cameras:\n#    gate: clip.mp4\n")
    assert load(config, {}).produce.cameras == {}
    assert list(load(config, {"produce.cameras": {"new": {"url": "clip.mp4"}}}).produce.cameras) == ["new"]


def test_a_variable_does_not_change_half_of_a_camera(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GROUNDCAM_PRODUCE__CAMERAS__GATE__FPS", "3")
    with pytest.raises(SettingError, match=r"produce\.cameras\.gate\.url"):
        load(config, {})
    monkeypatch.setenv("GROUNDCAM_PRODUCE__CAMERAS__GATE__URL", "rtsp://10.0.0.9/b")
    assert load(config, {}).produce.cameras["gate"].password_file is None


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("produce: {cameras: {gate: a.mp4, yard: b.mp4, gate: c.mp4}}", "'gate' is given twice, in lines 1 and 1"),
        ("produce:\n  fps: 1\nproduce:\n  fps: 2\n", "'produce' is given twice, in lines 1 and 3"),
        ("produce:\n  cameras:\n    gate:\n      url: a.mp4\n      url: b.mp4\n", "'url' is given twice"),
    ],
)
def test_what_is_given_twice_in_a_file_is_refused(tmp_path: Path, text: str, named: str) -> None:
    (tmp_path / "c.yaml").write_text(text)
    with pytest.raises(SettingError, match=named):
        load(tmp_path / "c.yaml", {})


def test_an_anchor_may_be_merged_into_and_then_changed(tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_text(
        "produce:\n  cameras:\n    gate: &one {url: a.mp4, fps: 1}\n    yard: {<<: *one, url: b.mp4}\n"
    )
    cameras = load(tmp_path / "c.yaml", {}).produce.cameras
    assert [(one.public_url, one.fps) for one in cameras.values()] == [("a.mp4", 1), ("b.mp4", 1)]


@pytest.mark.parametrize("text", ["produce: 5", "produce: [1]", "- 1", "5", "produce: {cameras: 5}"])
def test_a_section_that_is_no_map_is_told(tmp_path: Path, text: str) -> None:
    (tmp_path / "c.yaml").write_text(text)
    with pytest.raises(SettingError):
        load(tmp_path / "c.yaml", {})


def test_a_cameras_process_is_sent_no_other_cameras_secret(tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_text(
        "produce: {cameras: {gate: 'rtsp://u:GATEPASSWORD@10.0.0.5/a', vault: 'rtsp://u:VAULTPASSWORD@10.0.0.6/a'}}"
    )
    all_of_it = load(tmp_path / "c.yaml", {})
    gate = all_of_it.produce.cameras["gate"]
    task = CameraTask(
        "gate", gate, all_of_it.produce, all_of_it.kafka, all_of_it.log, all_of_it.trace, "0", "t", 0, 10**6, None
    )
    sent = pickle.dumps(task)
    assert b"GATEPASSWORD" in sent
    assert b"VAULTPASSWORD" not in sent


@pytest.mark.parametrize(
    "given", [{"password_env": "hunter2222-Secret"}, {"password_file": "hunter2222"}, {"password_file": "hunter/2222"}]
)
def test_a_password_that_is_given_in_place_of_its_name_is_not_shown(given: dict[str, str]) -> None:
    camera = load(None, {"produce.cameras": {"gate": {"url": "rtsp://u@h/x", **given}}}).produce.cameras["gate"]
    with pytest.raises(SettingError, match="password_") as refused:
        camera.full_url()
    assert "2222" not in str(refused.value)
