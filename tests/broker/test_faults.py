"""Workers and brokers that go away lose nothing; the auditor judges."""

import os
import signal
import subprocess
import time
from collections import Counter

import pytest

from conftest import Program, Start, Wait, make_topics
from footage import frame, jpeg, preload, publisher
from groundcam.audit import audit, totals
from groundcam.devkafka.broker import EmbeddedBroker
from groundcam_runtime.kafka.publisher import Publisher, RecordTooLargeError
from groundcam_runtime.kafka.reader import Reader
from groundcam_runtime.kafka.record import Record
from groundcam_runtime.kafka.topics import TopicSpec
from groundcam_runtime.settings import KafkaSettings
from groundcam_schemas import Detections, decode_answer, encode

pytestmark = pytest.mark.broker

WORK = ("work", "--model", "fake:5ms", "--question", "person", "--max-age-s", "0")


def answered(settings: KafkaSettings) -> int:
    return totals(audit(settings)).detected


@pytest.mark.parametrize("instance", [(), ("--instance-id", "w1")])
def test_sigterm_finishes_what_was_begun_and_repeats_nothing(
    kafka: KafkaSettings, start: Start, wait: Wait, instance: tuple[str, ...]
) -> None:
    preload(kafka, cameras=8, frames=120)
    first = start(kafka, *WORK, *instance)
    wait(lambda: answered(kafka) > 100, 60, "the first worker's first answers")
    assert first.stop() == 0
    between = totals(audit(kafka))
    assert 100 < between.detected < 960
    second = start(kafka, *WORK, *instance)
    wait(lambda: answered(kafka) == 960, 90, "all answers")
    assert second.stop() == 0
    total = totals(audit(kafka))
    assert (total.published, total.detected, total.repeated, total.missing) == (960, 960, 0, 0)


def test_sigkill_loses_nothing_and_repeats_carry_the_same_ids(kafka: KafkaSettings, start: Start, wait: Wait) -> None:
    preload(kafka, cameras=8, frames=120)
    variables = {"GROUNDCAM_WORK__SESSION_TIMEOUT_S": "6", "GROUNDCAM_WORK__DRAIN_TIMEOUT_S": "5"}
    for target in (150, 400):
        victim = start(kafka, *WORK, "--instance-id", "w1", **variables)
        wait(lambda t=target: answered(kafka) > t, 60, f"{target} answers")
        victim.stop(signal.SIGKILL)
        assert answered(kafka) < 960, "it was killed in mid-run"
    last = start(kafka, *WORK, "--instance-id", "w1", **variables)
    wait(lambda: answered(kafka) == 960, 90, "all answers")
    assert last.stop() == 0
    total = totals(audit(kafka))
    assert (total.detected, total.missing, total.conflicting_ids) == (960, 0, 0)


def test_a_second_worker_takes_its_share_and_nothing_is_lost(kafka: KafkaSettings, start: Start, wait: Wait) -> None:
    preload(kafka, cameras=8, frames=250)
    first = start(kafka, *WORK)
    wait(lambda: answered(kafka) > 50, 60, "the first worker's first answers")
    second = start(kafka, *WORK)
    wait(lambda: "waiting for frames" in second.log, 60, "the second worker")
    wait(lambda: answered(kafka) > 1000, 60, "half of the answers")
    assert second.stop() == 0
    # Where the second one left in the middle of a rebalance, the group waits for it as long as a session.
    wait(lambda: answered(kafka) == 2000, 90, "all answers")
    assert first.stop() == 0
    total = totals(audit(kafka))
    assert (total.missing, total.conflicting_ids) == (0, 0)


