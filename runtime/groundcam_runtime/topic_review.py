"""What is wrong with topics that are there, and what to say of them. Pure.

Wrong is what makes frames go missing or be refused; everything else is a hint.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from groundcam_runtime.topic_specs import DAY_MS, HOUR_MS, MINUTE_MS, TopicSpec

FAR = 4
"""So many times of what is wanted is far from it."""
SHORT = 10
"""A retention that is so many times shorter than wanted is too short."""


@dataclass(frozen=True, slots=True)
class TopicState:
    """What a topic is."""

    partitions: int
    replicas: int
    config: Mapping[str, str] | None
    """None where we may not see it."""


@dataclass(frozen=True, slots=True)
class Remark:
    """A line of report."""

    topic: str
    text: str
    weight: Literal["fine", "hint", "wrong"] = "fine"

    def __str__(self) -> str:
        return f"{self.topic}: {'' if self.weight == 'fine' else f'{self.weight}: '}{self.text}"


def growth(specs: Iterable[TopicSpec], states: Mapping[str, TopicState]) -> dict[str, tuple[int, int]]:
    """Return the partitions, (now, then), of every topic that has fewer than it should and may get more."""
    return {
        spec.name: (states[spec.name].partitions, spec.partitions)
        for spec in specs
        if spec.grows and not spec.any_count and spec.name in states and states[spec.name].partitions < spec.partitions
    }


def grown(name: str, now: int, then: int) -> list[Remark]:
    """Return what to say once a topic has more partitions."""
    moves = (
        "what is on the topic stays where it is, and a camera goes on on another partition only when its producer"
        " places it anew: at its next start, or within minutes where produce.partitioner is key; workers notice"
        " within a minute, subscribers within seconds"
    )
    return [Remark(name, f"grown from {now} to {then} partitions"), Remark(name, moves)]


def idle_workers(frames: str, partitions: int, workers: int, who: str) -> list[Remark]:
    """Say when there are more workers than partitions, of which each has one worker at a time."""
    idle = workers - partitions
    if idle <= 0:
        return []
    text = f"{who} for {partitions} partition{'' if partitions == 1 else 's'}: {idle} will have no live frames to do"
    return [Remark(frames, f"{text}; `groundcam topics ensure --partitions {workers} --repartition` adds some", "hint")]


def judge(
    specs: Iterable[TopicSpec], states: Mapping[str, TopicState], brokers: int, *, growing: bool = False
) -> list[Remark]:
    """Return at least one remark on each topic that is there. `growing`: those with too few partitions get more."""
    remarks = []
    for spec in specs:
        if spec.name not in states:
            continue
        state = states[spec.name]
        found = [*_partitions(spec, state, growing=growing), *_copies(state, brokers)]
        if state.config is None:
            unseen = "its settings may not be seen (describe configs is not permitted), so they were not looked at"
            found.append((unseen, "hint"))
        else:
            found += [*_cleanup(spec, state.config), *_sizes(spec, state.config, states), *_times(spec, state.config)]
            found += _stamps(spec, state.config)
        remarks += [Remark(spec.name, *one) for one in found] or [Remark(spec.name, "is there")]
    return remarks


Found = list[tuple[str, Literal["hint", "wrong"]]]


def _partitions(spec: TopicSpec, state: TopicState, *, growing: bool) -> Found:
    has = f"has {state.partitions} partition{'' if state.partitions == 1 else 's'}"
    if spec.is_control:
        return [(f"{has} instead of 1, so that nobody reads it in order", "wrong")] if state.partitions != 1 else []
    if not spec.grows or spec.any_count or state.partitions == spec.partitions:
        return []
    if state.partitions > spec.partitions:
        return [(f"{has}, more than {spec.partitions}: Kafka takes none away, so they stay", "hint")]
    how = f"`groundcam topics ensure --partitions {spec.partitions} --repartition` adds the others"
    return [] if growing else [(f"{has} instead of {spec.partitions}: {how}", "hint")]


def _copies(state: TopicState, brokers: int) -> Found:
    found: Found = []
    if state.replicas == 1 and brokers >= 3:
        found.append((f"has one copy on a cluster of {brokers} brokers: the loss of one loses its messages", "hint"))
    in_sync = _number(state.config or {}, "min.insync.replicas")
    if in_sync is None:
        return found
    copies = f"and there {'is 1 copy' if state.replicas == 1 else f'are {state.replicas} copies'}"
    if in_sync > state.replicas:
        text = f"min.insync.replicas is {in_sync} {copies}: before Kafka 3.7 every message is refused"
        found.append((text, "hint"))
    elif in_sync == state.replicas > 1:
        found.append((f"min.insync.replicas is {in_sync} {copies}: nothing is taken while a broker is away", "hint"))
    elif in_sync == 1 and state.replicas >= 3:
        text = f"min.insync.replicas is 1 {copies}: what was acknowledged can be lost with one broker; 2 is usual"
        found.append((text, "hint"))
    return found


def _cleanup(spec: TopicSpec, config: Mapping[str, str]) -> Found:
    policy = config.get("cleanup.policy", spec.config.get("cleanup.policy", "delete"))
    if not spec.is_control:
        lost = "only the newest message of each camera would be kept"
        return [(f"cleanup.policy is {policy} and should be delete: {lost}", "wrong")] if "compact" in policy else []
    if "compact" not in policy:
        return [(f"cleanup.policy is {policy} and should be compact: current values would be deleted", "wrong")]
    return (
        [(f"cleanup.policy is {policy}: current values are deleted after retention.ms", "hint")]
        if "," in policy
        else []
    )


def _sizes(spec: TopicSpec, config: Mapping[str, str], states: Mapping[str, TopicState]) -> Found:
    limit, least = _number(config, "max.message.bytes"), _number(spec.config, "max.message.bytes")
    if limit is None:
        return []
    if least is not None and limit < least:
        return [(f"max.message.bytes is {limit}, less than {least}: larger frames will be refused", "wrong")]
    for name in spec.takes_from:
        theirs = _number((states[name].config if name in states else None) or {}, "max.message.bytes")
        if theirs is not None and limit < theirs:
            text = (
                f"max.message.bytes is {limit}, less than the {theirs} of {name}: larger ones cannot be dead-lettered"
            )
            return [(text, "wrong")]
    return []


def _times(spec: TopicSpec, config: Mapping[str, str]) -> Found:
    """Retention, and segments: Kafka removes whole ones only, and not the one that is written."""
    keep, goal = _number(config, "retention.ms"), _number(spec.config, "retention.ms")
    if keep is None or goal is None:
        return []
    found: Found = []
    said = f"retention.ms is {keep} ({_duration(keep)})"
    if 0 <= keep < goal / SHORT:
        text = f"{said} instead of {_duration(goal)}: what nobody has read by then is lost"
        found.append((text, "wrong" if spec.is_live else "hint"))
    if spec.is_live and not 0 <= keep <= FAR * goal:
        found.append((f"{said} instead of {_duration(goal)}: old frames fill the disks", "hint"))
    if (most := _number(config, "retention.bytes")) is not None and most >= 0:
        found.append((f"retention.bytes is {most}: beyond it messages go, read or not", "hint"))
    size, age = _number(config, "segment.bytes"), _number(config, "segment.ms")
    if spec.is_live and size and age and size > FAR * int(spec.config["segment.bytes"]) and age > FAR * goal:
        text = (
            f"segment.bytes is {size} and segment.ms {age}: whole segments go, so frames stay longer than they should"
        )
        found.append((text, "hint"))
    return found


def _stamps(spec: TopicSpec, config: Mapping[str, str]) -> Found:
    """Whose clock gives records their time."""
    name = "message.timestamp.type"
    has, goal = config.get(name), spec.config.get(name)
    if has is None or goal is None or has == goal:
        return []
    why = "how long frames have lain there when a worker starts is then known by their cameras' clocks only"
    how = f"--alter --entity-type topics --entity-name {spec.name} --add-config {name}={goal}"
    how = f"`kafka-configs.sh --bootstrap-server HOST:PORT {how}`"
    return [(f"{name} is {has} and should be {goal}: {why}; {how} changes it", "hint")]


def _number(config: Mapping[str, str], name: str) -> int | None:
    text = config.get(name)
    return int(text) if text else None


def _duration(ms: int) -> str:
    if ms < 0:
        return "for ever"
    for size, unit in ((DAY_MS, "day"), (HOUR_MS, "hour"), (MINUTE_MS, "minute"), (1000, "second")):
        if ms >= size:
            count = round(ms / size, 1)
            return f"{count:g} {unit}{'' if count == 1 else 's'}"
    return f"{ms} ms"
