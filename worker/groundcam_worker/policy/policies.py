"""The policies that the loop consults."""

from collections.abc import Collection
from dataclasses import dataclass

from groundcam_worker.policy.freshness import Freshness
from groundcam_worker.policy.limits import Limits
from groundcam_worker.policy.questions import Questions


@dataclass(frozen=True, slots=True)
class Policies:
    """The choices of one worker."""

    questions: Questions
    freshness: Freshness
    limits: Limits
    never_stale: Collection[str] = ()
    """Topics of which every frame counts."""
    requests: str = ""
    """The topic of requests."""
    by_transactions: bool = False
    """Offsets travel with the answers."""
