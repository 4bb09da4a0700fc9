"""Who one is: logging in, and out."""

import logging
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Request
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, model_validator
from starlette.responses import Response

from groundcam_runtime.printable import printable
from groundcam_runtime.recurring import Recurring
from groundcam_serve import body
from groundcam_serve.api.answers import answered, problems
from groundcam_serve.door import Door, door_of
from groundcam_serve.keys import Key, Scope
from groundcam_serve.passwords import LONGEST
from groundcam_serve.problems import Problem
from groundcam_serve.sessions import COOKIE
from groundcam_serve.users import Role, User, composed, hash_of
from groundcam_serve.visitors import HEADERS, Login, Visitor

router = APIRouter(tags=["sessions"])

log = logging.getLogger(__name__)
recurring = Recurring(log)

MOST_BYTES = 16 * 1024
ONE_OF: list[Any] = [
    {"required": list(names), "properties": {name: {"type": "string"} for name in names}}
    for names in (("user", "password"), ("key",))
]
NOBODYS: dict[str, Any] = {"security": []}
"""These may be asked by everybody."""
SETS = {"Set-Cookie": {"description": f"{COOKIE}, for the service alone", "schema": {"type": "string"}}}


class LoginRequest(BaseModel):
    """A name and a password, or a key."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True, json_schema_extra={"oneOf": ONE_OF})

    user: Annotated[str, Field(min_length=1, max_length=200), AfterValidator(composed)] | None = None
    password: Annotated[SecretStr, Field(max_length=LONGEST)] | None = None
    key: Annotated[SecretStr, Field(max_length=200)] | None = None

    @model_validator(mode="after")
    def _is_one(self) -> "LoginRequest":
        by_name = self.user is not None and self.password is not None
        if by_name == (self.key is not None) or (self.user is None) != (self.password is None):
            raise ValueError("it has a user and a password, or a key")
        return self


class Who(BaseModel):
    """Who asks, and what this one may do."""

    name: str
    role: Role | None
    scopes: list[Scope]
    cameras: list[str] | None
    """The only ones that this one sees; null for all."""
    login: Login = Field(examples=["users"])
    """How one can log in here."""
    by: Literal["nothing", "key", "session", "proxy"] = Field(examples=["session"])
    """How it is known who asks; what is no session does not end with `DELETE`."""
    expires_s: int | None
    """When the session is over, in seconds since 1970."""


@router.post(
    "/v1/session", response_model=Who,
    responses={**problems(400, 408, 413, 415, 422, 429, 501, 503), 200: {"headers": SETS}},
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": {"$ref": "#/components/schemas/LoginRequest"}}},
        },
        **NOBODYS,
    },
)  # fmt: skip
async def log_in(request: Request) -> Response:
    """Log in, with a name and a password or with a key; a cookie then says who one is."""
    door = door_of(request)
    body.require_json(request)
    asked = body.json_of(await body.read(request, MOST_BYTES, door.settings.body_timeout_s), LoginRequest)
    if door.visitors.login in {"none", "proxy"}:
        raise Problem(501, "not-here", "nobody logs in here")
    token, visitor = door.visitors.begin(await _checked(request, door, asked))
    response = _shown(door, visitor)
    lasts_s = visitor.session.expires_s - visitor.session.issued_s if visitor.session else 0
    response.set_cookie(COOKIE, token, lasts_s, **_cookie(request, door))
    return response


@router.get("/v1/session", response_model=Who, responses=problems())
async def who(request: Request) -> Response:
    """Say who one is; 401 says in its field `login` how one could be somebody."""
    door = door_of(request)
    return _shown(door, door.visitors.visitor_of(request))


@router.delete("/v1/session", status_code=204, responses=problems(), openapi_extra=NOBODYS)
async def log_out(request: Request) -> Response:
    """Log out: the session ends, and its cookie goes."""
    door = door_of(request)
    door.visitors.end(request)
    response = Response(status_code=204)
    response.delete_cookie(COOKIE, **_cookie(request, door))
    return response


async def _checked(request: Request, door: Door, asked: LoginRequest) -> User | Key:
    """Return whose name and password, or key, it is. Raises Problem."""
    address = door.visitors.address_of(request)
    name = None if asked.user is None else printable(asked.user)
    try:
        door.logins.require_rate(address, asked.user)
        who = await _found(door, asked)
    except Problem as problem:
        door.metrics.login(problem.kind)
        message = "%s cannot log in from %s: %s"
        recurring.warning(problem.kind, message, name or "a key", address, problem.detail)
        raise
    door.metrics.login("ok")
    log.info("%s has logged in from %s", printable(who.name), address)
    return who


async def _found(door: Door, asked: LoginRequest) -> User | Key:
    if asked.key is not None:
        key = door.keys.find(asked.key.get_secret_value())
        if key is None:
            raise Problem(401, "wrong-login", "the key is not known", login=door.visitors.login, headers=HEADERS)
        return key
    users = door.users.now
    user = None if users is None else users.named(asked.user or "")
    password = asked.password.get_secret_value() if asked.password else ""
    if not await door.logins.fits(password, hash_of(user)) or user is None:
        why = "the name or the password is wrong"
        raise Problem(401, "wrong-login", why, login=door.visitors.login, headers=HEADERS)
    return user


def _cookie(request: Request, door: Door) -> dict[str, Any]:
    return {"path": "/", "secure": door.visitors.is_encrypted(request), "httponly": True, "samesite": "strict"}


def _shown(door: Door, visitor: Visitor) -> Response:
    key, session = visitor.key, visitor.session
    who = Who(
        name=key.name, role=visitor.role, scopes=list(key.scopes),
        cameras=None if key.cameras is None else list(key.cameras), login=door.visitors.login, by=visitor.by,
        expires_s=session.expires_s if session else None,
    )  # fmt: skip
    return answered(who, headers={"Cache-Control": "no-store"})
