"""Topics on Apache Kafka: made, judged, grown, and never changed otherwise."""

import threading
import uuid
from collections.abc import Iterator
from contextlib import closing, contextmanager

import kafka as client
import pytest

from conftest import Program, Start, Wait
from footage import frame, jpeg, publisher
from groundcam.devkafka.broker import EmbeddedBroker
from groundcam_runtime.kafka.errors import TopicError
from groundcam_runtime.kafka.reader import Reader
from groundcam_runtime.kafka.record import Record
from groundcam_runtime.kafka.topics import TopicAdmin, TopicSpec, wanted
from groundcam_runtime.settings import KafkaSettings
from groundcam_schemas import encode

pytestmark = pytest.mark.broker


@pytest.fixture
def bare(cluster: str) -> KafkaSettings:
    """A prefix of this test's own, without topics."""
    return KafkaSettings(bootstrap_servers=cluster, topic_prefix=f"t{uuid.uuid4().hex[:8]}.")


def ensured(start: Start, settings: KafkaSettings, *arguments: object) -> Program:
    """`groundcam topics ensure`, ended."""
    program = start(settings, "topics", "ensure", *arguments)
    program.process.wait(60)
    return program


def partitions(settings: KafkaSettings, *names: str) -> list[int]:
    with closing(TopicAdmin(settings)) as admin:
        return list(admin.require(list(names)).values())


def test_topics_are_created_once_and_looked_at_afterwards(bare: KafkaSettings) -> None:
    topics = bare.topics
    specs = wanted(topics, 6, 2_000_000)
    with closing(TopicAdmin(bare)) as admin:
        assert all("created with" in one.text for one in admin.ensure(specs, None))
        assert {one.text for one in admin.ensure(specs, None)} == {"is there"}
        assert admin.require([topics.frames, topics.prompts]) == {topics.frames: 6, topics.prompts: 1}
        assert admin.max_message_bytes(topics.frames) == 2_000_000
        larger = [str(one) for one in admin.ensure(wanted(topics, 6, 3_000_000), None)]
        text = "wrong: max.message.bytes is 2000000, less than 3000000: larger frames will be refused"
        assert f"{topics.frames}: {text}" in larger
        with pytest.raises(TopicError, match="nosuch"):
            admin.require(["nosuch"])


def test_topics_that_others_made_wrong_are_complained_about(bare: KafkaSettings) -> None:
    topics = bare.topics
    by_others = [
        TopicSpec(topics.prompts, 3, {"cleanup.policy": "delete"}),
        TopicSpec(topics.frames, 2, {"retention.ms": "604800000", "min.insync.replicas": "2"}),
        TopicSpec(topics.detections, 9, {"cleanup.policy": "compact"}),
    ]
    with closing(TopicAdmin(bare)) as admin:
        admin.ensure(by_others, None)
        remarks = admin.ensure(wanted(topics, 4, 4_000_000), None)
        assert admin.require([topics.frames, topics.detections]) == {topics.frames: 2, topics.detections: 9}
    found = {(one.topic.removeprefix(topics.prefix), one.text.split(" ")[0], one.weight) for one in remarks}
    assert found == {
        ("prompts", "has", "wrong"), ("prompts", "cleanup.policy", "wrong"),
        ("frames", "has", "hint"), ("frames", "min.insync.replicas", "hint"), ("frames", "max.message.bytes", "wrong"),
        ("frames", "retention.ms", "hint"), ("frames", "segment.bytes", "hint"),
        ("frames", "message.timestamp.type", "hint"),
        ("detections", "has", "hint"), ("detections", "cleanup.policy", "wrong"),
        ("recordings", "created", "fine"), ("dead-letters", "created", "fine"), ("cameras", "created", "fine"),
        ("attempts", "created", "fine"), ("workers", "created", "fine"),
        ("requests", "created", "fine"), ("replies", "created", "fine"),
        ("events", "created", "fine"), ("pictures", "created", "fine"), ("undelivered", "created", "fine"),
        ("objects", "created", "fine"), ("zones", "created", "fine"), ("tracks", "created", "fine"),
    }  # fmt: skip


def test_the_exit_code_tells_what_is_wrong_from_what_is_fine(bare: KafkaSettings, start: Start) -> None:
    topics = bare.topics
    with closing(TopicAdmin(bare)) as admin:
        admin.ensure([TopicSpec(topics.frames, 8, {"max.message.bytes": "4194304"})], None)
    hinted = ensured(start, bare)
    assert hinted.process.returncode == 0, hinted.log
    assert f"{topics.frames}: hint: retention.ms is 604800000 (7 days)" in hinted.out
    assert "has 8 partitions" not in hinted.out  # nobody asked for fewer
    assert hinted.out.count("created with") == 15

    wrong = ensured(start, bare, "--max-message-bytes", 8_000_000)
    assert wrong.process.returncode == 1
    assert f"{topics.frames}: wrong: max.message.bytes is 4194304" in wrong.out
    assert wrong.log == ""


