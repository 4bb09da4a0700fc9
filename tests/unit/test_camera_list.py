"""What `groundcam cameras` shows, and what it refuses to forget."""

import pytest

from groundcam.camera_list import CameraError, since, table, to_forget
from groundcam_schemas import CameraState, CameraStatus


def status(camera_id: str, state: CameraState = CameraState.OFFLINE, **more: object) -> CameraStatus:
    fields = {"camera_id": camera_id, "state": state, "since_ns": 10**18, "url": "rtsp://h/x"} | more
    return CameraStatus.model_validate(fields)


def test_cameras_are_shown_with_what_is_known_of_each() -> None:
    online = status("gate", CameraState.ONLINE, width=640, height=360, fps=24.97, producer="host-1")
    offline = status("yard", last_error="TimeoutError", producer="evil\nhost", since_ns=2**63 - 1)
    lines = table([online, offline]).splitlines()
    assert lines[0].split() == ["CAMERA", "STATE", "SINCE", "SIZE", "FPS", "PRODUCER", "LAST", "ERROR"]
    assert lines[1].split() == ["gate", "online", *since(online).split(), "640x360", "25", "host-1", "-"]
    assert lines[2].split()[:2] == ["yard", "offline"]
    assert len(lines) == 3, "a name with a line's end in it is shown on one line"


@pytest.mark.parametrize(
    ("camera_id", "says"),
    [
        ("gaet", "there is no camera gaet; did you mean gate"),
        ("pier2", "there is no camera pier2; did you mean pier"),
        ("zzz", "there is no camera zzz$"),
        ("gate", "the camera gate is online since .* --force"),
        ("*", r"\* is every camera's question"),
    ],
)
def test_what_is_unknown_or_online_is_not_forgotten(camera_id: str, says: str) -> None:
    known = {"gate": status("gate", CameraState.ONLINE), "yard": status("yard")}
    with pytest.raises(CameraError, match=says):
        to_forget(camera_id, known, {"pier"}, force=False)


def test_what_there_is_of_a_camera_is_forgotten_and_nothing_else() -> None:
    known = {"gate": status("gate", CameraState.ONLINE), "yard": status("yard")}
    assert list(to_forget("yard", known, {"pier"}, force=False)) == ["state"]
    assert list(to_forget("pier", known, {"pier"}, force=False)) == ["question"]
    assert list(to_forget("gate", known, {"gate"}, force=True)) == ["state", "question"]
