"""Send a few records of a command, and wait until Kafka has them."""

from collections.abc import Iterable

from groundcam_runtime.kafka.connect import describe
from groundcam_runtime.kafka.errors import RefusedError, UnreachableError
from groundcam_runtime.kafka.publisher import Publisher, RecordTooLargeError
from groundcam_runtime.kafka.record import Record
from groundcam_runtime.settings import KafkaSettings

SEND_S = 10.0
MOST_BYTES = 1_000_000


def send_now(settings: KafkaSettings, records: Iterable[Record], what: str) -> None:
    """Return once Kafka has all of them; `what` names them in errors. Raises KafkaProblem."""
    where = f"Kafka at {settings.bootstrap_servers}"
    publisher = Publisher(settings, max_waiting_bytes=MOST_BYTES, max_record_bytes=MOST_BYTES)
    try:
        try:
            for record in records:
                publisher.send(record)
        except RecordTooLargeError as error:
            raise RefusedError(f"{what} is too large: {error}") from None
        for delivery in publisher.flush(SEND_S):
            if delivery.error is not None:
                raise RefusedError(f"{where} refuses {what} for {delivery.record.topic}: {describe(delivery.error)}")
        if publisher.unfinished:
            why = f" ({publisher.trouble})" if publisher.trouble else ""
            raise UnreachableError(f"{where} did not take {what} in {SEND_S:.0f} s{why}")
    finally:
        publisher.close()
