"""What is said of topics, and which rights are printed, without a broker."""

from collections.abc import Iterable, Mapping

import pytest

from command_line import run
from groundcam_runtime.topic_review import TopicState, grown, growth, idle_workers, judge
from groundcam_runtime.topic_specs import MIB, TopicSpec, to_ask_for, wanted
from groundcam_schemas import Topics

TOPICS = Topics("t.")
SPECS = wanted(TOPICS, 4, 4 * MIB)
CONTROL = (TOPICS.prompts, TOPICS.cameras, TOPICS.attempts)


def made_as_wanted(specs: Iterable[TopicSpec] = SPECS) -> dict[str, TopicState]:
    defaults = {
        "cleanup.policy": "delete",
        "min.insync.replicas": "1",
        "retention.bytes": "-1",
        "segment.ms": "604800000",
    }
    return {spec.name: TopicState(spec.partitions, 1, defaults | spec.config) for spec in specs}


def said(
    name: str,
    config: Mapping[str, str] | None = None,
    *,
    partitions: int | None = None,
    replicas: int = 1,
    brokers: int = 1,
) -> list[str]:
    """What is said of a topic that is as wanted but for this."""
    states = made_as_wanted()
    as_wanted = states[name]
    changed = {**(as_wanted.config or {}), **(config or {})}
    states[name] = TopicState(partitions or as_wanted.partitions, replicas, changed)
    return [str(remark).removeprefix(f"{name}: ") for remark in judge(SPECS, states, brokers) if remark.topic == name]


def test_topics_that_are_as_wanted_are_there_and_no_more() -> None:
    assert {str(remark) for remark in judge(SPECS, made_as_wanted(), 1)} == {f"{spec.name}: is there" for spec in SPECS}


@pytest.mark.parametrize("name", CONTROL)
def test_a_control_topic_has_one_partition_and_is_compacted(name: str) -> None:
    assert said(name, partitions=3) == ["wrong: has 3 partitions instead of 1, so that nobody reads it in order"]
    assert said(name, {"cleanup.policy": "delete"})[0].startswith(
        "wrong: cleanup.policy is delete and should be compact"
    )
    assert said(name, {"cleanup.policy": "compact,delete"})[0].startswith("hint: cleanup.policy is compact,delete")


@pytest.mark.parametrize("name", [TOPICS.frames, TOPICS.recordings, TOPICS.detections, TOPICS.dead_letters])
@pytest.mark.parametrize("policy", ["compact", "compact,delete"])
def test_a_stream_that_is_compacted_is_wrong(name: str, policy: str) -> None:
    assert said(name, {"cleanup.policy": policy})[0].startswith(
        f"wrong: cleanup.policy is {policy} and should be delete"
    )


@pytest.mark.parametrize("name", [TOPICS.frames, TOPICS.recordings, TOPICS.dead_letters])
def test_a_topic_that_refuses_large_frames_is_wrong(name: str) -> None:
    text = "wrong: max.message.bytes is 1048588, less than 4194304: larger frames will be refused"
    assert said(name, {"max.message.bytes": "1048588"}) == [text]
    assert said(name, {"max.message.bytes": str(5 * MIB)}) == ["is there"]


def test_dead_letters_take_what_frames_and_recordings_take() -> None:
    """Also where those take more than was asked for."""
    states = made_as_wanted()
    states[TOPICS.recordings] = TopicState(
        4, 1, {**(states[TOPICS.recordings].config or {}), "max.message.bytes": "9000000"}
    )
    (remark,) = (one for one in judge(SPECS, states, 1) if one.weight == "wrong")
    assert remark.topic == TOPICS.dead_letters
    assert "less than the 9000000 of t.recordings" in remark.text


