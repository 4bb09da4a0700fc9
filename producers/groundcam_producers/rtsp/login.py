"""Answer a camera's challenge: Digest (RFC 7616; RFC 2617 of older cameras), else Basic (RFC 7617). Pure."""

import base64
import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import partial
from typing import Any
from urllib.request import parse_http_list

_HASHES: dict[str, Callable[[bytes], Any]] = {
    "MD5": hashlib.md5,
    "SHA-256": hashlib.sha256,
    "SHA-512-256": partial(hashlib.new, "sha512_256"),
}
_STRONGEST_FIRST = ("SHA-512-256", "SHA-256", "MD5")


@dataclass(slots=True)
class Login:
    """A user name and password for one camera, and what that camera asks for."""

    user: str
    password: str = field(repr=False)
    client_nonce: Callable[[], str]
    """Returns a new random text each time."""
    _challenge: dict[str, str] | None = None
    _uses: int = 0
    _was_accepted: bool = False

    def challenged(self, headers: Iterable[str]) -> bool:
        """Take the WWW-Authenticate headers of a 401; return whether another try may help.

        It does not where the challenge before this one was answered and never accepted: the password is wrong.
        """
        best = _best([_parsed(header) for header in headers])
        if best is None:
            return False
        if self._challenge is not None:
            is_new = best["scheme"] == "digest" and best.get("nonce") != self._challenge.get("nonce")
            if not is_new or not (self._was_accepted or best.get("stale", "").lower() == "true"):
                return False
        self._challenge, self._uses, self._was_accepted = best, 0, False
        return True

    def accepted(self) -> None:
        """The camera has taken the newest answer: a challenge that comes now means that its nonce has grown old."""
        self._was_accepted = True

    def authorization(self, method: str, uri: str) -> str | None:
        """Return the Authorization header of a request, or None before the camera has asked for one."""
        asked = self._challenge
        if asked is None:
            return None
        if asked["scheme"] == "basic":
            return "Basic " + base64.b64encode(f"{self.user}:{self.password}".encode()).decode()
        return self._digest(asked, method, uri)

    def _digest(self, asked: dict[str, str], method: str, uri: str) -> str:
        name = asked.get("algorithm", "MD5").upper()

        def digest(text: str) -> str:
            return str(_HASHES[name](text.encode()).hexdigest())

        realm, nonce = asked.get("realm", ""), asked.get("nonce", "")
        secret, what = digest(f"{self.user}:{realm}:{self.password}"), digest(f"{method}:{uri}")
        fields = {"username": self.user, "realm": realm, "nonce": nonce, "uri": uri}
        bare = {}
        if "auth" in [one.strip() for one in asked.get("qop", "").split(",")]:
            self._uses += 1
            count, client_nonce = f"{self._uses:08x}", self.client_nonce()
            fields |= {"response": digest(f"{secret}:{nonce}:{count}:{client_nonce}:auth:{what}")}
            fields |= {"cnonce": client_nonce}
            bare = {"qop": "auth", "nc": count}
        else:
            fields |= {"response": digest(f"{secret}:{nonce}:{what}")}
        if "opaque" in asked:
            fields["opaque"] = asked["opaque"]
        if "algorithm" in asked:
            bare["algorithm"] = asked["algorithm"]
        quoted = [f'{key}="{_quotable(value)}"' for key, value in fields.items()]
        return "Digest " + ", ".join([*quoted, *(f"{key}={value}" for key, value in bare.items())])


def unknown_kinds(headers: Iterable[str]) -> str:
    """Return what a 401 asks for, as text for people, where it offers nothing that is known here; else nothing."""
    offered = [_parsed(header) for header in headers]
    if not offered or _best(offered) is not None:
        return ""
    return ", ".join(f"{one['scheme']} {one.get('algorithm', '')}".strip() for one in offered)[:100]


def _parsed(header: str) -> dict[str, str]:
    scheme, _, rest = header.partition(" ")
    pairs = (one.partition("=") for one in parse_http_list(rest))
    return {key.strip().lower(): value.strip().strip('"') for key, _, value in pairs} | {"scheme": scheme.lower()}


def _best(offered: list[dict[str, str]]) -> dict[str, str] | None:
    """Digest before Basic, which shows the password to everybody on the way."""
    for name in _STRONGEST_FIRST:
        for one in offered:
            if one["scheme"] == "digest" and one.get("algorithm", "MD5").upper() == name:
                return one
    return next((one for one in offered if one["scheme"] == "basic"), None)


def _quotable(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')
