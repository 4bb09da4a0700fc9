"""Sessions of people who have logged in: signed texts, which are kept nowhere but in a cookie. Pure.

A token says who it is for and until when; its mark binds it to that person's entry as it was, so that it ends with a
new password, another role, or the entry itself. A page's scripts do not see the cookie, and no other site's page has
it sent.
"""

import base64
import binascii
import hashlib
import hmac
import json
from collections.abc import Iterable, Iterator
from dataclasses import astuple, dataclass
from typing import Literal

COOKIE = "groundcam_session"
LONGEST_TOKEN = 2048
MOST_TOKENS = 4
"""Cookies of this name in one request that are looked at: another service of the host may have set one, too."""
VERSION = "g1"

Kind = Literal["user", "key"]


@dataclass(frozen=True, slots=True)
class Session:
    """What a token says."""

    kind: Kind
    name: str
    issued_s: int
    expires_s: int
    """Seconds since 1970."""
    nonce: str
    mark: str


def mark_of(secret: bytes, *entry: str) -> str:
    """Return what binds a token to an entry, and shows nothing of it."""
    return _mac(secret, "mark", json.dumps(entry).encode())


def token_of(session: Session, secret: bytes) -> str:
    """Return a session, signed."""
    said = json.dumps(astuple(session), ensure_ascii=False, separators=(",", ":")).encode()
    return f"{VERSION}.{_coded(said)}.{_mac(secret, VERSION, said)}"


def session_in(token: str, secret: bytes, now_s: float) -> Session | None:
    """Return what a token says, if it was signed with this key and is not over."""
    version, _, rest = token.partition(".")
    coded, _, mac = rest.partition(".")
    if version != VERSION or len(token) > LONGEST_TOKEN or not token.isascii():
        return None
    try:
        said = base64.b64decode(coded + "=" * (-len(coded) % 4), b"-_", validate=True)
    except (binascii.Error, ValueError):
        return None
    # Of the text itself, so that one session has one token.
    if _coded(said) != coded or not hmac.compare_digest(_mac(secret, VERSION, said), mac):
        return None
    session = Session(*json.loads(said))
    return session if now_s < session.expires_s else None


def tokens_in(cookies: Iterable[str]) -> Iterator[str]:
    """Yield the tokens in headers `Cookie`, the first few."""
    pairs = (pair.strip().partition("=") for header in cookies for pair in header.split(";"))
    found = (value for name, _, value in pairs if name == COOKIE and len(value) <= LONGEST_TOKEN)
    for _, value in zip(range(MOST_TOKENS), found, strict=False):
        yield value


class Ended:
    """Sessions that were logged out before they were over, bounded: where it is full, all that began before go, too."""

    def __init__(self, most: int = 10_000) -> None:
        self._most = most
        self._known: dict[str, tuple[int, int]] = {}
        """When each began and expires, by its nonce."""
        self._all_until_s = 0

    def add(self, session: Session, now_s: float) -> None:
        """End one."""
        if len(self._known) >= self._most:
            self._known = {nonce: times for nonce, times in self._known.items() if now_s < times[1]}
        if len(self._known) >= self._most:
            oldest = min(self._known, key=lambda nonce: self._known[nonce][0])
            self._all_until_s = max(self._all_until_s, self._known.pop(oldest)[0])
        self._known[session.nonce] = session.issued_s, session.expires_s

    def has(self, session: Session) -> bool:
        """Whether it was ended."""
        return session.nonce in self._known or session.issued_s <= self._all_until_s


def _mac(secret: bytes, what: str, said: bytes) -> str:
    return _coded(hmac.digest(secret, f"groundcam {what} ".encode() + said, hashlib.sha256))


def _coded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
