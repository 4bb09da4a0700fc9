"""What Kafka refuses while programs run: told once in the log, and by /readyz, as what it is."""

import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import kafka as client
import pytest
from kafka.admin import ConfigResource, ScramMechanism, UserScramCredentialUpsertion

from conftest import Program, Start, Wait, make_topics
from footage import jpeg, publisher, video
from groundcam.devkafka.broker import EmbeddedBroker, free_port
from groundcam_runtime.kafka.record import Record
from groundcam_runtime.kafka.topics import MIB, TopicAdmin, wanted
from groundcam_runtime.settings import KafkaSettings

pytestmark = pytest.mark.broker

LOGIN = "org.apache.kafka.common.security.scram.ScramLoginModule required;"
REAUTHENTICATION_MS = "3000"
"""So often a broker asks for the login again: what it takes for a changed password to be noticed."""
WORK = ("work", "--model", "fake", "--question", "person", "--max-age-s", "0")


@pytest.fixture(scope="module")
def guarded() -> Iterator[EmbeddedBroker]:
    """A broker with a login that can be changed."""
    properties = {
        "listener.name.sasl.sasl.enabled.mechanisms": "SCRAM-SHA-512",
        "listener.name.sasl.scram-sha-512.sasl.jaas.config": LOGIN,
        "listener.name.sasl.connections.max.reauth.ms": REAUTHENTICATION_MS,
    }
    scram = ("--add-scram", "SCRAM-SHA-512=[name=alice,password=secret1]")
    with EmbeddedBroker(listeners={"SASL": "SASL_PLAINTEXT"}, properties=properties, format_options=scram) as broker:
        yield broker


