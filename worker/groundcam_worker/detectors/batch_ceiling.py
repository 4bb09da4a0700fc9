"""How many pictures fit into the device's memory at once. Pure.

The largest batch that fits is not known beforehand: it depends on the pictures, the question and on who else uses
the device. So it is learnt from what fails, remembered, and tried again a little larger after many clean batches.
"""

CLEAN_BATCHES = 100
MOST_PATIENCE = 64 * CLEAN_BATCHES


class BatchCeiling:
    """The largest batch to try; unknown, and therefore none, until one fails."""

    def __init__(self) -> None:
        self._limit: int | None = None
        self._clean = 0
        self._patience = CLEAN_BATCHES

    @property
    def limit(self) -> int | None:
        """The ceiling, None while nothing has failed."""
        return self._limit

    def allow(self, wanted: int) -> int:
        """Return how many of `wanted` pictures to try at once."""
        return wanted if self._limit is None else min(wanted, self._limit)

    def failed(self, size: int) -> None:
        """A batch of this size did not fit: try half, and be slower to grow when this was a step up.

        A batch of one is no evidence about larger ones.
        """
        if size == 1:
            return
        if self._limit is not None and size >= self._limit:
            self._patience = min(2 * self._patience, MOST_PATIENCE)
        self._limit = size // 2 if self._limit is None else min(self._limit, size // 2)
        self._clean = 0

    def succeeded(self, size: int) -> bool:
        """A batch fitted; only those as large as the ceiling say anything. Return whether the ceiling has grown."""
        if self._limit is None or size < self._limit:
            return False
        self._clean += 1
        if self._clean < self._patience:
            return False
        self._limit += 1
        self._clean = 0
        return True
