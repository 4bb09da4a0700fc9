"""A webhook's address: what is asked, and what may be shown of it. Pure.

The path and the query of a webhook often are its password, so only scheme, host and port are ever shown.
"""

import re
from dataclasses import dataclass
from urllib.parse import urlsplit

PORTS = {"http": 80, "https": 443}
_REFUSED = re.compile(r"[\x00-\x20\x7f-\uffff\\]")
"""Parsers differ over these: one host is read, and another one asked."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where a webhook is."""

    scheme: str
    host: str
    port: int
    target: str
    """Path and query, as a request has them."""

    @property
    def shown(self) -> str:
        """All of it that may be shown."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}{'' if self.port == PORTS[self.scheme] else f':{self.port}'}"


def address_of(url: str) -> Address:
    """Read a URL. Raises ValueError, whose sentence shows nothing of it."""
    if _REFUSED.search(url):
        raise ValueError("the URL has a character in it that has no place there")
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        raise ValueError("the URL cannot be read") from None
    if parts.scheme not in PORTS:
        raise ValueError("the URL does not begin with https:// or http://")
    if "@" in parts.netloc:
        raise ValueError("there is a user or a password in the URL: headers_file is the place for Authorization")
    if not host or port == 0:
        raise ValueError("the URL has no host, or no port that there is")
    if parts.fragment:
        raise ValueError("the URL has a part behind # that no server would see")
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Address(parts.scheme, host, port or PORTS[parts.scheme], target)
