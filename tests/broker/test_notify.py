"""Webhooks on Apache Kafka: every event reaches whoever wants it, or is kept, whatever receivers and kills do."""

import base64
import json
import signal
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from conftest import Program, Start, Wait
from footage import jpeg, publisher
from groundcam_events.notify.made_up import made_up
from groundcam_events.notify.policy.signature import verify
from groundcam_runtime.kafka.reader import Reader
from groundcam_runtime.kafka.record import Record
from groundcam_runtime.records import Consumed
from groundcam_runtime.settings import KafkaSettings
from groundcam_schemas import Cause, Event, EventType, decode, decode_json, encode
from receiver import Receiver, receiving
from serve_client import Client

pytestmark = pytest.mark.broker

NS = 1_000_000_000
FAST = {"retry_s": 0.1, "max_retry_s": 0.5, "timeout_s": 2.0}


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as one:
        yield one


@pytest.fixture
def config(tmp_path: Path, receiver: Receiver) -> Any:
    """Write a file with these webhooks, each at the receiver's path of its name but for what it says itself."""

    def write(**hooks: dict[str, Any]) -> Path:
        path = tmp_path / "notify.yaml"
        whole = {name: {"url": receiver.url(f"/{name}"), **FAST, **one} for name, one in hooks.items()}
        path.write_text(yaml.safe_dump({"notify": {"hooks": whole}}))
        return path

    return write


def event(number: int, n: int = 0, camera: str = "gate", **changes: Any) -> Event:
    kind, cause = (EventType.UPDATE, Cause.MOVED) if n else (EventType.NEW, Cause.APPEARED)
    one = made_up((1_700_000_000 + number) * NS)
    return one.model_copy(
        update={"id": f"object-{number}", "n": n, "camera_id": camera, "type": kind, "cause": cause, **changes}
    )


def send(kafka: KafkaSettings, events: Sequence[Event]) -> list[str]:
    """Put events on their topic; return their keys."""
    with publisher(kafka) as out:
        for one in events:
            out.send(Record(kafka.topics.events, encode(one), one.camera_id))
        out.flush(30)
        assert not out.unfinished
    return [f"{one.id}/{one.n}" for one in events]


def on(kafka: KafkaSettings, topic: str) -> list[Consumed]:
    with Reader(kafka, [topic], start="beginning") as reader:
        return list(reader.to_the_end())


def begin(start: Start, wait: Wait, kafka: KafkaSettings, file: Path) -> Program:
    """A notifier that has its partitions."""
    program = start(kafka, "notify", "--config", file, "--http-port", 0)
    wait(lambda: "partitions are ours" in program.log or program.process.poll() is not None, what="partitions")
    assert program.process.poll() is None, program.log
    return program


def told(program: Program, name: str, **labels: str) -> float:
    """A figure of its metrics; 0 where it is not there."""
    port = int(program.log.split("metrics and health on http://127.0.0.1:")[1].split()[0])
    page = Client(port).get("/metrics").body.decode()
    pairs = ",".join(f'{key}="{value}"' for key, value in sorted(labels.items()))
    wanted = f"groundcam_notify_{name}" + (f"{{{pairs}}}" if pairs else "")
    return sum(float(line.split()[-1]) for line in page.splitlines() if line.startswith(f"{wanted} "))


