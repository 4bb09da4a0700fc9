"""Send undelivered events again. What is delivered is noted on their topic; what is not stays there as it is."""

import random
import time
from collections.abc import Iterator
from dataclasses import dataclass

from groundcam_events.notify.hook import attempt
from groundcam_events.notify.letters import Letter, open_letters, settled_record
from groundcam_events.notify.pictures import Pictures
from groundcam_events.notify.policy.answers import Answer, delay_s
from groundcam_events.notify.settings import HookSettings, NotifySettings
from groundcam_runtime.kafka.connect import describe
from groundcam_runtime.kafka.errors import UnreachableError
from groundcam_runtime.kafka.publisher import Publisher
from groundcam_runtime.kafka.reader import Reader
from groundcam_runtime.settings import KafkaSettings
from groundcam_schemas.limits import MAX_MESSAGE_BYTES

ATTEMPTS = 3
PATIENCE_S = 30.0
PICTURES_S = 5.0
"""How long to wait for the first picture, until their topic is read."""


@dataclass(frozen=True, slots=True)
class Retried:
    """What became of one."""

    letter: Letter
    failure: str | None
    """Why it is undelivered still; None where it was delivered."""


def retry(settings: NotifySettings, kafka: KafkaSettings, hook: str | None) -> Iterator[Retried]:
    """Send what is undelivered, of one webhook or of all; yield each as it is through. Raises KafkaProblem.

    A webhook that is down is left alone with the rest. Each one that was delivered is noted before the next one is
    sent, so that an end in the middle repeats one at most.
    """
    topic = kafka.topics.undelivered
    with Reader(kafka, [topic], start="beginning") as reader:
        letters = open_letters(reader.to_the_end(), hook)
    publisher = Publisher(
        kafka,
        max_waiting_bytes=MAX_MESSAGE_BYTES,
        max_record_bytes=MAX_MESSAGE_BYTES,
        client_id="groundcam-notify-retry",
    )
    pictures = Pictures(kafka)
    if any(settings.hooks[one.hook].picture == "attach" for one in letters if one.hook in settings.hooks):
        pictures.start()
    down: dict[str, str] = {}
    try:
        for letter in letters:
            known = settings.hooks.get(letter.hook)
            if known is None:
                yield Retried(letter, "there is no webhook of this name in the settings")
            elif letter.hook in down:
                yield Retried(letter, f"not tried, since the one before failed: {down[letter.hook]}")
            else:
                answered = _deliver(letter, known, pictures)
                if answered.failure is None:
                    _note(publisher, topic, letter)
                elif not answered.is_final:
                    down[letter.hook] = answered.text
                yield Retried(letter, answered.text if answered.failure else None)
    finally:
        pictures.close()
        publisher.close()


def _deliver(letter: Letter, settings: HookSettings, pictures: Pictures) -> Answer:
    picture = None
    if settings.picture == "attach":
        picture = pictures.find(letter.event.id, time.monotonic() + PICTURES_S)
    for failures in range(1, ATTEMPTS + 1):
        answered, _ = attempt(letter.hook, settings, letter.event, picture)
        if answered.failure is None or answered.is_final or failures == ATTEMPTS:
            break
        chance = random.random()  # noqa: S311 - spreads requests, guards nothing
        time.sleep(delay_s(failures, settings.retry_s, settings.max_retry_s, chance, answered.retry_after_s))
    return answered


def _note(publisher: Publisher, topic: str, letter: Letter) -> None:
    """Note on Kafka that it was delivered. Raises UnreachableError."""
    publisher.send(settled_record(topic, letter), urgent=True)
    what = f"{letter.hook} has taken {letter.event.id}/{letter.event.n}"
    refused = [one.error for one in publisher.flush(PATIENCE_S) if one.error]
    if refused:
        raise UnreachableError(f"{what}, and Kafka refuses to note it: {describe(refused[0])}")
    if publisher.unfinished:
        raise UnreachableError(f"{what}, and Kafka has not noted it in {PATIENCE_S:.0f} s: it will be sent again")
