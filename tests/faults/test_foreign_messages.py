"""A million messages of strangers on all topics: every program goes on, forgets them, and answers who asks properly."""

import os
import random
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import kafka as client
import msgpack
import psutil
import pytest
import yaml
from test_kills import seed_of

from conftest import Program, Start, Wait
from footage import jpeg, video
from groundcam_runtime.kafka.reader import Reader
from groundcam_runtime.settings import KafkaSettings
from groundcam_runtime.topic_specs import MIB, wanted
from receiver import Receiver, receiving
from serve_client import serve

pytestmark = [pytest.mark.faults, pytest.mark.long]

COUNT = int(os.environ.get("GROUNDCAM_TEST_FAULTS_MESSAGES", "1000000"))
MOST_LINES = 3000
"""Of a program's log: bad messages are counted, a line each for some."""
MOST_GROWN_MIB = 200
GOLDEN = sorted((Path(__file__).parent.parent / "golden").glob("*-*.*"))


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as one:
        yield one


class Stranger:
    """Makes keys and values of which some are messages, some were ones, and some never were."""

    def __init__(self, seed: int) -> None:
        self._chance, self._golden = random.Random(seed), [path.read_bytes() for path in GOLDEN]
        self._kinds: tuple[Callable[[], bytes | None], ...] = (
            self._mutated, self._mutated, self._renamed, self._noise, self._structure, self._nothing,
        )  # fmt: skip

    def value(self) -> bytes | None:
        return self._chance.choice(self._kinds)()

    def key(self) -> bytes | None:
        return self._chance.choice((None, b"gate", self._name(), self._chance.randbytes(6)))

    def _name(self) -> bytes:
        return b"%04x" % self._chance.randrange(1 << 16)

    def _mutated(self) -> bytes:
        data = bytearray(self._chance.choice(self._golden))
        for _ in range(self._chance.randint(1, 4)):
            data[self._chance.randrange(len(data))] = self._chance.randrange(256)
        return bytes(data) if self._chance.random() < 0.8 else bytes(data[: self._chance.randrange(len(data))])

    def _renamed(self) -> bytes:
        """A message as it should be, of a camera that does not exist."""
        return self._chance.choice(self._golden).replace(b"gate", self._name())

    def _noise(self) -> bytes:
        return self._chance.randbytes(self._chance.randrange(200))

    def _structure(self) -> bytes:
        depth = self._chance.randrange(1, 60)
        made: object = {"schema": "groundcam.detections/1.0", "frame": self._chance.randrange(1 << 62)}
        for _ in range(depth):
            made = self._chance.choice(([made], {"objects": made}, [made, None, 1.5]))
        packed: bytes = msgpack.packb(made)
        return packed

    def _nothing(self) -> bytes | None:
        return self._chance.choice((None, b""))


def flood(kafka: KafkaSettings, seed: int) -> None:
    """Put them on Kafka, as fast as it takes them."""
    stranger, chance = Stranger(seed), random.Random(seed)
    topics = list(wanted(kafka.topics, 4, MIB))
    with closing(
        client.KafkaProducer(bootstrap_servers=kafka.bootstrap_servers, linger_ms=50, batch_size=1 << 17)
    ) as out:
        for _ in range(COUNT):
            topic, key, value = chance.choice(topics), stranger.key(), stranger.value()
            # Without a key the broker takes nothing where it has to know what replaces what; the client, no two nulls.
            is_keyless = key is None and "compact" not in topic.config.get("cleanup.policy", "") and value is not None
            out.send(topic.name, value, None if is_keyless else key or b"")
        out.flush(300)


def test_a_million_messages_of_strangers_end_nothing_and_are_not_kept(
    tmp_path: Path, start: Start, wait: Wait, kafka: KafkaSettings, receiver: Receiver
) -> None:
    hooks = tmp_path / "hooks.yaml"
    hooks.write_text(yaml.safe_dump({"notify": {"hooks": {"all": {"url": receiver.url("/all")}}}}))
    service, asking = serve(start, kafka, "--console")
    programs = {
        "worker": start(kafka, "work", "--model", "fake", "--question", "person", "--group", kafka.topic_prefix),
        "tracker": start(kafka, "track"),
        "notifier": start(kafka, "notify", "--config", hooks),
        "subscriber": start(kafka, "watch", "--json"),
        "producer": start(kafka, "produce", "--camera", f"film={video('bikes.mp4')}", "--loop"),
        "service": service,
    }  # fmt: skip
    wait(lambda: asking.is_ready and asking.detect(jpeg(), "person").status == 200, 90, "a first answer")
    wait(lambda: b"film" in keys(kafka, kafka.topics.objects), 60, "the tracker")
    before = {name: mib(program) for name, program in programs.items()}
    flood(kafka, seed_of("strangers"))
    start(kafka, "produce", "--camera", f"afterwards={video('bikes.mp4')}", "--loop")
    wait(lambda: b"afterwards" in keys(kafka, kafka.topics.detections), 600, "the worker's answer")
    wait(lambda: b"afterwards" in keys(kafka, kafka.topics.objects), 300, "the tracker's")
    wait(lambda: '"afterwards"' in programs["subscriber"].out, 300, "the subscriber's line")
    assert asking.detect(jpeg(), "person").status == 200
    held = {name: (before[name], mib(program)) for name, program in programs.items()}
    lines = {name: len(program.log.splitlines()) for name, program in programs.items()}
    print(*(f"{name}: {was} to {now} MiB, {lines[name]} lines" for name, (was, now) in held.items()), sep="\n")
    auditor = start(kafka, "audit", "--json")
    assert auditor.process.wait(300) in (0, 1), auditor.log[-3000:]
    assert {name for name, (was, now) in held.items() if now - was > MOST_GROWN_MIB} == set()
    assert {name for name, count in lines.items() if count > MOST_LINES} == set()
    assert "\x1b" not in "".join(program.log for program in programs.values())
    for name, program in programs.items():
        assert program.process.poll() is None, f"{name} ended:\n{program.log[-3000:]}"


def keys(kafka: KafkaSettings, topic: str) -> set[bytes | None]:
    with Reader(kafka, [topic], start="beginning") as reader:
        return {record.key for record in reader.to_the_end()}


def mib(program: Program) -> int:
    """Memory of a program and its children."""
    process = psutil.Process(program.process.pid)
    return sum(one.memory_info().rss for one in (process, *process.children(recursive=True))) >> 20
