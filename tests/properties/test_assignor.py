"""How a group's members share partitions, for any members and any history."""

from types import SimpleNamespace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from kafka.protocol.consumer.metadata import ConsumerProtocolSubscription

from groundcam_runtime.kafka.assignor import EachTopicAssignor

Shares = dict[str, dict[str, list[int]]]
SUBSCRIPTION = ConsumerProtocolSubscription


def ask(topics: dict[str, int], shares: Shares) -> Shares:
    """One round of the group: each member says what it owns, the leader assigns."""
    cluster = SimpleNamespace(topics=lambda: set(topics), partitions_for_topic=lambda topic: set(range(topics[topic])))
    members: list[Any] = []
    for member_id, owned in shares.items():
        held = [SUBSCRIPTION.TopicPartition(topic=topic, partitions=numbers) for topic, numbers in owned.items()]
        metadata = SUBSCRIPTION(version=1, topics=sorted(topics), user_data=b"", owned_partitions=held)
        members.append(SimpleNamespace(member_id=member_id, metadata=metadata))
    assigned = EachTopicAssignor().assign(cluster, members)
    given = sum(len(numbers) for share in assigned.values() for _, numbers in share.assigned_partitions)
    for share in assigned.values():
        assignor = EachTopicAssignor()
        assignor.on_assignment(share, 1)
        there = sum(topics.values())
        assert assignor.is_overdue(0.0) == (given < there), "each member knows whether more must follow"
        assert not assignor.knew_less(there)
        assert assignor.knew_less(there + 1) == (given == there), "and whether there were fewer partitions than now"
        assert not assignor.knew_less(there + 1), "which it does not say again at once"
    return {
        member_id: {topic: sorted(numbers) for topic, numbers in share.assigned_partitions}
        for member_id, share in assigned.items()
    }


def test_a_leader_that_knows_of_no_partition_yet_says_so_and_one_of_an_older_version_says_nothing() -> None:
    cluster = SimpleNamespace(topics=set, partitions_for_topic=lambda _topic: None)
    metadata = SUBSCRIPTION(version=1, topics=["frames"], user_data=b"", owned_partitions=[])
    assigned = EachTopicAssignor().assign(cluster, [SimpleNamespace(member_id="w1", metadata=metadata)])["w1"]
    heard = EachTopicAssignor()
    heard.on_assignment(assigned, 1)
    assert not heard.knew_less(0)
    assert heard.knew_less(4)
    for mark in (b"", b"of ", b"of four", "of \N{SUPERSCRIPT TWO}".encode(), b"\xff"):
        older = EachTopicAssignor()
        older.on_assignment(SimpleNamespace(assigned_partitions=[], user_data=mark, partitions=list), 1)
        assert not older.knew_less(4)
        assert not older.is_overdue(0.0)


def held(shares: Shares, topic: str) -> list[int]:
    return sorted(number for share in shares.values() for number in share.get(topic, ()))


counts = st.dictionaries(st.sampled_from(["frames", "recordings"]), st.integers(1, 12), min_size=1)


@given(counts, st.lists(st.integers(1, 6), min_size=1, max_size=4))
def test_each_topic_is_shared_evenly_and_no_partition_has_two_owners(topics: dict[str, int], sizes: list[int]) -> None:
    """Members come and go; after two rounds every topic is even by itself, and a third moves nothing."""
    shares: Shares = {}
    for size in sizes:
        names = [f"w{number}" for number in range(size)]
        shares = {name: shares.get(name, {}) for name in names}
        first = ask(topics, shares)
        for topic in topics:
            taken = held(first, topic)
            assert len(taken) == len(set(taken))
            for name in names:  # what moves is given up by its owner before another one gets it
                new = set(first[name].get(topic, ())) - set(shares[name].get(topic, ()))
                assert not new & set(held(shares, topic))
        shares = ask(topics, first)
        for topic, partitions in topics.items():
            assert held(shares, topic) == list(range(partitions))
            loads = [len(shares[name].get(topic, ())) for name in names]
            assert max(loads) - min(loads) <= 1
        assert ask(topics, shares) == shares