def test_each_webhook_gets_what_it_wants_signed_and_once_and_a_new_group_hears_no_old_news(
    kafka: KafkaSettings, start: Start, wait: Wait, config: Any, receiver: Receiver, tmp_path: Path
) -> None:
    (tmp_path / "secret").write_text("hunter2222\n")
    (tmp_path / "headers").write_text("Authorization: Bearer hunter3333\n")
    file = config(
        all={"secret_file": str(tmp_path / "secret"), "headers_file": str(tmp_path / "headers")},
        yards={"cameras": ["yard-*"], "types": ["new"]},
    )
    old = send(kafka, [event(1)])
    program = begin(start, wait, kafka, file)
    events = [event(number, camera=f"{'yard' if number % 2 else 'gate'}-{number}") for number in range(10, 30)]
    update = event(11, 1, camera="yard-11")
    keys = send(kafka, [*events, events[0], update, events[1]])
    wanted = set(keys)
    wait(lambda: set(receiver.keys("/all")) == wanted, what=program.log)
    wait(lambda: len(receiver.keys("/yards")) == 10, what=program.log)
    assert old[0] not in receiver.keys("/all")
    assert max(receiver.taken.values()) == 1, "what came again on Kafka is sent once"
    for request in receiver.asked("/all"):
        assert verify("hunter2222", request.headers["x-groundcam-signature"], request.body, 0, tolerance_s=1e12)
        assert request.headers["authorization"] == "Bearer hunter3333"
        assert request.headers["content-type"] == "application/json"
        got = decode_json(Event, request.body)
        assert request.key == f"{got.id}/{got.n}"
    assert "x-groundcam-signature" not in receiver.asked("/yards")[0].headers
    wait(lambda: told(program, "unsettled") == 0)
    assert told(program, "repeats_total") == 2
    assert told(program, "delivered_total", hook="yards") == 10
    assert program.stop() == 0
    assert "hunter" not in program.log
    again = begin(start, wait, kafka, file)
    last = send(kafka, [event(99)])
    wait(lambda: last[0] in receiver.keys("/all"), what=again.log)
    assert max(receiver.taken.values()) == 1, "what was committed is not sent again"


def test_a_webhook_that_is_down_holds_no_other_one_back_and_what_it_missed_is_kept_and_sent_when_asked(
    kafka: KafkaSettings, start: Start, wait: Wait, config: Any, receiver: Receiver
) -> None:
    file = config(ok={}, down={"give_up_s": 2.0, "queue_events": 5}, gone={}, hang={"timeout_s": 0.5, "give_up_s": 2.0})
    program = begin(start, wait, kafka, file)
    keys = send(kafka, [event(number) for number in range(20)])
    wait(lambda: set(receiver.keys("/ok")) == set(keys), timeout_s=20, what=program.log)
    wait(lambda: told(program, "unsettled") == 0, what=program.log)
    letters = on(kafka, kafka.topics.undelivered)
    missed = {name: [] for name in ("down", "gone", "hang")}
    reasons = set()
    for letter in letters:
        headers = dict(letter.headers)
        name = headers["groundcam-undelivered-hook"].decode()
        one = decode(Event, letter.value or b"")
        missed[name].append(f"{one.id}/{one.n}")
        assert letter.key == b"gate"
        assert letter.value == encode(one), "as it came"
        assert int(headers["groundcam-undelivered-at-ms"]) > 0
        reasons.add((name, headers["groundcam-undelivered-reason"].decode().partition(":")[0]))
    assert {name: sorted(found) for name, found in missed.items()} == dict.fromkeys(missed, sorted(keys))
    assert reasons == {("down", "queue_full"), ("down", "gave_up"), ("gone", "refused"), ("hang", "gave_up")}
    assert told(program, "undelivered_total", hook="down", reason="queue_full") > 0
    assert told(program, "failed_total", hook="hang", reason="timeout") > 0
    assert program.stop() == 0
    tried = start(kafka, "notify", "retry", "--config", file, "--hook", "down")
    assert tried.process.wait(60) == 1, tried.log
    assert "undelivered still: it answers 503" in tried.out
    assert len(on(kafka, kafka.topics.undelivered)) == len(letters), "what fails again is not written again"
    receiver.is_back.set()
    tried = start(kafka, "notify", "retry", "--config", file, "--hook", "down")
    assert tried.process.wait(60) == 0, tried.out + tried.log
    assert sorted(receiver.keys("/down")) == sorted(keys)
    again = start(kafka, "notify", "retry", "--config", file, "--hook", "down")
    assert again.process.wait(60) == 0, again.log
    assert again.out.strip() == "0 delivered, 0 undelivered still"
    assert max(receiver.taken.values()) == 1
    others = start(kafka, "notify", "retry", "--config", file)
    assert others.process.wait(60) == 1
    assert others.out.strip().endswith("0 delivered, 40 undelivered still"), others.out


