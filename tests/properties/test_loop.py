"""The loop's state machine under any order of records, results, acknowledgements, losses and stops.

What the driver would do is done here by hand: each instruction becomes work that Hypothesis finishes, in any order,
well or badly. After every step the invariants are checked; in the end every record that is still ours was answered
once, and nothing was committed before Kafka had its answer.
"""

from collections import defaultdict
from typing import Any

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from footage import frame, jpeg
from groundcam_runtime.partitions.commit_note import read_note, take_over_note
from groundcam_runtime.records import Assigned, Consumed, Gone, Partition, Position
from groundcam_schemas import Gap, Question, ReplyTo, encode
from groundcam_worker.detectors.protocol import Detection
from groundcam_worker.errors import BadPictureError, OutOfMemoryError, SandboxUnavailableError, UnansweredError
from groundcam_worker.frames import Instant
from groundcam_worker.loop import events as on
from groundcam_worker.loop import instructions as do
from groundcam_worker.loop.batches import Prepared
from groundcam_worker.loop.state import LoopState
from groundcam_worker.policy.freshness import Freshness
from groundcam_worker.policy.limits import Limits
from groundcam_worker.policy.policies import Policies
from groundcam_worker.policy.questions import Questions
from groundcam_worker.quarantine.quarantine import DEATHS_WITHOUT_SANDBOX
from invariants import validate

PICTURE = jpeg(1, 16, 16)
IMAGE = np.zeros((16, 16, 3), np.uint8)
PARTITIONS = [Partition("frames", 0), Partition("frames", 1), Partition("recordings", 0), Partition("requests", 0)]
FOUND = (Detection(0, 0.9, (1.0, 1.0, 9.0, 9.0)),)
NS = 1_000_000_000


