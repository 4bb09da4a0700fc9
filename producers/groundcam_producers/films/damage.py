"""Which pictures of a stream to trust: those after a damaged one are built on it, until the next key frame. Pure."""


class Damage:
    """Follows the pictures of one stream."""

    def __init__(self, *, keep: bool) -> None:
        """`keep` distrusts damaged pictures alone, and not those that are built on them."""
        self._keep = keep
        self._is_damaged = False

    def lost(self) -> None:
        """Something could not be decoded at all."""
        self._is_damaged = True

    def taints(self, *, is_key: bool, is_marked: bool) -> bool:
        """Whether the next picture is not to be trusted; `is_marked` where the decoder says that it is damaged."""
        self._is_damaged = is_marked or (self._is_damaged and not is_key)
        return is_marked or (self._is_damaged and not self._keep)
