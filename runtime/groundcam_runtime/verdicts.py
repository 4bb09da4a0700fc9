"""What becomes of a question that was asked: decided from what workers say. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from groundcam_runtime.kafka.worker_statuses import is_alive
from groundcam_schemas import Verdict, WorkerState, WorkerStatus


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the workers that are alive do with a question."""

    takes: tuple[WorkerStatus, ...] = ()
    refuses: tuple[tuple[WorkerStatus, str], ...] = ()
    silent: tuple[WorkerStatus, ...] = ()
    """They have not said."""

    @property
    def is_known(self) -> bool:
        """Whether every worker has said."""
        return not self.silent


def outcome(
    workers: Iterable[WorkerStatus], camera_id: str, version: str, before: Mapping[str, int], now_ns: int
) -> Outcome:
    """Return what is known by now of a question.

    `before` has, by worker, the time of the verdict on this camera that it had given before the question was asked:
    a verdict that is still that one is on another question. Nobody's clock is compared with ours but for its life.
    """
    takes, refuses, silent = [], [], []
    for worker in workers:
        if not is_alive(worker, now_ns) or worker.state is WorkerState.STOPPING:
            continue
        verdict = verdict_on(worker, camera_id)
        is_new = verdict is not None and before.get(worker.worker_id) != verdict.at_ns
        if verdict is None or not is_new or verdict.version not in {version, ""}:
            silent.append(worker)
        elif verdict.refused is None:
            takes.append(worker)
        else:
            refuses.append((worker, verdict.refused))
    return Outcome(tuple(takes), tuple(refuses), tuple(silent))


def verdict_on(worker: WorkerStatus, camera_id: str) -> Verdict | None:
    """Return a worker's verdict on a camera's newest question."""
    return next((one for one in worker.verdicts if one.camera_id == camera_id), None)
