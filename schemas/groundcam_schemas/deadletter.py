"""A message that could not be processed: its value is the original bytes, all else is in the headers.

One that is too large to be dead-lettered leaves its value behind: then the headers give its size.
"""

from collections.abc import Iterable
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from groundcam_schemas import limits
from groundcam_schemas.errors import SchemaError

PREFIX = "groundcam-dlq-"
SCHEMA = f"{PREFIX}schema"
VERSION = "dead-letter/1.1"

Header = tuple[str, bytes]


class DeadLetter(BaseModel):
    """Where the original lay and why it was dead-lettered."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    topic: limits.Text
    """Where the original lay."""
    partition: Annotated[int, Field(ge=0, le=2**31 - 1)]
    """The partition of that topic."""
    offset: Annotated[int, Field(ge=0, le=2**63 - 1)]
    """The offset in that partition."""
    timestamp_ms: Annotated[int, Field(ge=-1, le=2**63 - 1)]
    """The original record's time: milliseconds since 1970; -1 where it had none."""
    error_class: limits.Text
    """The class of the error, such as `BadPictureError`."""
    error_text: limits.Text = ""
    """The error in words, without secrets."""
    attempts: Annotated[int, Field(ge=1, le=2**31 - 1)] = 1
    """How often it was tried."""
    worker_version: limits.Text = ""
    """The version of groundcam that gave up."""
    camera_id: limits.Text = ""
    """The camera's id; empty where it is unknown."""
    run_id: limits.Text = ""
    """With `seq`: the frame's identity, where the message could be read that far; else empty."""
    seq: Annotated[int, Field(ge=0, le=2**63 - 1)] | None = None
    """The frame's number in its run; absent where it is unknown."""
    value_bytes: Annotated[int, Field(ge=0, le=2**63 - 1)] | None = None
    """How many bytes the value had that was too large to be dead-lettered: then there is none, nor are the message's
    own headers there. Since 1.1."""
    key_bytes: Annotated[int, Field(ge=0, le=2**63 - 1)] | None = None
    """How many bytes the key had that was too large. Since 1.1."""

    def headers(self) -> list[Header]:
        """Return the Kafka headers that carry this."""
        fields = {name: value for name, value in self.model_dump().items() if value is not None}
        return [(SCHEMA, VERSION.encode())] + [
            (f"{PREFIX}{name.replace('_', '-')}", str(value).encode()) for name, value in fields.items()
        ]

    @classmethod
    def from_headers(cls, headers: Iterable[Header]) -> Self:
        """Read a dead letter's headers. Raises SchemaError.

        What the message had brought along under such names is ignored: a letter's own come last.
        """
        fields: dict[str, str] = {}
        for name, value in headers:
            if name == SCHEMA:
                fields.clear()
            if name.startswith(PREFIX) and value is not None:
                fields[name.removeprefix(PREFIX).replace("-", "_")] = value[: limits.MAX_TEXT * 4].decode(
                    "utf-8", "replace"
                )
        name, _, version = fields.pop("schema", "").partition("/")
        if (name, version.partition(".")[0]) != ("dead-letter", "1"):
            raise SchemaError("schema", f"is not {VERSION}")
        try:
            return cls.model_validate(fields)
        except ValidationError as invalid:
            first = invalid.errors(include_url=False, include_context=False, include_input=False)[0]
            raise SchemaError(".".join(map(str, first["loc"])), first["msg"]) from None
