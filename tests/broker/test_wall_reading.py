"""Reading some partitions of a topic alone, and then others: what the console does as cameras come into sight."""

import pytest

from conftest import Wait
from footage import publisher
from groundcam_runtime.kafka.reader import Reader
from groundcam_runtime.kafka.record import Record
from groundcam_runtime.records import Partition
from groundcam_runtime.settings import KafkaSettings

pytestmark = pytest.mark.broker


def test_partitions_that_nobody_wants_are_left_alone_and_are_taken_up_at_their_end(
    kafka: KafkaSettings, wait: Wait
) -> None:
    topic = kafka.topics.frames

    def send(text: str) -> None:
        with publisher(kafka) as out:
            for number in range(4):
                out.send(Record(topic, f"{text}{number}".encode(), "gate", number))
            out.flush(30)

    found: list[str] = []

    def read(reader: Reader, count: int) -> list[str]:
        def come() -> bool:
            found.extend((one.value or b"").decode() for one in reader.poll(0.2))
            return len(found) >= count

        wait(come, 20, f"{count} records")
        found.extend((one.value or b"").decode() for one in reader.poll(0.3))
        taken = sorted(found)
        found.clear()
        return taken

    with Reader(kafka, [topic], start="end") as reader:
        reader.read_only({Partition(topic, 1)})
        send("a")
        assert read(reader, 1) == ["a1"]
        reader.read_only({Partition(topic, 1), Partition(topic, 2)})
        send("b")
        assert read(reader, 2) == ["b1", "b2"], "what came meanwhile is not of interest"
        reader.read_only(frozenset())
        send("c")
        assert reader.poll(0.5) == []
        reader.read_only(None)
        send("d")
        assert read(reader, 4) == ["d0", "d1", "d2", "d3"]
