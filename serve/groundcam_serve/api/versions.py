"""What holds, by its version: `ETag`, `If-Match` and `If-None-Match` (RFC 9110)."""

from typing import Any

from starlette.requests import Request

from groundcam_serve.problems import Problem


def etag(what: str) -> dict[str, Any]:
    """Return the description of the header, of a version of `what`."""
    return {"ETag": {"description": f"The version of {what}", "schema": {"type": "string"}}}


def tag(version: str) -> str:
    """Return a version as a header has it."""
    return f'"{version}"'


def tags(request: Request, header: str) -> list[str]:
    """Return the versions in a header."""
    return [one.strip().removeprefix("W/") for one in request.headers.get(header, "").split(",") if one.strip()]


def require_version(request: Request, version: str | None, what: str) -> None:
    """Raise Problem unless the version that holds (None: nothing) is what the client says that it is.

    `what` begins the sentence, as `the camera gate is asked`.
    """
    wanted, unwanted = tags(request, "if-match"), tags(request, "if-none-match")
    holds = version is not None and (tag(version) in wanted or "*" in wanted)
    if (wanted and not holds) or ("*" in unwanted and version is not None):
        now = "nothing" if version is None else f"version {version}"
        raise Problem(412, "precondition", f"{what} {now} over Kafka")