def health(port: int, path: str) -> tuple[int, str]:
    """Status and text; 0 while nobody listens."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=10) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()
    except OSError as error:
        return 0, str(error)


def change_password(broker: EmbeddedBroker, password: str) -> None:
    with closing(client.KafkaAdminClient(bootstrap_servers=broker.bootstrap_servers)) as admin:
        admin.alter_user_scram_credentials(
            [UserScramCredentialUpsertion("alice", ScramMechanism.SCRAM_SHA_512, password)]
        )


def delete(kafka: KafkaSettings, topic: str) -> None:
    with closing(client.KafkaAdminClient(bootstrap_servers=kafka.bootstrap_servers)) as admin:
        admin.delete_topics([topic])


def not_ready(port: int, words: str) -> bool:
    status, text = health(port, "/readyz")
    return status == 503 and words in text


def lines(program: Program, words: str) -> list[dict[str, Any]]:
    """The lines of its log that say something, each a JSON object."""
    return [line for line in map(json.loads, program.log.splitlines()) if words in line["message"]]


def test_a_login_that_is_refused_later_is_named_once_and_told_by_readyz(
    guarded: EmbeddedBroker, start: Start, wait: Wait
) -> None:
    make_topics(KafkaSettings(bootstrap_servers=guarded.bootstrap_servers, topic_prefix="later."))
    kafka = KafkaSettings(
        bootstrap_servers=guarded.addresses("SASL"), topic_prefix="later.", security_protocol="SASL_PLAINTEXT",
        sasl_mechanism="SCRAM-SHA-512", sasl_username="alice", sasl_password="secret1",
    )  # fmt: skip
    ports = free_port(), free_port()
    worker = start(kafka, *WORK, "--http-port", ports[0], "--log-format", "json")
    producer = start(
        kafka, "produce", "--camera", f"gate={video('carphone_pristine.mp4')}", "--loop", "--fps", "5",
        "--http-port", ports[1], "--log-format", "json",
    )  # fmt: skip
    watcher = start(kafka, "watch", GROUNDCAM_LOG__FORMAT="json")
    for port in ports:
        wait(lambda port=port: health(port, "/readyz")[0] == 200, 60, "ready")
    wait(lambda: watcher.out, 60, "an answer")
    change_password(guarded, "secret2")
    for port in ports:
        wait(lambda port=port: not_ready(port, "refused user 'alice'"), 30, "not ready")
    wait(lambda: lines(watcher, "refused user 'alice'"), 30, "the subscriber's log")
    change_password(guarded, "secret1")
    for port in ports:
        wait(lambda port=port: health(port, "/readyz")[0] == 200, 60, "ready again")
    for program in (worker, producer, watcher):
        told = [line for line in lines(program, "refused user 'alice'") if line["logger"].endswith("topic_watch")]
        assert len(told) == 1, program.log
        assert program.process.poll() is None
        assert len(lines(program, "socket disconnected")) <= 2
        assert not lines(program, "secret")


def test_a_topic_that_is_gone_is_named_once_and_told_by_readyz(kafka: KafkaSettings, start: Start, wait: Wait) -> None:
    ports = free_port(), free_port()
    worker = start(kafka, *WORK, "--http-port", ports[0], "--log-format", "json")
    producer = start(
        kafka, "produce", "--camera", f"gate={video('carphone_pristine.mp4')}", "--loop", "--fps", "5",
        "--http-port", ports[1], "--log-format", "json",
    )  # fmt: skip
    for port in ports:
        wait(lambda port=port: health(port, "/readyz")[0] == 200, 60, "ready")
    words = f"the topic {kafka.topics.detections} on {kafka.bootstrap_servers} does not exist"
    delete(kafka, kafka.topics.detections)
    for port in ports:
        wait(lambda port=port: not_ready(port, words), 15, "not ready")
    with closing(TopicAdmin(kafka)) as admin:
        admin.ensure(wanted(kafka.topics, 4, 4 * MIB), None)
    for port in ports:
        wait(lambda port=port: health(port, "/readyz")[0] == 200, 60, "ready again")
    for program in (worker, producer):
        assert len(lines(program, words)) == 1


def test_a_program_that_gives_up_says_so_in_the_form_of_its_log(kafka: KafkaSettings, start: Start) -> None:
    """Also the Job that makes the topics, and where the settings themselves are wrong."""
    absent = kafka.model_copy(update={"bootstrap_servers": f"127.0.0.1:{free_port()}", "connect_timeout_s": 1.0})
    for arguments, code in (
        (("topics", "ensure"), 3), ((*WORK, "--http-port", "0"), 3), (("topics", "ensure", "--partitions", "0"), 2),
        (("work", "--batch-size", "0"), 2),
    ):  # fmt: skip
        program = start(absent, *arguments, GROUNDCAM_LOG__FORMAT="json")
        assert program.process.wait(60) == code
        said = [json.loads(line) for line in program.log.splitlines()]
        assert said[-1]["level"] == "critical"
    made = start(kafka, "topics", "ensure", GROUNDCAM_LOG__FORMAT="json")
    assert made.process.wait(60) == 0
    assert {json.loads(line)["topic"] for line in made.log.splitlines()} >= {kafka.topics.frames}
    assert made.out == ""


def test_a_question_that_kafka_refuses_is_not_said_to_be_asked(kafka: KafkaSettings, start: Start) -> None:
    with closing(client.KafkaAdminClient(bootstrap_servers=kafka.bootstrap_servers)) as admin:
        admin.alter_configs([ConfigResource("TOPIC", kafka.topics.prompts, {"max.message.bytes": "100"})])
    program = start(kafka, "ask", "gate=person, dog, cat", "--force")
    assert program.process.wait(60) == 3
    assert program.out == ""
    assert program.log.splitlines()[-1].startswith(
        f"groundcam: Kafka at {kafka.bootstrap_servers} refuses the question for {kafka.topics.prompts}: "
    )


def test_thousands_of_bad_messages_are_a_few_lines_with_their_places(
    kafka: KafkaSettings, start: Start, wait: Wait
) -> None:
    worker = start(kafka, *WORK, "--log-format", "json")
    watcher = start(kafka, "watch", "--from-beginning", GROUNDCAM_LOG__FORMAT="json")
    with publisher(kafka) as out:
        for number in range(3000):
            out.send(Record(kafka.topics.frames, b"nonsense", "gate", 1))
            out.send(Record(kafka.topics.detections, b"nonsense", "gate", 2))
            out.send(Record(kafka.topics.prompts, b"nonsense", "gate", 0))
            if number == 0:
                out.send(Record(kafka.topics.frames, jpeg(), "gate", 3))
        out.flush(60)
        assert not out.unfinished
    wait(lambda: watcher.out, 60, "the answer to the good one")
    wait(lambda: lines(worker, "dead letter:"), 60, "the first bad one")
    first = lines(worker, "dead letter:")[0]
    assert {name: first[name] for name in ("camera", "topic", "partition")} == {
        "camera": "gate", "topic": kafka.topics.frames, "partition": 1,
    }  # fmt: skip
    assert isinstance(first["offset"], int)
    wait(lambda: lines(watcher, "is skipped"), 60, "a bad answer")
    assert lines(watcher, "is skipped")[0]["topic"] == kafka.topics.detections
    assert worker.stop() == 0
    assert watcher.stop() == 0
    assert len(lines(worker, "dead letter:")) <= 6
    assert len(lines(worker, "is ignored")) <= 6
    assert len(lines(watcher, "is skipped")) <= 6
    assert any("more like this were counted" in line["message"] for line in lines(worker, "more like"))
