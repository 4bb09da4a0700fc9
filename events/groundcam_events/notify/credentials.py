"""What a webhook's files say: its address, the secret, headers. Read again at each attempt, so that they may change."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from groundcam_events.notify.policy.address import Address, address_of
from groundcam_events.notify.settings import HookSettings
from groundcam_runtime import redaction
from groundcam_runtime.settings import SettingError, read_secret

MOST_HEADERS = 32
ORDINARY = 10
"""A path of so few characters is an ordinary word in other lines, and no secret."""
_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VALUE = re.compile(r"[\x20-\x7e\x80-\xff]*")
_OURS = {"host", "content-length", "content-type", "transfer-encoding", "connection", "user-agent"}

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Credentials:
    """All that is needed to ask."""

    address: Address
    secret: str | None
    headers: tuple[tuple[str, str], ...]


def read_credentials(name: str, settings: HookSettings) -> Credentials:
    """Read a webhook's files. Raises SettingError, which names the setting."""
    hook = f"notify.hooks.{name}"
    if settings.url is not None:
        address = _known(settings.url.get_secret_value())
    else:
        assert settings.url_file is not None  # noqa: S101 - one of them is there
        address = _read(f"{hook}.url_file", settings.url_file, _known)
    secret = None
    if settings.secret_file is not None:
        secret = _read(f"{hook}.secret_file", settings.secret_file, _secret)
    headers: tuple[tuple[str, str], ...] = ()
    if settings.headers_file is not None:
        headers = _read(f"{hook}.headers_file", settings.headers_file, _headers)
    return Credentials(address, secret, headers)


def _read(setting: str, path: Path, parse: Callable[[str], T]) -> T:
    try:
        return parse(read_secret(path))
    except OSError as error:
        raise SettingError(f"{setting}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise SettingError(f"{setting}: there is no UTF-8 text in it") from None
    except ValueError as error:
        raise SettingError(f"{setting}: {error}") from None


def _known(url: str) -> Address:
    """Read a URL, of which the path and the query are kept out of the log from now on."""
    address = address_of(url.strip())
    if len(address.target) > ORDINARY:
        redaction.register(address.target)
    return address


def _secret(text: str) -> str:
    if not text:
        raise ValueError("it is empty")
    return text


def _headers(text: str) -> tuple[tuple[str, str], ...]:
    found = []
    for number, line in enumerate(filter(str.strip, text.splitlines()), 1):
        name, separator, value = line.partition(":")
        name, value = name.strip(), value.strip()
        if not separator or not _NAME.fullmatch(name) or not _VALUE.fullmatch(value):
            raise ValueError(f"line {number} is not like `Authorization: Bearer ...`")
        if name.lower() in _OURS or name.lower().startswith("x-groundcam-"):
            raise ValueError(f"line {number}: {name} is not yours to set")
        redaction.register(value)
        found.append((name, value))
    if len(found) > MOST_HEADERS:
        raise ValueError(f"there are more than {MOST_HEADERS} headers")
    return tuple(found)
