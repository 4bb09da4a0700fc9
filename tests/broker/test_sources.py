"""A member of a group, and its partitions that come and go, on Apache Kafka."""

import os
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from conftest import Wait, environment
from groundcam_runtime.kafka import source
from groundcam_runtime.kafka.admin import Admin
from groundcam_runtime.kafka.assignor import EachTopicAssignor
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

    def numbers(self) -> list[int]:
        """Those of the partitions that it owns."""
        return sorted(place.number for place in self.source.owned)

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
            env=environment(kafka) | {"PYTHONPATH": os.pathsep.join([*sys.path, str(Path(__file__).parent)])},
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
            return sorted(second.numbers() + again.numbers())

        wait(lambda: owned() == [0, 1, 2, 3], 60, "an owner for each partition")


def test_a_leader_that_ends_before_it_knew_of_any_partition_and_comes_back_by_its_name_gets_them_all(
    kafka: KafkaSettings, wait: Wait, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it shared out is remembered by the group, and the one that comes back is no leader that would look again."""
    shared_out, assign = list[Any](), EachTopicAssignor.assign

    def knows_nothing(self: EachTopicAssignor, _cluster: Any, members: Any) -> dict[str, Any]:
        nothing = SimpleNamespace(topics=set, partitions_for_topic=lambda _topic: None)
        shared_out.append(assign(self, nothing, members))
        return shared_out[-1]

    with closing(Member(kafka, 0.5, "one")) as first, monkeypatch.context() as patch:
        patch.setattr(EachTopicAssignor, "assign", knows_nothing)
        first.source.start()
        wait(lambda: shared_out and not first.source._consumer._coordinator.rejoining, 60, "an assignment of nothing")
    assert first.numbers() == []
    with closing(Member(kafka, 0.5, "one")) as again:
        again.source.start()
        wait(lambda: again.numbers() == [0, 1, 2, 3], 30, "every partition")


def test_a_leader_that_came_back_by_its_name_still_takes_up_partitions_that_are_added(
    kafka: KafkaSettings, wait: Wait, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(source, "METADATA_MS", 1000)
    for _life in range(2):
        with closing(Member(kafka, 0.5, "one")) as member:
            member.source.start()
            wait(lambda one=member: one.numbers() == [0, 1, 2, 3], 60, "its partitions")
    with closing(Member(kafka, 0.5, "one")) as member, closing(Admin(kafka)) as admin:
        member.source.start()
        wait(lambda: member.numbers() == [0, 1, 2, 3], 60, "its partitions")
        admin.grow({kafka.topics.frames: 8})
        wait(lambda: member.numbers() == list(range(8)), 30, "those that were added")
