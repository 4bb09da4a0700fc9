"""Events, objects, pictures and zones over HTTP, from a real Kafka. No worker is needed for any of it."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from conftest import Start, Wait
from footage import jpeg, publisher
from groundcam.command_line import app
from groundcam_runtime.kafka.camera_zones import camera_zones
from groundcam_runtime.kafka.record import Record
from groundcam_runtime.settings import KafkaSettings
from groundcam_schemas import CameraState, CameraStatus, Event, encode
from groundcam_serve.keys import new_key
from serve_client import Client, serve
from told_events import ZONES, keep_picture, open_after, tell, tell_open, walk

pytestmark = pytest.mark.broker

FORM: dict[str, Any] = {
    "zones": {"yard": {"polygon": [[0.3, 0], [0.7, 0], [0.7, 1], [0.3, 1]], "dwell_s": 2, "severity": "alert"}},
    "lines": {"door": {"start": [0.5, 0], "end": [0.5, 1], "to_right": "out", "to_left": "in"}},
}


@pytest.fixture
def service(start: Start, wait: Wait, kafka: KafkaSettings) -> Callable[..., Client]:
    """Start a service, and return once it knows what is open."""

    def begin(*options: object, key: str | None = None) -> Client:
        _, client = serve(start, kafka, *options, key=key)
        wait(lambda: _listens(client), 60, "the service")
        return client

    return begin


def _listens(client: Client) -> bool:
    try:
        return client.get("/healthz").status == 200
    except OSError:
        return False


def know_camera(kafka: KafkaSettings, *names: str) -> None:
    with publisher(kafka) as out:
        for name in names:
            status = CameraStatus(camera_id=name, state=CameraState.ONLINE, since_ns=1, url="rtsp://h")
            out.send(Record(kafka.topics.cameras, encode(status), name))
        out.flush(30)


def named(found: list[dict[str, Any]]) -> list[tuple[str, int]]:
    return [(one["id"], one["n"]) for one in found]


def names(events: list[Event]) -> list[tuple[str, int]]:
    return [(one.id, one.n) for one in events]


def test_a_stream_begins_with_what_is_open_and_one_that_comes_again_goes_on_behind(
    service: Callable[..., Client], kafka: KafkaSettings
) -> None:
    """Also at another instance, since the place is Kafka's own."""
    events = walk()
    tell(kafka, *events[:4])
    tell_open(kafka, open_after(events[:4]))
    first, second = service(), service()
    got: list[tuple[str, int]] = []
    with first.events("/v1/events?camera=gate", Accept="text/event-stream") as stream:
        kinds = []
        for kind, message in stream:
            kinds.append(kind)
            got.append((message["id"], message["n"]))
            if len(got) == 2:
                tell(kafka, *events[4:7], *events[3:7])
            if len(got) == 4:
                break
        last = stream.last_id
    assert kinds == ["open", "open", "update", "update"]
    assert sorted(got[:2]) == sorted(names(list(open_after(events[:4]).objects)))
    tell(kafka, *events[7:])
    for client in (second, first):
        with client.events("/v1/events?stream=true", Last_Event_ID=last) as stream:
            for _kind, message in stream:
                got.append((message["id"], message["n"]))
                last = stream.last_id
                if len(got) in {6, 2 + len(events) - 4}:
                    break
    assert got[2:] == names(events[4:])[: len(got) - 2]
    assert len(got) == 2 + len(events) - 4
    refused = first.get("/v1/events?stream=true", Last_Event_ID="x")
    assert (refused.status, "Last-Event-ID" in refused.json["detail"]) == (400, True)


def test_pages_go_from_the_newest_back_and_nothing_is_left_out_or_there_twice(
    service: Callable[..., Client], kafka: KafkaSettings
) -> None:
    cameras = ["gate", "pier", "yard"]
    every = [one for camera in cameras for one in walk(camera)]
    tell(kafka, *every)
    client = service()
    seen: list[dict[str, Any]] = []
    address, turns = "/v1/events?limit=4", 0
    while address:
        answer = client.get(address)
        assert answer.status == 200, answer.body
        seen += answer.json["events"]
        address = f"/v1/events?limit=4&before={answer.json['before']}" if answer.json["before"] else ""
        turns += 1
        assert turns < 20
    assert sorted(named(seen)) == sorted(names(every))
    for camera in cameras:
        mine = [one for one in seen if one["camera_id"] == camera]
        assert named(mine) == names([one for one in every if one.camera_id == camera])[::-1], "newest first"
    crossed = client.get("/v1/events?camera=gate&camera=pier&cause=line_crossed&zone=door&severity=alert").json[
        "events"
    ]
    assert {one["camera_id"] for one in crossed} == {"gate", "pier"}
    assert {one["cause"] for one in crossed} == {"line_crossed"}
    assert client.get("/v1/events?label=car&severity=alert").json == {"events": [], "before": None}
    assert client.get("/v1/events?from=2999-01-01T00:00:00Z").json["events"] == []
    assert client.get("/v1/events?to=2001-01-01T00:00:00Z").json["events"] == []
    since = client.get("/v1/events?from=2001-01-01T00:00:00Z&to=2999-01-01T00:00:00Z&limit=1000")
    assert len(since.json["events"]) == len(every)
    for wrong, says in (
        ("before=x", "before"),
        ("cause=left", "cause"),
        ("from=yesterday", "from"),
        ("limit=0", "limit"),
    ):
        answer = client.get(f"/v1/events?{wrong}")
        assert (answer.status in {400, 422}, says in answer.json["detail"]) == (True, True), answer.body


