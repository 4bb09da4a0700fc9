"""A member of a group, and its partitions that come and go, on Apache Kafka."""

import os
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from conftest import Wait, environment
from groundcam_runtime.kafka.source import GroupSource
from groundcam_runtime.records import Assigned, Gone
from groundcam_runtime.settings import KafkaSettings

pytestmark = pytest.mark.broker


class Member:
    """A source, with what came out of it."""

    def __init__(self, kafka: KafkaSettings, hand_over_s: float, name: str | None = None) -> None:
        self.source = GroupSource(
            kafka, [kafka.topics.frames], group_id=kafka.topic_prefix, max_records=10, max_bytes=10**6,
            instance_id=name, session_timeout_s=30, hand_over_s=hand_over_s,
        )  # fmt: skip
        self._events: list[Any] = []

    def has(self, kind: type) -> bool:
        while (event := self.source.take()) is not None:
            self._events.append(event)
        return any(isinstance(one, kind) for one in self._events)

    def close(self) -> None:
        self.source.close(10)


def test_partitions_that_nobody_hands_over_go_in_time_and_are_asked_for_no_more(
    kafka: KafkaSettings, wait: Wait
) -> None:
    """Whoever looks late, and has them again by then, would give them up for nothing."""
    with closing(Member(kafka, hand_over_s=3)) as first, closing(Member(kafka, hand_over_s=3)) as second:
        first.source.start()
        wait(lambda: first.has(Assigned), 60, "the partitions")
        second.source.start()
        wait(lambda: first.source.leaving, 60, "the question for some of them")
        wait(lambda: first.has(Gone), 60, "their end")
        assert not first.source.leaving
        wait(lambda: second.has(Assigned), 60, "their new owner")


FOREVER = """
import time
from groundcam_runtime.settings import KafkaSettings
from test_sources import Member
member = Member(KafkaSettings(bootstrap_servers={servers!r}, topic_prefix={prefix!r}), 600, "one")
member.source.start()
while not member.source.leaving:
    print("has", len(member.source.owned), flush=True)
    time.sleep(0.05)
print("leaving", flush=True)
time.sleep(600)
"""
"""A member that never hands over, and tells when it should."""


def test_an_owner_that_dies_while_it_gives_partitions_up_and_comes_back_by_its_name_leaves_none_without_an_owner(
    kafka: KafkaSettings, wait: Wait, tmp_path: Path
) -> None:
    """Within a session in which the group does not miss it, so that nobody else asks for the rebalance that is due."""
    script = FOREVER.format(servers=kafka.bootstrap_servers, prefix=kafka.topic_prefix)
    said = tmp_path / "said"
    with said.open("w") as out:
        first = subprocess.Popen(
            [sys.executable, "-c", script], stdout=out,
            env=environment(kafka) | {"PYTHONPATH": os.pathsep.join([str(Path(__file__).parent), *sys.path])},
        )  # fmt: skip
    with closing(Member(kafka, 0.5, "two")) as second, closing(Member(kafka, 0.5, "one")) as again:
        try:
            wait(lambda: "has 4\n" in said.read_text(), 60, "the first member's partitions")
            second.source.start()
            wait(lambda: "leaving" in said.read_text(), 60, "the question for some of them")
        finally:
            first.kill()
            first.wait()
        again.source.start()

        def owned() -> list[int]:
            return sorted(place.number for one in (second, again) for place in one.source.owned)

        wait(lambda: owned() == [0, 1, 2, 3], 60, "an owner for each partition")
