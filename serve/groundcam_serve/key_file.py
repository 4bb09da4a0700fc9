"""The file of keys, read again when it changes."""

import logging
import time
from pathlib import Path

from groundcam_runtime.recurring import Recurring
from groundcam_runtime.settings import SettingError
from groundcam_serve.keys import EVERYBODY, Key, find, read_keys
from groundcam_serve.problems import Problem

log = logging.getLogger(__name__)
recurring = Recurring(log)

LOOK_S = 1.0


class KeyFile:
    """Knows the keys in force. Without a file everybody may do everything."""

    def __init__(self, path: Path | None) -> None:
        """Raises SettingError."""
        self._path = path
        self._keys: tuple[Key, ...] = ()
        self._seen: object = None
        self._look_at = 0.0
        if path is not None:
            try:
                self._seen, self._keys = _stamp(path), read_keys(path.read_text("utf-8"))
            except OSError as error:
                raise SettingError(f"serve.keys_file: {path}: {error.strerror}") from None
            except ValueError as error:
                raise SettingError(f"serve.keys_file: {path}: {error}") from None

    @property
    def are_needed(self) -> bool:
        """Whether requests need keys."""
        return self._path is not None

    def key_of(self, authorization: str, api_key: str) -> Key:
        """Return whose key came with a request. Raises Problem."""
        if self._path is None:
            return EVERYBODY
        self._look()
        scheme, _, token = authorization.partition(" ")
        secret = token.strip() if scheme.lower() == "bearer" else api_key
        key = find(self._keys, secret) if secret else None
        if key is None:
            why = "the key is not known" if secret else "a key is needed: Authorization: Bearer KEY, or X-API-Key: KEY"
            raise Problem(401, "no-key", why, headers={"WWW-Authenticate": 'Bearer realm="groundcam"'})
        return key

    def _look(self) -> None:
        """A file that cannot be read leaves the keys as they are."""
        now_s = time.monotonic()
        if self._path is None or now_s < self._look_at:
            return
        self._look_at = now_s + LOOK_S
        try:
            stamp = _stamp(self._path)
            if stamp == self._seen:
                return
            self._keys = read_keys(self._path.read_text("utf-8"))
            self._seen = stamp
            log.info("%d keys are in force", len(self._keys))
        except (OSError, ValueError) as error:
            why = error.strerror if isinstance(error, OSError) else error
            recurring.warning("keys", "serve.keys_file: %s: %s; the keys before hold", self._path, why)


def _stamp(path: Path) -> object:
    # A ConfigMap or a Secret is swapped by a link: the file behind it is another one.
    found = path.stat()
    return found.st_mtime_ns, found.st_ino, found.st_size