class Loop:
    """The state machine, what is under way, and what Kafka has."""

    def __init__(self, batch: int, transactions: bool, max_age_s: float) -> None:
        limits = Limits(batch_size=batch, batch_wait_s=0.05, calm_s=1.0)
        policies = Policies(
            Questions([("a", Question.of("person")), ("b", Question.of("dog"))]), Freshness(max_age_s), limits,
            never_stale={"recordings"}, requests="requests", by_transactions=transactions,
        )  # fmt: skip
        self.transactions = transactions
        self.state = LoopState(policies)
        self.now = 1000.0
        self.epoch = 0
        self.log: dict[Partition, int] = dict.fromkeys(PARTITIONS, 0)
        """Records that there are."""
        self.committed: dict[Partition, int] = dict.fromkeys(PARTITIONS, 0)
        self.notes: dict[Partition, str] = {}
        self.noted: dict[Partition, set[int]] = {}
        """What an owner before has answered, behind the offset that this one began at."""
        self.read: dict[Partition, int] = {}
        self.owned: dict[Partition, int] = {}
        self.under_way: list[Any] = []
        self.sent: list[do.Publication] = []
        self.answered: dict[tuple[Partition, int], int] = defaultdict(int)
        """By record: how many answers or gaps of it Kafka has."""
        self.letters: set[tuple[Partition, int]] = set()
        """Records of nobody, of which Kafka has the dead letter; and requests of which it takes no reply."""
        self.order: dict[tuple[Partition, str, int], list[int]] = defaultdict(list)
        self.again: set[tuple[Partition, int]] = set()
        """Records that were tried again: memory was short, or they were in quarantine."""
        self.draining = False

    def step(self, what: int, a: int, b: int) -> None:
        """Do one thing of many; `a` and `b` say which."""
        partition = PARTITIONS[a % len(PARTITIONS)]
        if what < 6:
            self.lose(partition) if partition in self.owned else self.assign(
                partition, known=b % 3 > 0, died=b % 4 == 0
            )
        elif what < 40 and self.owned and not self.draining:
            ours = sorted(self.owned)
            for index in range(1 + b % 4):
                age_s = 5.0 if (a + index) % 5 == 0 else 0.0
                self.record(ours[a % len(ours)], "aabc"[(b + index) % 4], (a * 31 + b + index) % 12, age_s)
        elif what < 65 and self.under_way:
            index = a % len(self.under_way)
            if isinstance(self.under_way[index], do.Begin):  # the detector finishes its batches in order
                index = next(i for i, one in enumerate(self.under_way) if isinstance(one, do.Begin))
            self.end(self.under_way.pop(index), "badly" if b % 7 == 0 else "memory" if b % 7 == 1 else "well", b % 6)
        elif what < 80 and self.sent:
            self.acknowledge(a, refuses=b % 6 == 0)
        elif what == 99:
            self.draining = True
        else:
            self.now += (0.0, 0.01, 0.1, 1.0, 3.0)[a % 5]
            self.handle(on.Tick(self.draining))
        validate(self.state)

    def handle(self, event: on.Event) -> None:
        for one in self.state.handle(event, Instant(self.now, int(self.now * NS))):
            match one:
                case do.Commit(positions, written) if not written:
                    assert not self.transactions, "with transactions, offsets travel with the answers"
                    self.commit(positions)
                case do.PublishAnswer() | do.PublishGap() | do.PublishLetter() | do.PublishReply():
                    self.keeps_order(one)
                    for claim in one.about:
                        again = claim.offset in self.noted.get(claim.partition, ())
                        assert self.transactions or not again, "it was answered before, and that was noted"
                    for claim in one.about if one.is_answer else []:
                        assert self.owned.get(claim.partition) == claim.state.epoch, "another member answers it"
                        is_request = claim.partition.topic == "requests"
                        assert isinstance(one, do.PublishReply) == is_request, "what is asked is what is replied to"
                    self.sent.append(one)
                case do.Decode() | do.Begin() | do.Isolate() | do.Mark():
                    self.under_way.append(one)
                case do.Transact(publications, not_ours, positions):
                    self.transact(publications, not_ours, positions)
                case _:
                    pass

    def keeps_order(self, publication: do.Publication) -> None:
        """Answers of a camera on a partition come in order, but for frames that were tried again."""
        if isinstance(publication, do.PublishAnswer):
            claim, camera_id = publication.answered.claim, publication.answered.camera_id
            answered = self.order[claim.partition, camera_id, claim.state.epoch]
            if (claim.partition, claim.offset) not in self.again:
                assert not answered or answered[-1] < claim.offset, "answers of a camera change places"
                answered.append(claim.offset)

    def commit(self, positions: Any) -> None:
        for partition, position in positions.items():
            assert position.epoch == self.owned.get(partition), "a position of another epoch"
            assert position.offset >= self.committed[partition], "a commit went back"
            for offset in range(self.committed[partition], position.offset):
                assert self.answered[partition, offset] or (partition, offset) in self.letters, f"{offset} is committed"
            for distance in read_note(position.note).ahead:
                place = partition, position.offset + distance
                assert self.answered[place] or place in self.letters, f"{place[1]} is noted as answered"
            self.committed[partition], self.notes[partition] = position.offset, position.note

    def transact(self, publications: Any, not_ours: Any, positions: Any) -> None:
        for one in publications:
            self.delivered(one)
        self.commit(positions)
        for one in publications:
            for claim in one.claims if one.is_answer else []:
                assert claim.offset < self.committed[claim.partition], "read again, it would be answered twice"
        self.handle(on.TransactionCommitted(positions))
        for one in [*publications, *not_ours]:
            self.sent.remove(one)
            self.handle(on.Delivered(one))

    def delivered(self, publication: do.Publication) -> None:
        for claim in publication.claims:
            assert claim.offset < self.log[claim.partition]
            self.answered[claim.partition, claim.offset] += 1
        if isinstance(publication, do.PublishLetter) and publication.rejected.id is None:
            claim = publication.rejected.claim
            self.letters.add((claim.partition, claim.offset))
        elif isinstance(publication, do.PublishGap):
            assert isinstance(publication.gap, Gap)

    def assign(self, partition: Partition, *, known: bool, died: bool) -> None:
        self.epoch += 1
        self.owned[partition] = self.epoch
        self.read[partition] = self.committed[partition]
        # What an owner left, or another program's hand.
        kept = self.notes.get(partition, "") if self.epoch % 3 else ""
        note = take_over_note(kept) if died else kept
        self.noted[partition] = {self.committed[partition] + one for one in read_note(note).ahead} if known else set()
        self.handle(Assigned({partition: Position(self.committed[partition], note) if known else None}, self.epoch))

    def lose(self, partition: Partition) -> None:
        del self.owned[partition]
        self.handle(Gone(frozenset([partition])))

    def record(self, partition: Partition, camera: str, kind: int, age_s: float) -> None:
        offset = self.read[partition]
        self.log[partition] = max(self.log[partition], offset + 1)
        self.read[partition] = offset + 1
        captured: dict[str, Any] = {"captured_at_ns": int((self.now - age_s) * NS)}
        if partition.topic == "requests" and kind != 3:
            reply_to = ReplyTo(to=camera, deadline_ns=int((self.now + 2) * NS))
            captured |= {"reply_to": reply_to, "question": None if kind == 4 else Question.of("cat")}
        body = b"junk" if kind < 2 else encode(frame(camera, offset, PICTURE).model_copy(update=captured))
        key = None if kind == 0 else camera.encode()
        self.handle(Consumed(partition, offset, int(self.now * 1000), key, body, (), int(self.now * NS)))

    def end(self, work: Any, outcome: str = "well", deaths: int = 0) -> None:
        memory = OutOfMemoryError("short")
        if outcome == "memory" or isinstance(work, do.Isolate):
            jobs = work.batch.jobs if isinstance(work, do.Begin) else []
            frames = [work.admitted.frame] if isinstance(work, do.Decode | do.Isolate) else []
            frames += [job.origin.admitted.frame for job in jobs]
            self.again |= {(frame.claim.partition, frame.claim.offset) for frame in frames}
        match work:
            case do.Decode(admitted):
                shape = (16, 16, admitted.frame.claim.offset % 2)
                results: dict[str, Any] = {
                    "well": Prepared(IMAGE, shape),
                    "badly": BadPictureError("no"),
                    "memory": memory,
                }
                self.handle(on.DecodeDone(admitted, results[outcome]))
            case do.Begin(batch):
                results = {"well": FOUND, "badly": UnansweredError("no"), "memory": memory}
                self.handle(on.BatchDone(batch, [results[outcome]] * len(batch.jobs), int(self.now * NS)))
            case do.Isolate(admitted):
                assert 2 <= admitted.attempts <= DEATHS_WITHOUT_SANDBOX
                results = {"well": FOUND, "badly": UnansweredError("no"), "memory": SandboxUnavailableError("no")}
                self.handle(on.SandboxDone(admitted, results[outcome], 0, int(self.now * NS)))
            case do.Mark(claim):
                assert deaths <= DEATHS_WITHOUT_SANDBOX
                self.handle(on.AttemptMarked(claim, None if outcome == "memory" else deaths))

    def acknowledge(self, which: int, *, refuses: bool) -> None:
        if self.transactions:
            self.handle(on.TransactionDue(list(self.sent), dict(self.owned)))
            return
        publication = self.sent.pop(which % len(self.sent))
        refuses = refuses and not isinstance(publication, do.PublishGap)
        if not refuses:
            self.delivered(publication)
        elif isinstance(publication, do.PublishLetter) and publication.rejected.id is None:
            self.letters.add((publication.rejected.claim.partition, publication.rejected.claim.offset))
        elif isinstance(publication, do.PublishReply) and publication.replied.problem:
            self.letters.add((publication.replied.claim.partition, publication.replied.claim.offset))
        self.handle(on.Delivered(publication, ValueError("too large") if refuses else None))

    def finish(self) -> None:
        """Let all work end well: everything that is still ours is answered and committed, and nothing is open."""
        self.draining = False
        for _ in range(200):
            self.now += 1.0
            self.handle(on.Tick())
            while self.under_way:
                self.end(self.under_way.pop(0))
            if self.transactions:
                self.handle(on.TransactionDue(list(self.sent), dict(self.owned)))
            while self.sent and not self.transactions:
                publication = self.sent.pop(0)
                self.delivered(publication)
                self.handle(on.Delivered(publication))
            validate(self.state)
            if self.state.is_idle and not self.state.assignment.open_count:
                break
        assert self.state.is_idle
        assert self.state.assignment.open_records == set()
        for partition in self.owned:
            assert self.committed[partition] == self.read[partition]


