"""Whose turn it is at the detector: a camera's frame, or a request. Pure.

Where nobody else waits, either may have all of it. While cameras wait, requests get a share of the detector's time; and
while there are cameras at all, requests in work, at the detector and ahead of it, are fewer than a batch, so that a
camera's frame that comes next waits for less than a batch's time.
"""

MOST_OWED_S = 0.25
"""So much of the detector's time, not used by requests before, may they have at once; and so much pay back."""
OF_A_BATCH = 0.75


class Turns:
    """Keeps account of the detector's time."""

    def __init__(self, share: float, batch_size: int, calm_s: float) -> None:
        """Without a camera's frame for `calm_s` there are no cameras. `share` is from 0 up, and below 1."""
        self._for_each = share / (1 - share)
        self._most = max(1, int(batch_size * OF_A_BATCH))
        self._calm_s = calm_s
        self._debt_s = 0.0
        self._camera_at = float("-inf")

    def camera_came(self, now_s: float) -> None:
        """There are cameras."""
        self._camera_at = now_s

    def spent(self, *, cameras_s: float, requests_s: float, cameras_wait: bool) -> None:
        """Note the detector's time; what requests had while no camera waited they do not owe."""
        owed = self._debt_s + (requests_s if cameras_wait else 0.0) - cameras_s * self._for_each
        self._debt_s = min(MOST_OWED_S, max(-MOST_OWED_S, owed))

    def may_be_requests(self, in_work: int, now_s: float, *, cameras_wait: bool) -> bool:
        """Whether a request may be next; `in_work` are those that were begun and are not answered."""
        if cameras_wait:
            return self._debt_s <= 0 < self._for_each and in_work < self._most
        return now_s - self._camera_at > self._calm_s or in_work < self._most