def test_an_object_its_picture_and_what_is_there_now(
    service: Callable[..., Client], kafka: KafkaSettings, wait: Wait
) -> None:
    events = walk()
    tell(kafka, *events, *events[2:5])
    tell_open(kafka, open_after(events))
    client = service()
    person = next(one.id for one in events if one.label == "person")
    life = client.get(f"/v1/events/{person}").json
    assert (life["id"], life["camera_id"], life["is_whole"]) == (person, "gate", True)
    assert named(life["events"]) == names([one for one in events if one.id == person])
    nowhere = client.get(f"/v1/events/{'f' * 32}")
    assert (nowhere.status, "there is no event" in nowhere.json["detail"]) == (404, True)
    assert client.get("/v1/events/short").status == 422
    none = client.get(f"/v1/events/{person}/picture")
    assert (none.status, none.json["detail"]) == (
        404, f"there is no picture of {person}: none was kept, or it has expired",
    )  # fmt: skip
    keep_picture(kafka, person, b"", "expired: Kafka has deleted the frame")
    gone = client.get(f"/v1/events/{person}/picture")
    assert (gone.status, "expired: Kafka has deleted the frame" in gone.json["detail"]) == (404, True)
    keep_picture(kafka, person, jpeg(1))
    keep_picture(kafka, person, jpeg(2), frame="0123/r/7")
    found = client.get(f"/v1/events/{person}/picture")
    assert (found.status, found.headers["content-type"], found.body) == (200, "image/jpeg", jpeg(2))
    assert (found.headers["x-groundcam-camera"], found.headers["x-groundcam-label"]) == ("gate", "person")
    assert (found.headers["x-groundcam-run"], found.headers["x-groundcam-seq"]) == ("0123/r", "7")
    wait(lambda: len(client.get("/v1/objects").json["cameras"]) == 1, 10, "the list")
    (now,) = client.get("/v1/objects?camera=gate&label=car").json["cameras"]
    assert (now["camera_id"], [one["label"] for one in now["objects"]]) == ("gate", ["car"])
    assert client.get("/v1/objects?camera=pier").json == {"cameras": []}