steps = st.lists(
    st.tuples(st.integers(0, 99), st.integers(0, 10_000), st.integers(0, 10_000)), min_size=40, max_size=250
)


@given(steps, st.integers(1, 3), st.booleans(), st.sampled_from([0.0, 2.0]))
@settings(max_examples=200, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
def test_any_order_of_events_loses_nothing_and_commits_nothing_early(
    events: list[tuple[int, int, int]], batch: int, transactions: bool, max_age_s: float
) -> None:
    loop = Loop(batch, transactions, max_age_s)
    loop.assign(PARTITIONS[0], known=True, died=False)
    for event in events:
        loop.step(*event)
    loop.finish()


@given(steps, st.integers(1, 3), st.booleans())
@settings(max_examples=100, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
def test_a_loop_that_is_told_to_stop_finishes_what_was_begun(
    events: list[tuple[int, int, int]], batch: int, transactions: bool
) -> None:
    """Whatever was under way, and also while memory stays short."""
    loop = Loop(batch, transactions, 2.0)
    loop.assign(PARTITIONS[0], known=True, died=len(events) % 2 == 0)
    for event in events:
        loop.step(*event)
    loop.draining = True
    for number in range(50):
        loop.handle(on.Tick(draining=True))
        while loop.under_way:
            loop.end(loop.under_way.pop(0), "memory" if number == 0 else "well")
        if transactions:
            loop.handle(on.TransactionDue(list(loop.sent), dict(loop.owned)))
        while loop.sent and not transactions:
            publication = loop.sent.pop(0)
            loop.delivered(publication)
            loop.handle(on.Delivered(publication))
        validate(loop.state)
    assert loop.state.is_idle
