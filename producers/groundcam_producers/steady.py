"""When the content of a file that somebody may be writing is to be read. Pure."""


class Steady:
    """Says once of each content that it is there: as soon as two looks in a row have found it.

    A file that is written in place is empty or half there for a moment, and half a list of cameras is a list, too.
    """

    def __init__(self, known: bytes | None) -> None:
        """`known` is a digest of what has been read; None is that of no file."""
        self._known = known
        self._seen = known

    def see(self, digest: bytes | None, *, asked: bool = False) -> bool:
        """Whether to read it. Somebody who `asked` for it does not wait, and may ask for the same content again."""
        is_steady = digest == self._seen
        self._seen = digest
        if not asked and (not is_steady or digest == self._known):
            return False
        self._known = digest
        return True

    def forget(self) -> None:
        """What was to be read was gone when it was read: say it again, should it come back."""
        self._known = b""