def test_zones_by_http_by_file_and_by_command_are_the_same_message(
    service: Callable[..., Client], kafka: KafkaSettings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.setenv("GROUNDCAM_KAFKA__BOOTSTRAP_SERVERS", kafka.bootstrap_servers)
    monkeypatch.setenv("GROUNDCAM_KAFKA__TOPIC_PREFIX", kafka.topic_prefix)
    know_camera(kafka, "gate")
    client = service()
    route = "/v1/cameras/gate/zones"
    none = client.get(route)
    assert (none.status, none.json["detail"]) == (404, "the camera gate has no zones and lines")
    put = client.send("PUT", route, FORM)
    assert (put.status, put.json["set_by"], put.json["version"]) == (200, "everybody", ZONES.version), put.body
    by_http = camera_zones(kafka)["gate"]
    got = client.get(route)
    assert got.json == put.json
    assert (got.headers["etag"], got.json["zones"]["yard"]["dwell_s"]) == (f'"{ZONES.version}"', 2)
    assert client.get(route, If_None_Match=got.headers["etag"]).status == 304

    file = tmp_path / "zones.yaml"
    file.write_text(json.dumps({"gate": FORM}))
    app(["zones", "set", "--file", str(file)], standalone_mode=False)
    by_file = camera_zones(kafka)["gate"]
    app(["zones", "set", "gate", "--zone", "yard=0.3,0,0.7,0,0.7,1,0.3,1", "--dwell", "yard=2", "--severity",
         "yard=alert", "--line", "door=0.5,0,0.5,1", "--to-right", "out", "--to-left", "in"], standalone_mode=False)  # fmt: skip
    by_options = camera_zones(kafka)["gate"]
    who = {"set_by": "", "set_at_ns": 0}
    assert by_http.model_copy(update=who) == by_file.model_copy(update=who) == by_options.model_copy(update=who)
    capsys.readouterr()

    other = {"zones": {"dock": {"polygon": [[0, 0], [1, 0], [1, 1]]}}}
    stale = client.send("PUT", route, other, If_Match='"0000"')
    assert (stale.status, ZONES.version in stale.json["detail"]) == (412, True)
    assert client.send("PUT", route, other, If_None_Match="*").status == 412
    new = client.send("PUT", route, other, If_Match=got.headers["etag"])
    assert (new.status, list(new.json["zones"]), new.json["lines"]) == (200, ["dock"], {})
    assert client.ask("DELETE", route, If_Match=got.headers["etag"]).status == 412
    assert client.ask("DELETE", route).status == 204
    assert client.ask("DELETE", route).status == 404
    assert camera_zones(kafka) == {}


def test_bad_zones_get_one_sentence_that_names_the_camera_and_the_zone(
    service: Callable[..., Client], kafka: KafkaSettings
) -> None:
    know_camera(kafka, "gate")
    client = service()
    yard = FORM["zones"]["yard"]
    cases: list[tuple[Any, int, str]] = [
        (
            {"zones": {"yard": {**yard, "polygon": [[0, 0], [1, 1]]}}},
            422,
            "gate: zone yard: polygon: tuple should have",
        ),
        (
            {"zones": {"yard": {**yard, "polygon": [[0, 0], [2, 0], [1, 1]]}}},
            422,
            "gate: zone yard: polygon.1.0: input",
        ),
        ({"zones": {"yard": {**yard, "severity": "high"}}}, 422, "gate: zone yard: severity: input should be 'info'"),
        ({"zones": {"yard": {**yard, "colour": "red"}}}, 422, "gate: zone yard: colour: there is no such field"),
        ({"zones": {"yard": yard}, "lines": {"yard": FORM["lines"]["door"]}}, 422, "gate: two zones or lines are"),
        ({"lines": {"door": {"start": [0, 0], "end": [0, 0]}}}, 422, "gate: line door: its start and end are the same"),
        ({}, 422, "gate: there is no zone and no line (DELETE removes them)"),
    ]
    for content, status, says in cases:
        answer = client.send("PUT", "/v1/cameras/gate/zones", content)
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.status == status
        assert answer.json["detail"].startswith(says), answer.json["detail"]
    assert client.ask("PUT", "/v1/cameras/gate/zones", b"{", Content_Type="application/json").status == 400
    assert client.ask("PUT", "/v1/cameras/gate/zones", b"{}").status == 415
    unknown = client.send("PUT", "/v1/cameras/gaet/zones", FORM)
    assert (unknown.status, "there is no camera gaet" in unknown.json["detail"]) == (404, True)
    assert client.send("PUT", "/v1/cameras/gaet/zones?force=true", FORM).status == 200
    assert list(camera_zones(kafka)) == ["gaet"]


def test_a_key_sees_the_events_of_its_cameras_and_no_others(
    service: Callable[..., Client], kafka: KafkaSettings, tmp_path: Path
) -> None:
    know_camera(kafka, "gate", "pier")
    events, others = walk(), walk("pier")
    tell(kafka, *others, *events)
    tell_open(kafka, open_after(events), open_after(others, "pier"))
    secret, key = new_key("wall", ("read", "cameras"))
    asker, ask_key = new_key("asker", ("ask",))
    path = tmp_path / "keys.yaml"
    keys = [key.model_copy(update={"cameras": ("gate",)}), ask_key.model_copy(update={"cameras": ("gate",)})]
    path.write_text(json.dumps({"keys": [one.model_dump(mode="json", exclude_none=True) for one in keys]}))
    wall = service("--keys", str(path), key=secret)
    stranger, other = Client(wall.port), Client(wall.port, asker)
    mine, hidden = events[0].id, others[0].id
    assert mine != hidden
    routes = [
        ("GET", "/v1/events", "read"), ("GET", "/v1/objects", "read"), ("GET", f"/v1/events/{mine}", "read"),
        ("GET", f"/v1/events/{mine}/picture", "cameras"), ("GET", "/v1/cameras/gate/zones", "read"),
        ("PUT", "/v1/cameras/gate/zones", "ask"), ("DELETE", "/v1/cameras/gate/zones", "ask"),
    ]  # fmt: skip
    for method, route, scope in routes:
        assert stranger.ask(method, route).status == 401, route
        without = other if scope != "ask" else wall
        refused = without.ask(method, route)
        assert (refused.status, scope in refused.json["detail"]) == (403, True), route
    assert {one["camera_id"] for one in wall.get("/v1/events?limit=1000").json["events"]} == {"gate"}
    assert [one["camera_id"] for one in wall.get("/v1/objects").json["cameras"]] == ["gate"]
    assert wall.get("/v1/events?camera=pier").status == 403
    assert wall.get("/v1/objects?camera=pier").status == 403
    assert wall.get(f"/v1/events/{mine}").status == 200
    assert wall.get(f"/v1/events/{hidden}").status == 404, "it is not told that it is there"
    assert wall.get(f"/v1/events/{hidden}/picture").status == 404
    assert other.send("PUT", "/v1/cameras/pier/zones", FORM).status == 403
    assert other.send("PUT", "/v1/cameras/gate/zones", FORM).json["set_by"] == "asker"
    with wall.events("/v1/events?stream=true&start=beginning", Authorization=f"Bearer {secret}") as stream:
        streamed = [message for _, (_kind, message) in zip(events, stream, strict=False)]
    assert named(streamed) == names(events)
