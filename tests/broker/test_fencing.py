"""Two producers of one transactional id: the older ends, and leaves the younger alone."""

from collections.abc import Callable, Iterator, Mapping, Sequence

import pytest

from conftest import Wait
from groundcam_runtime.kafka.errors import TransactionLostError
from groundcam_runtime.kafka.publisher import Delivery
from groundcam_runtime.kafka.reader import Reader
from groundcam_runtime.kafka.record import Record
from groundcam_runtime.kafka.transactions import TransactionalPublisher, TransactionPlan
from groundcam_runtime.settings import KafkaSettings

pytestmark = pytest.mark.broker


class Interrupted(Sequence[Delivery]):
    """Deliveries with something done before some of them."""

    def __init__(self, deliveries: Sequence[Delivery], before: Mapping[int, Callable[[], None]]) -> None:
        self._deliveries, self._before = deliveries, before

    def __len__(self) -> int:
        return len(self._deliveries)

    def __getitem__(self, index: int) -> Delivery:  # type: ignore[override]
        self._before.get(index, lambda: None)()
        return self._deliveries[index]


def publisher(kafka: KafkaSettings, plan: Callable[[Sequence[Delivery]], TransactionPlan]) -> TransactionalPublisher:
    return TransactionalPublisher(
        kafka,
        f"{kafka.topic_prefix}w1",
        max_waiting_bytes=1 << 20,
        max_record_bytes=1 << 16,
        plan=plan,
        committed=lambda _: None,
    )


def whole(deliveries: Sequence[Delivery]) -> TransactionPlan:
    return TransactionPlan(deliveries, {}, None)


@pytest.fixture
def publishers() -> Iterator[list[TransactionalPublisher]]:
    made: list[TransactionalPublisher] = []
    yield made
    for one in made:
        one.close()


@pytest.mark.parametrize("second", [0, 1], ids=["a partition of the transaction", "a partition that it has to add"])
def test_a_producer_whose_name_is_taken_over_in_the_middle_of_sending_does_not_take_it_back(
    kafka: KafkaSettings, wait: Wait, publishers: list[TransactionalPublisher], second: int
) -> None:
    """kafka-python tells a fenced producer so once, and then only that it is in an error state."""
    topic = kafka.topics.detections

    def take_over() -> None:
        with Reader(kafka, [topic], start="beginning", isolation_level="read_uncommitted") as reader:
            wait(lambda: any(record.value == b"first" for record in reader.to_the_end()), 30, "the first record")
        publishers.append(publisher(kafka, whole))

    def until_fenced() -> None:
        wait(older._producer._transaction_manager.has_fatal_error, 30, "the broker's refusal")

    def interrupted(deliveries: Sequence[Delivery]) -> TransactionPlan:
        return TransactionPlan(Interrupted(deliveries, {1: take_over, 2: until_fenced}), {}, None)

    older = publisher(kafka, interrupted)
    publishers.append(older)
    for value, partition in ((b"first", 0), (b"second", second), (b"third", 0)):
        older.send(Record(topic, value, "gate", partition))
    with pytest.raises(TransactionLostError, match="has taken over"):
        wait(older.poll, 60, "the older one's end")
    younger = publishers[1]
    younger.send(Record(topic, b"fourth", "gate", 0))
    wait(younger.poll, 60, "the younger one's transaction")
    with Reader(kafka, [topic], start="beginning") as reader:
        assert [record.value for record in reader.to_the_end()] == [b"fourth"]