def test_receivers_that_lie_fail_now_and_then_or_are_busy_get_every_event_and_redirects_lead_nowhere(
    kafka: KafkaSettings, start: Start, wait: Wait, config: Any, receiver: Receiver
) -> None:
    liars = ("garbage", "endless", "short", "silent")
    hooks: dict[str, dict[str, Any]] = {name: {"timeout_s": 1.0} for name in liars}
    file = config(fail={}, busy={"max_retry_s": 2.0}, redirect={}, noise={"give_up_s": 1.0}, **hooks)
    program = begin(start, wait, kafka, file)
    keys = set(send(kafka, [event(number) for number in range(6)]))
    for name in (*liars, "fail", "busy"):
        wait(lambda name=name: set(receiver.keys(f"/{name}")) == keys, what=f"{name}: {program.log}")
    wait(lambda: told(program, "unsettled") == 0, what=program.log)
    assert max(receiver.taken.values()) == 1, "who has said 2xx is not asked again"
    assert receiver.asked("/stolen") == []
    lost = {dict(one.headers)["groundcam-undelivered-hook"].decode() for one in on(kafka, kafka.topics.undelivered)}
    assert lost == {"redirect", "noise"}
    attempts = [one.key for one in receiver.asked("/fail")]
    assert all(attempts.count(key) == 3 for key in keys)


def test_a_notifier_that_is_killed_in_the_middle_loses_nothing_and_what_comes_again_has_the_same_key(
    kafka: KafkaSettings, start: Start, wait: Wait, config: Any, receiver: Receiver
) -> None:
    file = config(late={"concurrent": 3, "timeout_s": 60.0}, ok={})
    program = begin(start, wait, kafka, file)
    events = [event(number, n, camera=f"cam-{number % 5}") for number in range(40) for n in (0, 1)]
    keys = set(send(kafka, events))
    # Now some are on their way, most are queued, and /ok has all of them.
    wait(lambda: receiver.busy["/late"] == 3 and set(receiver.keys("/ok")) == keys, what=program.log)
    program.stop(signal.SIGKILL)
    assert receiver.most_busy["/late"] == 3
    receiver.is_back.set()
    for kills in range(2, 5):
        second = begin(start, wait, kafka, file)
        wait(lambda kills=kills: len(receiver.keys("/late")) >= min(len(keys), kills * 15), what=second.log)
        second.stop(signal.SIGKILL)
    last = begin(start, wait, kafka, file)
    wait(lambda: set(receiver.keys("/late")) == keys, what=last.log)
    wait(lambda: told(last, "unsettled") == 0, what=last.log)
    assert set(receiver.keys("/ok")) == keys
    assert on(kafka, kafka.topics.undelivered) == []
    sent = [one for path in ("/late", "/ok") for one in receiver.asked(path)]
    assert len(sent) > 2 * len(keys), "some came again"
    bodies: dict[tuple[str, str], set[bytes]] = {}
    for one in sent:
        bodies.setdefault((one.path, one.key), set()).add(one.body)
    assert all(len(found) == 1 for found in bodies.values()), "the same key means the same body"


def test_the_events_of_an_object_come_in_their_order_although_attempts_fail(
    kafka: KafkaSettings, start: Start, wait: Wait, config: Any, receiver: Receiver
) -> None:
    program = begin(start, wait, kafka, config(fail={"concurrent": 8}))
    keys = send(kafka, [event(number, n, camera="gate") for n in range(4) for number in range(5)])
    wait(lambda: set(receiver.keys("/fail")) == set(keys), what=program.log)
    for number in range(5):
        mine = [key for key in receiver.keys("/fail") if key.startswith(f"object-{number}/")]
        assert mine == [f"object-{number}/{n}" for n in range(4)]