def test_partitions_are_added_only_when_asked_for_and_never_taken_away(bare: KafkaSettings, start: Start) -> None:
    topics = bare.topics
    data = (
        topics.frames, topics.recordings, topics.detections, topics.requests, topics.replies,
        topics.events, topics.pictures,
    )  # fmt: skip
    assert ensured(start, bare, "--partitions", 2).process.returncode == 0
    with publisher(bare) as out:
        for number in range(2):
            out.send(Record(topics.frames, encode(frame(f"cam{number}", 0, jpeg())), f"cam{number}", number))
        out.flush(30)

    told = ensured(start, bare, "--partitions", 5)
    assert told.process.returncode == 0
    assert told.out.count("--partitions 5 --repartition` adds the others") == 7
    assert partitions(bare, *data) == [2] * 7

    grown = ensured(start, bare, "--partitions", 5, "--repartition")
    assert grown.process.returncode == 0, grown.log
    assert grown.out.count("grown from 2 to 5 partitions") == 7
    assert grown.out.count("a camera goes on on another partition only when its producer places it anew") == 7
    assert "adds the others" not in grown.out
    assert partitions(bare, *data) == [5] * 7
    assert partitions(bare, topics.prompts, topics.cameras, topics.attempts, topics.dead_letters) == [1, 1, 1, 1]
    with closing(client.KafkaAdminClient(bootstrap_servers=bare.bootstrap_servers)) as admin:
        admin.delete_topics([topics.events])
    assert ensured(start, bare).process.returncode == 0
    assert partitions(bare, topics.events) == [5], "as many as detections"
    with Reader(bare, [topics.frames], start="beginning") as reader:
        assert sorted(record.partition.number for record in reader.to_the_end()) == [0, 1]

    fewer = ensured(start, bare, "--partitions", 3, "--repartition")
    assert fewer.process.returncode == 0
    assert fewer.out.count("has 5 partitions, more than 3: Kafka takes none away, so they stay") == 7
    assert partitions(bare, *data) == [5] * 7


@contextmanager
def members(settings: KafkaSettings, group: str, count: int, wait: Wait) -> Iterator[None]:
    """Consumers of the frames topic, all in one group."""
    stop = threading.Event()

    def belong() -> None:
        consumer = client.KafkaConsumer(
            settings.topics.frames, bootstrap_servers=settings.bootstrap_servers, group_id=group
        )
        while not stop.is_set():
            consumer.poll(100)
        consumer.close()

    threads = [threading.Thread(target=belong) for _ in range(count)]
    for thread in threads:
        thread.start()
    try:
        with closing(TopicAdmin(settings)) as admin:
            wait(lambda: admin.members(group) == count, 60, "the members")
        yield
    finally:
        stop.set()
        for thread in threads:
            thread.join(30)


def test_more_workers_than_partitions_are_warned_of(bare: KafkaSettings, start: Start, wait: Wait) -> None:
    """Those that will be, and those that are."""
    group = f"group-{bare.topic_prefix}x"
    planned = ensured(start, bare, "--partitions", 2, "--workers", 3, "--group", group)
    assert planned.process.returncode == 0
    assert f"{bare.topics.frames}: hint: 3 workers for 2 partitions: 1 will have no live frames" in planned.out
    assert "has 0 members" not in planned.out
    assert "hint" not in ensured(start, bare, "--workers", 2, "--group", group).out
    with members(bare, group, 3, wait):
        assert f"the group {group} has 3 members for 2 partitions: 1 will" in ensured(start, bare, "--group", group).out


def test_a_copy_that_no_broker_can_hold_is_one_sentence(bare: KafkaSettings, start: Start) -> None:
    refused = ensured(start, bare, "--replication", 7)
    assert refused.process.returncode == 3
    assert len(refused.log.splitlines()) == 1
    assert f"{bare.topics.frames} cannot be created: InvalidReplicationFactorError" in refused.log


def test_one_copy_on_three_brokers_is_hinted_at(start: Start) -> None:
    with EmbeddedBroker(nodes=3) as broker:
        kafka = KafkaSettings(bootstrap_servers=broker.bootstrap_servers)
        with closing(TopicAdmin(kafka)) as admin:
            admin.ensure([TopicSpec(kafka.topics.frames, 4, {"min.insync.replicas": "1"})], 1)
        told = ensured(start, kafka)
        assert f"{kafka.topics.frames}: hint: has one copy on a cluster of 3 brokers" in told.out
        assert f"{kafka.topics.recordings}: created with 4 partitions" in told.out
        again = ensured(start, kafka)
        assert [line for line in again.out.splitlines() if not line.endswith(": is there")] == [
            line for line in told.out.splitlines() if line.startswith(f"{kafka.topics.frames}:")
        ]
