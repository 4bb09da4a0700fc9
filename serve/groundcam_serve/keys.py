"""Who may do what: keys, known by their hashes, with scopes, cameras and a rate. Pure, but for making a new one.

A key is 256 random bits, so one round of SHA-256 hides it: nobody guesses it, salted or not.
"""

import hashlib
import hmac
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated, Literal, Self, get_args

from pydantic import BaseModel, ConfigDict, Field, model_validator

from groundcam_schemas.identity import is_errand
from groundcam_schemas.limits import CameraId
from groundcam_serve.entries import read_entries

Scope = Literal["detect", "ask", "cameras", "read", "models"]
SCOPES: tuple[Scope, ...] = get_args(Scope)
PREFIX = "gck_"
BURST_S = 2.0
"""A key may use so much of its rate at once."""


class Key(BaseModel):
    """One key."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    name: Annotated[str, Field(min_length=1, max_length=100)]
    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
    scopes: Annotated[tuple[Scope, ...], Field(min_length=1)] = SCOPES
    """detect: pictures and videos. ask: change questions and zones. cameras: their pictures. read: what was found and
    asked. models: choose the service's own model."""
    cameras: tuple[CameraId, ...] | None = None
    """The only ones that it is about; by default all."""
    pictures_per_s: Annotated[float, Field(gt=0)] | None = None

    def may(self, scope: Scope) -> bool:
        """Whether it has a scope."""
        return scope in self.scopes

    def may_see(self, camera_id: str) -> bool:
        """Whether it is about a camera; a film of somebody's is none."""
        return not is_errand(camera_id) and (self.cameras is None or camera_id in self.cameras)


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    keys: tuple[Key, ...]

    @model_validator(mode="after")
    def _names_are_names(self) -> Self:
        names = [key.name for key in self.keys]
        if twice := {name for name in names if names.count(name) > 1}:
            raise ValueError(f"the name {min(twice)!r} is there twice")
        return self


EVERYBODY = Key(name="everybody", sha256="0" * 64)
"""Who asks where there are no keys."""


def read_keys(text: str) -> tuple[Key, ...]:
    """Read a file of keys. Raises ValueError, whose sentence shows nothing of a key."""
    return read_entries(text, _File, "keys").keys


def find(keys: Iterable[Key], secret: str) -> Key | None:
    """Return whose key it is; every one is compared, in constant time."""
    digest, found = hashlib.sha256(secret.encode("utf-8", "surrogateescape")).hexdigest(), None
    for key in keys:
        if hmac.compare_digest(key.sha256, digest):
            found = key
    return found


def new_key(name: str, scopes: tuple[Scope, ...]) -> tuple[str, Key]:
    """Make a key; return the secret, which nobody keeps, and what goes into the file."""
    secret = PREFIX + secrets.token_urlsafe(32)
    return secret, Key(name=name, sha256=hashlib.sha256(secret.encode()).hexdigest(), scopes=scopes)


@dataclass(slots=True)
class _Bucket:
    left: float
    at_s: float


class Rates:
    """How much each key has used lately (token buckets)."""

    def __init__(self) -> None:
        self._buckets: dict[str, _Bucket] = {}

    def take(self, key: Key, pictures: int, now_s: float) -> float | None:
        """Use some of a key's rate; return after how many seconds it would be there, or None where it was."""
        rate = key.pictures_per_s
        if rate is None:
            return None
        most = max(1.0, rate * BURST_S)
        bucket = self._buckets.setdefault(key.name, _Bucket(most, now_s))
        bucket.left, bucket.at_s = min(most, bucket.left + (now_s - bucket.at_s) * rate), now_s
        # A request of more than the burst goes when the bucket is full, and is paid for afterwards.
        if bucket.left < min(float(pictures), most):
            return (min(float(pictures), most) - bucket.left) / rate
        bucket.left -= pictures
        return None
