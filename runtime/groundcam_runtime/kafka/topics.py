"""Create the topics, look at them, let them grow, and say what is missing: a topic, or a right."""

import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from groundcam_runtime.kafka.admin import Admin, Described, Outcome
from groundcam_runtime.kafka.errors import KafkaProblem, RefusedError, TopicError
from groundcam_runtime.rights import Right
from groundcam_runtime.settings import KafkaSettings
from groundcam_runtime.topic_review import Remark, TopicState, grown, growth, judge
from groundcam_runtime.topic_specs import MIB, TopicSpec, to_ask_for, wanted

__all__ = ["MIB", "TopicAdmin", "TopicSpec", "wanted"]

VISIBLE_S = 15.0
HOW = "`groundcam topics acls --role admin` prints the rights that would do"


@dataclass(frozen=True, slots=True)
class Look:
    """What is there."""

    states: Mapping[str, TopicState]
    missing: list[str]
    hidden: list[str]
    """Of these we may not know whether they exist."""


class TopicAdmin:
    """Topics on one cluster. Every method raises KafkaProblem."""

    def __init__(self, settings: KafkaSettings, **options: Any) -> None:
        """Connect. `options` are the client's own."""
        self._where = settings.bootstrap_servers
        self._who = f"user {settings.sasl_username!r}" if settings.sasl_username else "this client"
        self._admin = Admin(settings, **options)

    def close(self) -> None:
        """Disconnect."""
        self._admin.close()

    def partitions(self) -> dict[str, int]:
        """Return the name and the number of partitions of every topic that we may see."""
        return {name: len(topic.copies) for name, topic in self._admin.describe().items()}

    def look(self, names: Collection[str]) -> Look:
        """Look at topics and, where we may, at their settings."""
        found = self._admin.describe(names)
        missing = [name for name in names if found[name].outcome.kind == "missing"]
        hidden = [name for name in names if found[name].outcome.kind == "not permitted"]
        states = {
            name: TopicState(
                len(found[name].copies), min(found[name].copies, default=0), self._admin.config(name) or None
            )
            for name in names
            if name not in {*missing, *hidden}
        }
        return Look(states, missing, hidden)

    def review(self, specs: list[TopicSpec], look: Look) -> list[Remark]:
        """Judge what is there."""
        return judge(specs, look.states, self._admin.brokers())

    def ensure(
        self,
        specs: list[TopicSpec],
        replication: int | None,
        *,
        repartition: bool = False,
        say: Callable[[Remark], None] = lambda _remark: None,
    ) -> list[Remark]:
        """Judge what is there, create what is missing and, with `repartition`, add partitions; change nothing else.

        Returns every remark, and passes each to `say` as it comes. Raises RefusedError and TopicError for what cannot
        be done, once all the rest is.
        """
        look = self.look([spec.name for spec in specs])
        absent = [spec for spec in specs if spec.name not in look.states]
        steps: list[Iterable[Remark]] = [
            judge(specs, look.states, self._admin.brokers(), growing=repartition),
            self._create(absent, set(look.hidden), replication),
            self._grow(growth(specs, look.states) if repartition else {}),
        ]
        remarks: list[Remark] = []
        problems: list[KafkaProblem] = []
        for step in steps:
            try:
                for remark in step:
                    remarks.append(remark)
                    say(remark)
            except KafkaProblem as problem:
                problems.append(problem)
        sentence = "; ".join(map(str, problems))
        if any(isinstance(problem, RefusedError) for problem in problems):
            raise RefusedError(f"{sentence}; {HOW}")
        if problems:
            raise type(problems[0])(sentence)
        return remarks

    def require(self, names: list[str]) -> dict[str, int]:
        """Return the partitions of these topics. Raises TopicError where one does not exist."""
        found = self._admin.describe(names)
        hidden = [name for name in names if found[name].outcome.kind == "not permitted"]
        if hidden:
            raise RefusedError(
                f"{_topics(hidden)} on {self._where} may not be seen by {self._who}:"
                " `groundcam topics acls` prints the rights that are needed"
            )
        missing = [name for name in names if found[name].outcome.kind == "missing"]
        if missing:
            raise TopicError(
                f"{_topics(missing)} on {self._where} do{'' if len(missing) > 1 else 'es'} not exist:"
                " create with `groundcam topics ensure`"
            )
        return {name: len(found[name].copies) for name in names}

    def require_rights(self, rights: Iterable[Right]) -> None:
        """Raise RefusedError, naming every right that we lack. A broker that does not report rights is trusted."""
        needed = [one for one in rights if not one.only_for]
        topics = self._admin.describe({one.name for one in needed if one.resource == "topic"})
        allowed: dict[tuple[str, str], frozenset[str] | None] = {
            ("topic", name): _allowed(topic) for name, topic in topics.items()
        }
        for name in {one.name for one in needed if one.resource == "group"}:
            allowed["group", name] = self._admin.operations_on_group(name)
        lacking = [
            one
            for one in needed
            if (operations := allowed.get((one.resource, one.name))) is not None and one.operation not in operations
        ]
        if lacking:
            named = ", ".join(f"{one.operation} on {one.resource} {one.name}" for one in lacking)
            raise RefusedError(
                f"{self._who} lacks rights on Kafka at {self._where}: {named};"
                f" `groundcam topics acls --role {lacking[0].role}` prints how to give them"
            )

    def max_message_bytes(self, name: str) -> int | None:
        """Return the largest record that a topic takes, or None where we may not know."""
        value = self._admin.config(name).get("max.message.bytes")
        return int(value) if value else None

    def members(self, group: str) -> int | None:
        """Return how many members a consumer group has, or None where we may not know."""
        return self._admin.members(group)

    def _create(self, specs: list[TopicSpec], hidden: set[str], replication: int | None) -> Iterator[Remark]:
        if not specs:
            return
        outcomes = self._admin.create(specs, replication)
        made = [name for name, one in outcomes.items() if one.kind == "done"]
        self._wait(lambda: self._are_visible(made), made)
        for spec in specs:
            if spec.name in made:
                yield Remark(spec.name, f"created with {spec.partitions} partition{'s' * (spec.partitions > 1)}")
            elif outcomes[spec.name].kind == "exists":
                text = "is there, but may not be looked at (describe is not permitted)"
                seen = Remark(spec.name, "is there")  # somebody was quicker
                yield Remark(spec.name, text, "hint") if spec.name in hidden else seen
        refused = [spec for spec in specs if outcomes[spec.name].kind == "not permitted"]
        sentences = []
        if absent := [spec for spec in refused if spec.name not in hidden]:
            names = _topics([spec.name for spec in absent])
            them = "; ".join(map(to_ask_for, absent))
            sentences.append(
                f"{names} on {self._where} may not be created by {self._who}: ask the administrator for {them}"
            )
        if unseen := [spec.name for spec in refused if spec.name in hidden]:
            sentences.append(f"{_topics(unseen)} on {self._where} may be neither seen nor created by {self._who}")
        _raise(sentences, "cannot be created", outcomes)

    def _grow(self, wishes: Mapping[str, tuple[int, int]]) -> Iterator[Remark]:
        if not wishes:
            return
        outcomes = self._admin.grow({name: then for name, (_, then) in wishes.items()})
        done = {name: wish for name, wish in wishes.items() if outcomes[name].kind == "done"}
        self._wait(lambda: self._have_grown({name: then for name, (_, then) in done.items()}), [*done])
        for name, (now, then) in done.items():
            yield from grown(name, now, then)
        refused = [name for name in wishes if outcomes[name].kind == "not permitted"]
        text = f"{_topics(refused)} on {self._where} may not be given more partitions by {self._who}"
        _raise([text] if refused else [], "cannot get more partitions", outcomes)

    def _are_visible(self, names: list[str]) -> bool:
        return all(one.outcome.kind != "missing" for one in self._admin.describe(names).values())

    def _have_grown(self, counts: Mapping[str, int]) -> bool:
        return all(len(one.copies) >= counts[name] for name, one in self._admin.describe([*counts]).items())

    def _wait(self, is_there: Callable[[], bool], names: list[str]) -> None:
        """Return when every broker's metadata can be expected to contain a change: it is acknowledged before."""
        deadline = time.monotonic() + VISIBLE_S
        while not is_there():
            if time.monotonic() > deadline:
                raise TopicError(f"{', '.join(names)}: changed, but not to be seen after {VISIBLE_S:.0f} s")
            time.sleep(0.05)


def _raise(refusals: list[str], what: str, outcomes: Mapping[str, Outcome]) -> None:
    """Say everything that was refused or failed in one sentence."""
    failed = [f"{name} {what}: {one.words}" for name, one in outcomes.items() if one.kind in ("failed", "missing")]
    if refusals:
        raise RefusedError("; ".join([*refusals, *failed]))
    if failed:
        raise TopicError("; ".join(failed))


def _allowed(topic: Described) -> frozenset[str] | None:
    return frozenset() if topic.outcome.kind == "not permitted" else topic.operations


def _topics(names: list[str]) -> str:
    return f"the topic{'s' if len(names) > 1 else ''} {', '.join(names)}"
