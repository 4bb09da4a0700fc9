"""The file of keys, read again when it changes."""

from pathlib import Path

from groundcam_serve.keys import Key, find, read_keys
from groundcam_serve.watched_file import WatchedFile


class KeyFile:
    """Knows the keys in force."""

    def __init__(self, path: Path | None) -> None:
        """Raises SettingError."""
        self._file = None if path is None else WatchedFile("serve.keys_file", path, read_keys)

    @property
    def is_there(self) -> bool:
        """Whether there are keys at all."""
        return self._file is not None

    def find(self, secret: str) -> Key | None:
        """Return whose key it is."""
        return find(self._file.now, secret) if self._file is not None and secret else None

    def named(self, name: str) -> Key | None:
        """Return the key of this name."""
        return next((one for one in self._file.now if one.name == name), None) if self._file is not None else None
