"""What a client is told when there is no answer: problem documents (RFC 9457), each with one sentence."""

import math
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

MEDIA_TYPE = "application/problem+json"

TITLES = {
    "bad-request": "The request cannot be read",
    "no-key": "A key or a login is needed",
    "wrong-login": "The login is not right",
    "not-allowed": "It is not allowed",
    "cross-site": "Another site's page may not ask",
    "not-found": "There is no such thing",
    "no-such-method": "The method does nothing here",
    "not-acceptable": "There is no such form of the answer",
    "slow-body": "The body came too slowly",
    "conflict": "Something else holds",
    "precondition": "It was changed meanwhile",
    "too-large": "Too large",
    "media-type": "The body is of no known type",
    "wrong-host": "There is no such host here",
    "unprocessable": "The request cannot be carried out",
    "too-many": "Too many requests",
    "failed": "The picture cannot be answered",
    "not-here": "This service does not do that",
    "no-worker": "No worker is ready",
    "overloaded": "Too much waits already",
    "kafka": "Kafka does not take it",
    "deadline": "No answer in time",
}


class ProblemDocument(BaseModel):
    """Why there is no answer."""

    model_config = ConfigDict(extra="allow")

    type: str = Field(examples=["urn:groundcam:overloaded"])
    title: str
    status: int = Field(examples=[503])
    detail: str
    """One sentence that names the field, the picture or the camera."""
    field: str | None = None
    picture: int | None = None
    """Which picture of the request, from 0 up."""
    retry_after_s: int | None = None
    login: str | None = Field(default=None, examples=["users"])
    """How one can log in here: `users` (with a name and a password), `keys`, `both`, or `proxy` (not here)."""


class Problem(Exception):  # noqa: N818 - the RFC's own word
    """A request without an answer."""

    def __init__(
        self,
        status: int,
        kind: str,
        detail: str,
        *,
        field: str | None = None,
        picture: int | None = None,
        retry_after_s: float | None = None,
        login: str | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        """`kind` is one of TITLES."""
        super().__init__(detail)
        self.status, self.kind, self.detail = status, kind, detail
        self._more = {"field": field, "picture": picture, "login": login}
        self.headers = dict(headers or {})
        if retry_after_s is not None:
            whole = max(1, math.ceil(retry_after_s))
            self._more["retry_after_s"] = whole
            self.headers["Retry-After"] = str(whole)

    @property
    def document(self) -> dict[str, Any]:
        """The body."""
        more = {name: value for name, value in self._more.items() if value is not None}
        return {
            "type": f"urn:groundcam:{self.kind}", "title": TITLES[self.kind], "status": self.status,
            "detail": self.detail, **more,
        }  # fmt: skip