def test_two_notifiers_share_the_cameras_and_one_that_leaves_hands_over(
    kafka: KafkaSettings, start: Start, wait: Wait, config: Any, receiver: Receiver
) -> None:
    file = config(ok={})
    first = begin(start, wait, kafka, file)
    second = begin(start, wait, kafka, file)
    keys = set(send(kafka, [event(number, camera=f"cam-{number}") for number in range(60)]))
    wait(lambda: set(receiver.keys("/ok")) == keys, what=first.log)
    wait(lambda: told(first, "unsettled") == told(second, "unsettled") == 0)
    assert told(second, "delivered_total", hook="ok") > 0
    assert first.stop() == 0
    more = set(send(kafka, [event(number, camera=f"cam-{number}") for number in range(100, 160)]))
    wait(lambda: set(receiver.keys("/ok")) == keys | more, what=second.log)


def test_a_picture_is_attached_where_it_is_there_in_time_and_its_absence_is_told(
    kafka: KafkaSettings, start: Start, wait: Wait, config: Any, receiver: Receiver
) -> None:
    picture = jpeg()

    def show(name: str) -> None:
        with publisher(kafka) as out:
            out.send(Record(kafka.topics.pictures, picture, name))
            out.flush(30)

    show("object-1")  # before the notifier began
    program = begin(start, wait, kafka, config(ok={"picture": "attach"}))
    send(kafka, [event(1), event(2), event(3)])
    show("object-2")
    wait(lambda: len(receiver.keys("/ok")) == 3, what=program.log)
    bodies = {json.loads(one.body)["id"]: json.loads(one.body) for one in receiver.asked("/ok")}
    for name in ("object-1", "object-2"):
        assert base64.b64decode(bodies[name]["picture"]["base64"]) == picture
    assert bodies["object-3"]["picture"] is None
    assert bodies["object-3"]["picture_reason"] == "there is no picture of it, or not yet"
    assert told(program, "pictures_absent_total", hook="ok") == 1


def test_what_is_no_event_is_counted_and_passed_over(
    kafka: KafkaSettings, start: Start, wait: Wait, config: Any, receiver: Receiver
) -> None:
    program = begin(start, wait, kafka, config(ok={}))
    with publisher(kafka) as out:
        for value in (b"\xc1", b"{}", None):
            out.send(Record(kafka.topics.events, value, "gate"))
        out.flush(30)
    keys = send(kafka, [event(1)])
    wait(lambda: receiver.keys("/ok") == keys, what=program.log)
    assert told(program, "unreadable_total") == 3
    wait(lambda: told(program, "unsettled") == 0)


def test_a_made_up_event_says_what_came_back_without_kafka(start: Start, config: Any, receiver: Receiver) -> None:
    file = config(ok={}, gone={}, down={})
    done = start(None, "notify", "test", "ok", "--config", file)
    assert done.process.wait(30) == 0, done.log
    assert f"ok at http://127.0.0.1:{receiver.port}: it answers 204" in done.out
    assert json.loads(receiver.asked("/ok")[0].body)["is_test"] is True
    refused = start(None, "notify", "test", "gone", "--config", file)
    assert refused.process.wait(30) == 1
    assert "it answers 410" in refused.out
    assert "it says: go away" in refused.out
    unknown = start(None, "notify", "test", "okay", "--config", file)
    assert unknown.process.wait(30) == 2
    assert "did you mean ok?" in unknown.log


def test_events_are_printed_in_frigates_form_each_once(kafka: KafkaSettings, start: Start, wait: Wait) -> None:
    send(kafka, [event(1), event(1, 1), event(1), event(2, camera="yard")])
    done = start(kafka, "convert", "--to", "frigate", "--from-beginning", "--count", 3)
    assert done.process.wait(30) == 0, done.log
    lines = [json.loads(line) for line in done.out.splitlines()]
    gate = [one for one in lines if one["after"]["camera"] == "gate"]
    assert [one["type"] for one in gate] == ["new", "update"]
    assert gate[1]["before"] == gate[0]["after"]
    one = start(kafka, "convert", "--to", "frigate", "--from-beginning", "--camera", "yard")
    wait(lambda: one.out.endswith("\n"))
    assert one.stop() == 0
    assert [json.loads(line)["after"]["camera"] for line in one.out.splitlines()] == ["yard"]
