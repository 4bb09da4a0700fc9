"""What is true of the loop's state after every step."""

from groundcam_worker.frames import Decoded
from groundcam_worker.loop.state import LoopState
from groundcam_worker.policy.limits import RUNNING_AND_NEXT


def validate(state: LoopState) -> None:
    """Raise AssertionError for a state that cannot be.

    - Every open record of our partitions is somewhere, so that it will be answered; and in one place only, except that
      the frame in quarantine keeps its turn while it is decoded and answered.
    - A picture is counted exactly while its frame is decoded, batched, at the detector or in the sandbox.
    - At most two batches run; a batch has one input shape and no more than its size.
    - While frames are in quarantine, at most one frame is in work.
    """
    places = {
        "waiting": state._admission.claims,
        "decoding": [admitted.frame.claim for admitted in state._decoding.items],
        "detector": [job.origin.admitted.frame.claim for job in state._batches.jobs if isinstance(job.origin, Decoded)],
        "sandbox": [admitted.frame.claim for admitted in state._isolated],
        "shortage": state._retries.claims,
        "outbox": state._outbox.claims,
    }
    waiting = (*state._admission._backlog.items, *state._admission._requests.items)
    assert all(state.assignment.is_ours(frame.claim) for frame in waiting), "what has left waits"
    current = state._admission.quarantine.current
    seen: dict[int, str] = {}
    for place, claims in places.items():
        for claim in claims:
            is_current = current is not None and claim is current.claim
            earlier = seen.get(id(claim))
            assert earlier is None or is_current, f"{claim.offset} is {earlier} and {place}"
            seen[id(claim)] = place
    ours = [claim for claims in places.values() for claim in claims if state.assignment.is_ours(claim)]
    placed = {(claim.partition, claim.offset) for claim in ours if claim.state.ledger.is_open(claim.offset)}
    assert placed == state.assignment.open_records, "a record that is open is nowhere, or one that is not is somewhere"

    pictures = {claim for place in ("decoding", "detector", "sandbox") for claim in places[place]}
    held = state._pictures.owners
    assert {claim for claim in pictures if state.assignment.is_ours(claim)} == {
        claim for claim in held if state.assignment.is_ours(claim)
    }, "pictures that are counted are not those that there are"
    assert held <= pictures, "a picture that is gone is counted"

    assert state._batches.running <= RUNNING_AND_NEXT
    for batch in state._batches._running:
        assert 1 <= len(batch.jobs) <= state._limits.batch_size
        assert len({job.shape for job in batch.jobs}) == 1
    if state._admission.quarantine.is_active and current is not None:
        assert {claim for claim in held if state.assignment.is_ours(claim)} <= {current.claim}, (
            "it is not the only one in work"
        )