def test_answers_of_a_camera_come_in_the_order_of_its_frames(kafka: KafkaSettings, start: Start, wait: Wait) -> None:
    """Also when its pictures change their shape on the way."""
    pictures = [jpeg(1, 320, 240), jpeg(2, 240, 320), jpeg(3, 200, 200)]
    with publisher(kafka) as out:
        for seq in range(90):
            value = encode(frame("gate", seq, pictures[seq // 7 % 3]))
            out.send(Record(kafka.topics.frames, value, "gate", 2))
        out.flush(30)
    start(kafka, *WORK)
    wait(lambda: answered(kafka) == 90, 60, "all answers")
    with Reader(kafka, [kafka.topics.detections], start="beginning") as reader:
        found = [decode_answer(record.value or b"") for record in reader.to_the_end()]
    assert [one.frame.seq for one in found if isinstance(one, Detections)] == list(range(90))


def test_stale_frames_become_gaps_before_the_next_answer(kafka: KafkaSettings, start: Start, wait: Wait) -> None:
    """A detector that takes 100 ms for frames that come every 25: what is published stays fresh."""
    worker = start(
        kafka, "work", "--model", "fake:100ms", "--question", "person", "--max-age-s", "0.8", "--batch-size", "2"
    )
    wait(lambda: "waiting for frames" in worker.log, 60, "the worker")
    pause, data = __import__("threading").Event(), jpeg()
    with publisher(kafka) as out:
        out.send(Record(kafka.topics.frames, encode(frame("gate", 0, data)), "gate", 0))
        out.flush(10)
        wait(lambda: answered(kafka) == 1, 30, "the first answer")
        for seq in range(1, 200):
            out.send(Record(kafka.topics.frames, encode(frame("gate", seq, data)), "gate", 0))
            out.poll()
            pause.wait(0.025)
        out.flush(10)
    wait(lambda: totals(audit(kafka)).missing == 0, 60, "every frame accounted for")
    (report,) = audit(kafka)
    assert report.in_gaps > 50
    assert report.gaps_by_reason == {"stale": report.in_gaps}
    with Reader(kafka, [kafka.topics.detections], start="beginning") as reader:
        found = [decode_answer(record.value or b"") for record in reader.to_the_end()]
    told: set[int] = set()
    for answer in found:
        if isinstance(answer, Detections):
            assert set(range(answer.frame.seq)) <= told, "every earlier frame is told of before a detection"
            assert (answer.timings_ns.inferred - answer.captured_at_ns) / 1e9 < 2.0
            told.add(answer.frame.seq)
        else:
            assert answer.first_seq is not None
            assert answer.last_seq is not None
            told |= set(range(answer.first_seq, answer.last_seq + 1))


def lines_about_trouble(program: Program) -> list[str]:
    return [line for line in program.log.splitlines() if "WARNING" in line or "ERROR" in line]


def test_a_broker_that_dies_costs_one_line_a_minute_and_no_frame(start: Start, wait: Wait) -> None:
    with EmbeddedBroker() as broker:
        kafka = make_topics(KafkaSettings(bootstrap_servers=broker.bootstrap_servers))
        worker = start(kafka, *WORK)
        watcher = start(kafka, "watch", "--json", "--from-beginning")
        preload(kafka, cameras=4, frames=200)
        wait(lambda: len(watcher.out.splitlines()) > 100, 60, "first answers")
        broker.kill_node(0)
        killed_at = time.monotonic()
        wait(lambda: time.monotonic() - killed_at > 20, 30)
        assert worker.process.poll() is None
        assert watcher.process.poll() is None
        broker.start_node(0)
        broker.wait_for_node(0)
        wait(lambda: len(watcher.out.splitlines()) >= 800, 90, "all answers")
        wait(lambda: answered(kafka) == 800, 30, "all answers on the topic")
        assert worker.stop() == 0
        assert watcher.stop() == 0
        total = totals(audit(kafka))
        assert (total.missing, total.conflicting_ids) == (0, 0)
        for program in (worker, watcher):
            assert 0 < len(lines_about_trouble(program)) <= 2, program.log


def test_a_refused_record_does_not_stop_its_neighbours(kafka: KafkaSettings) -> None:
    """One record over the topic's limit makes kafka-python's producer fail every later one."""
    from groundcam_runtime.kafka.topics import TopicAdmin

    admin = TopicAdmin(kafka)
    admin.ensure([TopicSpec(f"{kafka.topic_prefix}small", 1, {"max.message.bytes": "20000"})], None)
    admin.close()
    with publisher(kafka) as out:
        for number in range(10):
            size = 50_000 if number == 4 else 100
            out.send(Record(f"{kafka.topic_prefix}small", bytes([number]) * size, "k"), number)
        finished = out.flush(30)
        assert out.rebuilds == 1
    assert sorted(delivery.tag for delivery in finished) == list(range(10))
    assert [delivery.tag for delivery in finished if delivery.error] == [4]
    with Reader(kafka, [f"{kafka.topic_prefix}small"], start="beginning") as reader:
        stored = Counter((record.value or b"")[0] for record in reader.to_the_end())
    assert set(stored) == {0, 1, 2, 3, 5, 6, 7, 8, 9}


def test_a_producer_that_went_silent_is_replaced_and_its_records_sent_again(wait: Wait) -> None:
    """After its delivery time-out kafka-python's idempotent producer accepts records and never sends them."""
    with EmbeddedBroker() as broker:
        kafka = make_topics(KafkaSettings(bootstrap_servers=broker.bootstrap_servers, connect_timeout_s=2))
        out = Publisher(kafka, max_waiting_bytes=10**6, max_record_bytes=10**5, delivery_timeout_s=3)
        out.send(Record(kafka.topics.frames, b"0", "k", 0), 0)
        assert [delivery.tag for delivery in out.flush(10)] == [0]
        node = broker._processes[0]
        java = int(subprocess.run(["pgrep", "-P", str(node.pid)], capture_output=True, text=True, check=True).stdout)
        os.kill(java, signal.SIGSTOP)
        finished = []
        for number in range(1, 6):
            out.send(Record(kafka.topics.frames, bytes([48 + number]), "k", 0), number)
        frozen_at = time.monotonic()
        while time.monotonic() - frozen_at < 8:
            finished += out.flush(0.5)
        assert not finished
        os.kill(java, signal.SIGCONT)
        out.send(Record(kafka.topics.frames, b"6", "k", 0), 6)
        finished = out.flush(40)
        assert sorted(delivery.tag for delivery in finished) == [1, 2, 3, 4, 5, 6]
        assert not any(delivery.error for delivery in finished)
        assert out.rebuilds >= 1
        out.close()
        with Reader(kafka, [kafka.topics.frames], start="beginning") as reader:
            assert {record.value for record in reader.to_the_end()} == {bytes([48 + number]) for number in range(7)}


def test_waiting_records_are_bounded(kafka: KafkaSettings) -> None:
    out = Publisher(kafka, max_waiting_bytes=1000, max_record_bytes=5000)
    with pytest.raises(RecordTooLargeError):
        out.send(Record(kafka.topics.frames, b"x" * 6000, "k"))
    out.send(Record(kafka.topics.frames, b"x" * 4000, "k"))  # an empty queue takes any record
    assert not out.has_room(1)
    out.flush(10)
    assert out.waiting_bytes == 0
    assert out.has_room(900)
    out.close()
