"""Everything that an HTTP request stands on, killed in the middle of requests: each client is told something in time."""

import http.client
import random
import signal
import threading
import time
from collections import Counter

import pytest

from conftest import Program, Start, Wait, make_topics
from footage import encoded, jpeg
from groundcam.devkafka.broker import EmbeddedBroker
from groundcam_runtime.settings import KafkaSettings
from kills import SHORT
from serve_client import Client, serve, together

pytestmark = pytest.mark.faults

TIMEOUT_S = 8.0
CLIENTS = 12
KINDS = ("png", "jpeg", "webp")


class Site:
    """Two workers and two services, which are killed and started again, and what their clients got."""

    def __init__(self, start: Start, wait: Wait, kafka: KafkaSettings) -> None:
        self._start, self._wait, self._kafka = start, wait, kafka
        self.workers = [self._worker(), self._worker()]
        self.services: list[tuple[Program, Client]] = [serve(start, kafka), serve(start, kafka)]
        self.outcomes: Counter[str] = Counter()
        self._pause = threading.Event()
        for _, client in self.services:
            wait(lambda one=client: answers(one), 60, "an answer")

    def _worker(self) -> Program:
        group = self._kafka.topic_prefix
        program: Program = self._start(self._kafka, "work", "--model", "fake:2ms", "--group", group, **SHORT)
        return program

    def kill_a_worker(self) -> None:
        self.workers.pop(0).process.send_signal(signal.SIGKILL)
        self.workers.append(self._worker())

    def kill_a_service(self) -> None:
        (victim, _), other = self.services
        victim.process.send_signal(signal.SIGKILL)
        self.services = [other, serve(self._start, self._kafka)]

    def ask(self, number: int) -> None:
        """Ask for a picture whose size, and for a class whose name, no other request has."""
        size, label = (16 + 2 * (number % 97), 16 + 2 * (number // 97 % 109)), f"thing {number}"
        picture = encoded(KINDS[number % 3], *size)
        while True:
            client, began = self.services[number % 2][1], time.monotonic()
            try:
                answer = client.detect(picture, label, timeout_s=TIMEOUT_S)
                break
            except ConnectionRefusedError:  # nobody took it yet
                self._pause.wait(0.1)
            except (OSError, http.client.HTTPException):
                self.outcomes["its service was killed"] += 1
                return
        assert time.monotonic() - began < TIMEOUT_S + 2, "in time"
        assert answer.status in {200, 503, 504}, answer.body
        self.outcomes[str(answer.status)] += 1
        if answer.status == 503:  # a client that asks again at once would spend its requests while nobody is there
            self._pause.wait(float(answer.headers["retry-after"]))
        if answer.status == 200:
            (result,) = answer.json["results"]
            mine = result["question"]["classes"], result["source_width"], result["source_height"]
            assert mine == ([label], *size), "another's answer"


def answers(client: Client) -> bool:
    return client.is_ready and client.detect(jpeg(), "person", timeout_s=2).status == 200


@pytest.mark.long
def test_whatever_is_killed_each_client_gets_its_own_answer_or_a_problem_in_time(
    start: Start, wait: Wait, kafka: KafkaSettings, *, full: bool
) -> None:
    site, count = Site(start, wait, kafka), 10_000 if full else 600
    stopping, kills, turns = threading.Event(), Counter[str](), random.Random(7)

    def kill() -> None:
        while not stopping.wait(1.0 if not kills else 5.0):
            what = turns.choice((site.kill_a_worker, site.kill_a_worker, site.kill_a_service))
            kills[what.__name__] += 1
            what()

    killer = threading.Thread(target=kill)
    killer.start()
    try:
        together(site.ask, count, CLIENTS)
    finally:
        stopping.set()
        killer.join()
    print(f"{count} requests: {dict(site.outcomes)}; {dict(kills)}")
    assert site.outcomes["200"] > count / 2
    for _, client in site.services:
        wait(lambda one=client: answers(one), 60, "an answer afterwards")


def test_while_kafka_is_away_each_client_is_told_in_time_and_afterwards_all_is_as_before(
    start: Start, wait: Wait, *, full: bool
) -> None:
    with EmbeddedBroker() as broker:
        kafka = make_topics(KafkaSettings(bootstrap_servers=broker.bootstrap_servers, topic_prefix="t."))
        site, away_s = Site(start, wait, kafka), 20.0 if full else 6.0
        stopping = threading.Event()

        def ask(first: int) -> None:
            for number in range(first, 1_000_000, CLIENTS):
                if stopping.is_set():
                    return
                site.ask(number)

        asking = threading.Thread(target=together, args=(ask, CLIENTS, CLIENTS))
        asking.start()
        wait(lambda: site.outcomes["200"] > 50, 60, "answers")
        broker.kill_node(0)
        stopping.wait(away_s)
        during = Counter(site.outcomes)
        broker.start_node(0)
        broker.wait_for_node(0)
        wait(lambda: site.outcomes["200"] > during["200"] + 50, 120, "answers again")
        stopping.set()
        asking.join()
        print(f"Kafka away for {away_s:g} s: {dict(site.outcomes)}")
