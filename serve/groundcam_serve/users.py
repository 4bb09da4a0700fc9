"""People who log in: names, passwords as they are kept, roles, cameras. Pure, but for a new session key."""

import secrets
import unicodedata
from typing import Annotated, Literal, Self, get_args

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from groundcam_schemas.limits import CameraId
from groundcam_serve.entries import read_entries, sentence_of
from groundcam_serve.keys import SCOPES, Key, Scope
from groundcam_serve.passwords import NOBODYS, Hash, hash_in

Role = Literal["viewer", "operator", "admin"]
ROLES: tuple[Role, ...] = get_args(Role)
SCOPES_OF: dict[Role, tuple[Scope, ...]] = {
    "viewer": ("cameras", "read"),
    "operator": ("detect", "ask", "cameras", "read"),
    "admin": SCOPES,
}
NO_SECRET = "0" * 64
"""In the place of a key's hash, of one that is no key; nobody has what would give it."""
MOST_USERS = 10_000
HEAD = "# For serve.users_file. Whoever reads it can log in as anybody: session_key signs sessions.\n"


def composed(text: str) -> str:
    """Return a text in the form in which names are compared, whatever a keyboard makes of an accent."""
    return unicodedata.normalize("NFC", text)


def name_of(text: str) -> str:
    """Return a person's name in its one form. Raises ValueError."""
    name = composed(text)
    if not name.isprintable() or name != name.strip() or not 1 <= len(name) <= 100:
        raise ValueError("a name has 1 to 100 characters that can be seen, and no space around them")
    return name


def _password(text: str) -> str:
    hash_in(text)
    return text


class User(BaseModel):
    """One of them."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    name: Annotated[str, AfterValidator(name_of)]
    password: Annotated[str, AfterValidator(_password), Field(repr=False)]
    """As `passwords.py` keeps it."""
    role: Role
    cameras: tuple[CameraId, ...] | None = None
    """The only ones that this person sees; by default all."""

    @property
    def key(self) -> Key:
        """What this person may do, as a key would have it."""
        return key_of(self.name, self.role, self.cameras)


def key_of(name: str, role: Role, cameras: tuple[CameraId, ...] | None = None) -> Key:
    """Return what somebody of a role may do."""
    return Key(name=name, sha256=NO_SECRET, scopes=SCOPES_OF[role], cameras=cameras)


class Users(BaseModel):
    """The whole file."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    session_key: Annotated[str, Field(pattern="^[0-9a-f]{64}$", repr=False)]
    """256 random bits that sign sessions; another one ends them all."""
    users: Annotated[tuple[User, ...], Field(max_length=MOST_USERS)] = ()

    @model_validator(mode="after")
    def _names_are_names(self) -> Self:
        names = set[str]()
        for one in self.users:
            if one.name in names:
                raise ValueError(f"the name {one.name!r} is there twice")
            names.add(one.name)
        return self

    def named(self, name: str) -> User | None:
        """Return the user of this name."""
        name = composed(name)
        return next((one for one in self.users if one.name == name), None)

    def changed(self, name: str, user: User | None) -> Self:
        """Return what holds with another entry of this name, or none; a new one comes last."""
        known = self.named(name)
        kept = (one if one is not known else user for one in self.users)
        new = () if known is not None else (user,)
        return self.model_copy(update={"users": tuple(one for one in (*kept, *new) if one is not None)})


def user_of(name: str, password: str, role: Role, cameras: tuple[str, ...] | None) -> User:
    """Return a new entry. Raises ValueError, whose sentence names what is wrong."""
    try:
        return User(name=name, password=password, role=role, cameras=cameras)
    except ValidationError as invalid:
        raise ValueError(sentence_of(invalid, "user")) from None


def hash_of(user: User | None) -> Hash:
    """Return what a password is compared with; nobody's costs as much as somebody's."""
    return NOBODYS if user is None else hash_in(user.password)


def no_users() -> Users:
    """Return what a new file says."""
    return Users(session_key=secrets.token_hex(32))


def read_users(text: str) -> Users:
    """Read a file of users. Raises ValueError, whose sentence shows nothing of a password or the session key."""
    return read_entries(text, Users, "users")


def written(users: Users) -> str:
    """Return a file of users."""
    entries = users.model_dump(mode="json", exclude_none=True)
    return HEAD + yaml.safe_dump(entries, sort_keys=False, allow_unicode=True)
