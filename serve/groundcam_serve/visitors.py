"""Who a request is from: by a key, by a session, or by the word of a proxy that is trusted; in this order."""

import hmac
import time
from dataclasses import dataclass
from secrets import token_bytes, token_urlsafe
from typing import Literal

from starlette.requests import HTTPConnection

from groundcam_serve.key_file import KeyFile
from groundcam_serve.keys import EVERYBODY, Key
from groundcam_serve.problems import Problem
from groundcam_serve.proxies import Proxies
from groundcam_serve.sessions import Ended, Kind, Session, mark_of, session_in, token_of, tokens_in
from groundcam_serve.settings import ServeSettings
from groundcam_serve.user_file import UserFile
from groundcam_serve.users import ROLES, Role, User, key_of, name_of

Login = Literal["none", "users", "keys", "both", "proxy"]
HOUR_S = 3600
HEADERS = {"WWW-Authenticate": 'Bearer realm="groundcam"'}


@dataclass(frozen=True, slots=True)
class Visitor:
    """Somebody who is known."""

    key: Key
    """What this one may do."""
    by: Literal["nothing", "key", "session", "proxy"]
    role: Role | None = None
    session: Session | None = None


class Visitors:
    """Knows them."""

    def __init__(self, settings: ServeSettings, keys: KeyFile, users: UserFile) -> None:
        self._settings, self._keys, self._users = settings, keys, users
        self._proxies = Proxies(settings.trusted_proxies)
        self._own_secret = token_bytes(32)
        """Signs where there is no file of users; so a session ends with the process."""
        self._ended = Ended()

    @property
    def login(self) -> Login:
        """How one can log in."""
        has_users, has_keys = self._users.now is not None, self._keys.is_there
        if has_users or has_keys:
            return "both" if has_users and has_keys else "users" if has_users else "keys"
        return "proxy" if self._settings.proxies_name_people else "none"

    def visitor_of(self, connection: HTTPConnection, own_key: str = "") -> Visitor:
        """Return who it is; `own_key` is of a body, and counts where no header has a key. Raises Problem."""
        if self.login == "none":
            return Visitor(EVERYBODY, "nothing")
        if self._keys.is_there and (secret := _key_in(connection, own_key)):
            key = self._keys.find(secret)
            if key is None:
                raise self._unknown("the key is not known")
            return Visitor(key, "key")
        tokens = list(tokens_in(connection.headers.getlist("cookie")))
        found = next(filter(None, map(self._of_token, tokens)), None) or self._of_proxy(connection)
        if found is None:
            raise self._unknown("the session is over" if tokens else "")
        return found

    def begin(self, who: User | Key) -> tuple[str, Visitor]:
        """Begin a session of somebody; return its token with who that is now."""
        secret, kind, now_s = self._secret, _kind_of(who), int(time.time())
        until_s = now_s + max(1, int(self._settings.session_hours * HOUR_S))
        session = Session(kind, who.name, now_s, until_s, token_urlsafe(16), mark_of(secret, kind, *_entry_of(who)))
        return token_of(session, secret), _in_session(who, session)

    def end(self, connection: HTTPConnection) -> None:
        """End the sessions that a request has."""
        for token in tokens_in(connection.headers.getlist("cookie")):
            if visitor := self._of_token(token):
                assert visitor.session is not None  # noqa: S101 - for the type checker
                self._ended.add(visitor.session, time.time())

    def address_of(self, connection: HTTPConnection) -> str:
        """Return where a request comes from, behind proxies that are trusted."""
        return self._proxies.client_of(_peer(connection), connection.headers.getlist("x-forwarded-for"))

    def is_encrypted(self, connection: HTTPConnection) -> bool:
        """Whether a request came by HTTPS, here or at a proxy that is trusted."""
        if self._settings.tls_cert_file is not None:
            return True
        said = connection.headers.get("x-forwarded-proto", "").partition(",")[0].strip().lower()
        return said in {"https", "wss"} and self._proxies.trust(_peer(connection))

    @property
    def _secret(self) -> bytes:
        users = self._users.now
        return self._own_secret if users is None else bytes.fromhex(users.session_key)

    def _of_token(self, token: str) -> Visitor | None:
        secret = self._secret
        session = session_in(token, secret, time.time())
        if session is None or self._ended.has(session):
            return None
        known = self._users.now if session.kind == "user" else self._keys
        found = None if known is None else known.named(session.name)
        if found is None or not hmac.compare_digest(mark_of(secret, session.kind, *_entry_of(found)), session.mark):
            return None
        return _in_session(found, session)

    def _of_proxy(self, connection: HTTPConnection) -> Visitor | None:
        settings = self._settings
        if not settings.proxies_name_people or not self._proxies.trust(_peer(connection)):
            return None
        name = _said(connection, settings.proxy_user_header)
        if not name:
            return None
        said = _said(connection, settings.proxy_role_header).strip().lower()
        role = next((one for one in ROLES if one == said), None) if said else settings.proxy_role
        if role is None:
            raise Problem(403, "not-allowed", f"{settings.proxy_role_header} says none of {', '.join(ROLES)}")
        try:
            return Visitor(key_of(name_of(name), role), "proxy", role)
        except ValueError as error:
            raise Problem(403, "not-allowed", f"{settings.proxy_user_header}: {error}") from None

    def _unknown(self, why: str) -> Problem:
        ways = {
            "users": "log in (POST /v1/session)", "proxy": "the proxy in front says who it is",
            "keys": "a key is needed: Authorization: Bearer KEY, or X-API-Key: KEY",
            "both": "log in (POST /v1/session), or send a key: Authorization: Bearer KEY, or X-API-Key: KEY",
        }  # fmt: skip
        return Problem(401, "no-key", why or ways[self.login], login=self.login, headers=HEADERS)


def _key_in(connection: HTTPConnection, own_key: str) -> str:
    scheme, _, token = connection.headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else connection.headers.get("x-api-key") or own_key


def _in_session(who: User | Key, session: Session) -> Visitor:
    if isinstance(who, User):
        return Visitor(who.key, "session", who.role, session)
    return Visitor(who, "session", None, session)


def _kind_of(who: User | Key) -> Kind:
    return "user" if isinstance(who, User) else "key"


def _entry_of(who: User | Key) -> tuple[str, ...]:
    """What of an entry must stay for its sessions to go on; a key's scopes, and cameras, change without ending them."""
    return (who.name, who.password, who.role) if isinstance(who, User) else (who.name, who.sha256)


def _peer(connection: HTTPConnection) -> str:
    return connection.client.host if connection.client else ""


def _said(connection: HTTPConnection, header: str | None) -> str:
    """Return a proxy's header; empty where there is none. Raises Problem where there are two: whose is the first?"""
    values = connection.headers.getlist(header) if header else []
    if len(values) > 1:
        raise Problem(403, "not-allowed", f"{header} is there twice")
    try:
        return "".join(values).encode("latin-1").decode()
    except UnicodeError:
        return "".join(values)
