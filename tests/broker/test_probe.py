"""`groundcam probe` says whether each partition has somebody who answers."""

import subprocess
import sys

import kafka as client
import pytest

from conftest import Start, Wait, environment
from groundcam.audit import audit, totals
from groundcam_runtime.kafka.publisher import Publisher
from groundcam_runtime.kafka.record import Record
from groundcam_runtime.settings import KafkaSettings
from groundcam_schemas import CameraQuestion, Question, encode_json

pytestmark = pytest.mark.broker


def run(settings: KafkaSettings, *arguments: str, command: str = "probe") -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "groundcam", command, *arguments], env=environment(settings), check=False,
        capture_output=True, text=True, timeout=60,
    )  # fmt: skip


def test_every_partition_of_a_working_system_is_answered_and_the_accounts_stay_right(
    kafka: KafkaSettings, start: Start, wait: Wait
) -> None:
    worker = start(kafka, "work", "--model", "demo", "--question", "yellow star", "--group", kafka.topic_prefix)
    wait(lambda: "waiting for frames" in worker.log, 90, "the worker")
    probed = run(kafka, "--timeout", "40")
    assert (probed.returncode, probed.stderr) == (0, "")
    lines = probed.stdout.splitlines()
    assert len(lines) == 5
    assert all("by groundcam/demo" in line or "answered after" in line for line in lines[:4]), lines
    assert all(line.endswith("red circle") for line in lines[:4]), "the picture's own question was asked"
    assert lines[-1] == "all 4 partitions are answered"
    reports = audit(kafka)
    assert (totals(reports).missing, totals(reports).detected) == (0, 4)


def test_without_a_worker_it_fails_and_says_which_partitions_are_silent(kafka: KafkaSettings) -> None:
    probed = run(kafka, "--timeout", "2")
    assert probed.returncode == 1
    assert probed.stdout.count("no answer after") == 4
    assert "4 of 4 partitions have nobody who answers in time" in probed.stdout
    codes = {}
    for options in ((), ("--grace-s", "0"), ("--grace-s", "0", "--since", "2999-01-01")):
        audited = run(kafka, *options, command="audit")
        codes[options] = audited.returncode
        if not options:
            assert audited.stdout.splitlines()[-1].split()[-2:] == ["4", "0"], "in flight, and not missing"
    assert list(codes.values()) == [0, 1, 0], codes


def test_answers_and_questions_in_json_count_as_those_in_msgpack_do(
    kafka: KafkaSettings, start: Start, wait: Wait
) -> None:
    """Nobody needs a header to say so: many clients cannot set one."""
    asked = CameraQuestion(**dict(Question.of("forklift")), camera_id="*")
    publisher = Publisher(kafka, max_waiting_bytes=1_000_000, max_record_bytes=1_000_000)
    publisher.send(Record(kafka.topics.prompts, encode_json(asked), "*"))
    publisher.flush(30)
    publisher.close()
    worker = start(kafka, "work", "--model", "fake", "--json-answers", "--group", kafka.topic_prefix)
    wait(lambda: "waiting for frames" in worker.log, 60, "the worker")
    assert "* is asked now: forklift" in worker.log
    probed = run(kafka, "--timeout", "30")
    assert (probed.returncode, probed.stdout.splitlines()[-1]) == (0, "all 4 partitions are answered"), probed.stdout
    watched = start(kafka, "watch", "--from-beginning", "--count", "4")
    assert watched.process.wait(30) == 0
    assert watched.out.count("1 red circle") == 4
    assert (totals(audit(kafka)).missing, totals(audit(kafka)).detected) == (0, 4)

    admin = client.KafkaAdminClient(bootstrap_servers=kafka.bootstrap_servers)
    admin.delete_records({client.TopicPartition(kafka.topics.frames, number): 1 for number in range(4)})
    admin.close()
    audited = run(kafka, "--grace-s", "0", command="audit")
    assert audited.returncode == 0, "what was answered is accounted for, whether or not its frame is still there"
    assert audited.stdout.splitlines()[-1] == "expired on Kafka, and judged by what was said of them: 4 frames"