@pytest.mark.parametrize(
    ("config", "says"),
    [
        ({"retention.ms": "604800000"}, "hint: retention.ms is 604800000 (7 days) instead of 10 minutes"),
        ({"retention.ms": "-1"}, "hint: retention.ms is -1 (for ever) instead of 10 minutes"),
        ({"retention.ms": "20000"}, "wrong: retention.ms is 20000 (20 seconds) instead of 10 minutes: what nobody has"),
        ({"retention.bytes": "1000"}, "hint: retention.bytes is 1000: beyond it messages go, read or not"),
        (
            {"segment.bytes": "1073741824", "segment.ms": "604800000"},
            "hint: segment.bytes is 1073741824 and segment.ms",
        ),
    ],
)
def test_live_frames_go_after_minutes(config: dict[str, str], says: str) -> None:
    (line,) = said(TOPICS.frames, config)
    assert line.startswith(says)


def test_only_live_frames_are_stamped_by_kafka_and_others_are_advised_to_be() -> None:
    (line,) = said(TOPICS.frames, {"message.timestamp.type": "CreateTime"})
    assert line.startswith("hint: message.timestamp.type is CreateTime and should be LogAppendTime: how long frames")
    assert "--entity-name t.frames --add-config message.timestamp.type=LogAppendTime`" in line
    for spec in SPECS[1:]:
        if spec.name == TOPICS.requests:
            continue  # these are live, too
        assert said(spec.name, {"message.timestamp.type": "CreateTime"}) == ["is there"]
    states = made_as_wanted() | {TOPICS.frames: TopicState(4, 1, {})}
    assert {str(one) for one in judge(SPECS, states, 1) if one.topic == TOPICS.frames} == {"t.frames: is there"}


def test_a_segment_that_ends_by_its_size_or_by_its_age_is_small_enough() -> None:
    assert said(TOPICS.frames, {"segment.bytes": "1073741824"}) == ["is there"]
    assert said(TOPICS.frames, {"segment.ms": "604800000"}) == ["is there"]


def test_recordings_that_are_kept_for_hours_are_hinted_at() -> None:
    assert said(TOPICS.recordings, {"retention.ms": "-1"}) == ["is there"]
    (line,) = said(TOPICS.recordings, {"retention.ms": "7200000"})
    assert line.startswith("hint: retention.ms is 7200000 (2 hours) instead of 7 days")


@pytest.mark.parametrize(
    ("replicas", "in_sync", "brokers", "says"),
    [
        (1, "1", 3, "hint: has one copy on a cluster of 3 brokers"),
        (1, "1", 2, "is there"),
        (1, "2", 1, "hint: min.insync.replicas is 2 and there is 1 copy: before Kafka 3.7 every message is refused"),
        (3, "4", 3, "hint: min.insync.replicas is 4 and there are 3 copies: before Kafka 3.7 every message is refused"),
        (3, "3", 3, "hint: min.insync.replicas is 3 and there are 3 copies: nothing is taken while"),
        (3, "2", 3, "is there"),
        (3, "1", 3, "hint: min.insync.replicas is 1 and there are 3 copies"),
    ],
)
def test_copies_are_as_many_as_they_should(replicas: int, in_sync: str, brokers: int, says: str) -> None:
    (line,) = said(TOPICS.frames, {"min.insync.replicas": in_sync}, replicas=replicas, brokers=brokers)
    assert line.startswith(says)


def test_too_few_partitions_say_how_to_add_some_and_too_many_stay() -> None:
    (few,) = said(TOPICS.frames, partitions=2)
    assert few == (
        "hint: has 2 partitions instead of 4: `groundcam topics ensure --partitions 4 --repartition` adds the others"
    )
    assert said(TOPICS.detections, partitions=6) == [
        "hint: has 6 partitions, more than 4: Kafka takes none away, so they stay"
    ]
    assert said(TOPICS.dead_letters, partitions=6) == ["is there"]


@pytest.mark.parametrize("count", [1, 6])
def test_a_count_that_nobody_asked_for_is_nothing_to_speak_of(count: int) -> None:
    specs = wanted(TOPICS, None, 4 * MIB)
    states = made_as_wanted(wanted(TOPICS, count, 4 * MIB))
    assert {remark.text for remark in judge(specs, states, 1)} == {"is there"}
    assert growth(specs, states) == {}


