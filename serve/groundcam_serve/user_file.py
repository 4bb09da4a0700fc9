"""The file of users: read again when it changes, and written as a whole."""

import os
import secrets
from contextlib import suppress
from pathlib import Path

from groundcam_runtime import redaction
from groundcam_runtime.settings import SettingError
from groundcam_serve.users import Users, no_users, read_users, written
from groundcam_serve.watched_file import WatchedFile


class UserFile:
    """Knows the users in force."""

    def __init__(self, path: Path | None) -> None:
        """Raises SettingError."""
        self._file = None if path is None else WatchedFile("serve.users_file", path, _read)

    @property
    def now(self) -> Users | None:
        """What it says; None where there is no file."""
        return None if self._file is None else self._file.now


def _read(text: str) -> Users:
    users = read_users(text)
    redaction.register(users.session_key)
    return users


def load(path: Path, *, may_be_new: bool = False) -> Users:
    """Return what a file says; what a new one would, where there may be none yet. Raises SettingError."""
    try:
        return _read(path.read_text("utf-8"))
    except FileNotFoundError:
        if may_be_new:
            return no_users()
        raise SettingError(f"--file: there is no file {path} (groundcam users add makes it)") from None
    except OSError as error:
        raise SettingError(f"--file: {path}: {error.strerror}") from None
    except ValueError as error:
        raise SettingError(f"--file: {path}: {error}") from None


def save(path: Path, users: Users) -> None:
    """Write a file in one step, for its owner's eyes alone. Raises OSError."""
    path = path.resolve()  # a link stays one
    new = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as out:
            out.write(written(users))
            out.flush()
            os.fsync(out.fileno())
        with suppress(OSError):  # the service's own user goes on reading what root has changed
            old = path.stat()
            os.chown(new, old.st_uid, old.st_gid)
        new.replace(path)
    finally:
        new.unlink(missing_ok=True)