@pytest.mark.parametrize(
    ("there", "count"),
    [({}, 4), ({TOPICS.detections: 8}, 8), ({TOPICS.frames: 6}, 6), ({TOPICS.frames: 6, TOPICS.detections: 8}, 8)],
)
def test_a_topic_that_comes_later_gets_as_many_partitions_as_those_that_are_there(
    there: dict[str, int], count: int
) -> None:
    made = {spec.partitions for spec in wanted(TOPICS, None, 4 * MIB, there) if spec.grows}
    assert made == {count}
    assert {spec.partitions for spec in wanted(TOPICS, 3, 4 * MIB, there) if spec.grows} == {3}, "what was asked for"


def test_events_that_have_another_number_than_detections_are_hinted_at() -> None:
    specs = wanted(TOPICS, None, 4 * MIB, {TOPICS.detections: 8, TOPICS.events: 4, TOPICS.pictures: 2})
    states = made_as_wanted(wanted(TOPICS, 4, 4 * MIB))
    (found,) = (remark for remark in judge(specs, states, 1) if remark.weight == "hint")
    assert (found.topic, found.text.partition(": ")[0]) == (TOPICS.events, "has 4 partitions instead of 8")


def test_settings_that_may_not_be_seen_are_not_called_fine() -> None:
    states = made_as_wanted() | {TOPICS.frames: TopicState(2, 1, None)}
    lines = [remark.text for remark in judge(SPECS, states, 3) if remark.topic == TOPICS.frames]
    assert len(lines) == 3
    assert lines[2].startswith("its settings may not be seen (describe configs is not permitted)")
    dead_letters = next(one for one in judge(SPECS, states, 1) if one.topic == TOPICS.dead_letters)
    assert dead_letters.text == "is there"


def test_only_streams_grow_and_none_shrinks() -> None:
    states = made_as_wanted() | {
        TOPICS.frames: TopicState(2, 1, {}),
        TOPICS.detections: TopicState(8, 1, {}),
        TOPICS.prompts: TopicState(0, 1, {}),
    }
    assert growth(SPECS, states) == {TOPICS.frames: (2, 4)}
    assert not [one for one in judge(SPECS, states, 1, growing=True) if "repartition" in one.text]
    first, note = grown(TOPICS.frames, 2, 4)
    assert first.text == "grown from 2 to 4 partitions"
    assert "only when its producer places it anew" in note.text


def test_workers_without_a_partition_are_warned_of() -> None:
    assert idle_workers(TOPICS.frames, 4, 4, "4 workers") == []
    (remark,) = idle_workers(TOPICS.frames, 4, 6, "6 workers")
    assert str(remark).startswith("t.frames: hint: 6 workers for 4 partitions: 2 will have no live frames to do;")
    assert "--partitions 6 --repartition" in remark.text


def test_an_administrator_is_asked_for_every_setting() -> None:
    assert (
        to_ask_for(next(one for one in SPECS if one.name == TOPICS.prompts))
        == "t.prompts with partitions=1, cleanup.policy=compact"
    )
    frames = to_ask_for(SPECS[0])
    for setting in ("partitions=4", "max.message.bytes=4194304", "retention.ms=600000", "segment.bytes=67108864",
                    "message.timestamp.type=LogAppendTime"):  # fmt: skip
        assert setting in frames


@pytest.mark.parametrize(
    ("arguments", "names"),
    [
        (["acls"], "--role"),
        (["acls", "--role", "nobody"], "nobody"),
        (["ensure", "--repartition"], "--partitions"),
        (["ensure", "--workers", "0"], "--workers"),
    ],
)
def test_wrong_options_are_one_sentence(arguments: list[str], names: str) -> None:
    done = run("topics", *arguments)
    assert (done.returncode, len(done.stderr.strip().splitlines())) == (2, 1), done.stderr
    assert names in done.stderr


def test_topic_commands_explain_themselves() -> None:
    assert "Exit codes: 0 when all is well" in run("topics", "ensure", "--help").stdout
    assert "IdempotentWrite" in run("topics", "acls", "--help").stdout
