"""The notifier's settings: webhooks by name, and what each of them wants."""

from pathlib import Path
from typing import Annotated, Literal, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BeforeValidator, Field, SecretStr, field_validator, model_validator

from groundcam_events.notify.policy.address import address_of
from groundcam_events.notify.policy.windows import windows_of
from groundcam_runtime.settings import SettingsPart, parse_names
from groundcam_schemas import Cause, EventType

Names = Annotated[tuple[str, ...], BeforeValidator(parse_names)]
HookName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
CoolDownPart = Literal["camera", "label", "zone"]


def _parse_times(value: object) -> object:
    """Read `mon,tue 22:00-06:00; sat`: a comma is between days."""
    return tuple(filter(None, map(str.strip, value.split(";")))) if isinstance(value, str) else value


Seconds = Annotated[float, Field(gt=0, le=3600)]


class HookSettings(SettingsPart):
    """One webhook."""

    url: SecretStr | None = Field(default=None, examples=["https://hooks.example.com/groundcam"])
    """Where events are posted, http or https. Only its scheme, host and port are ever shown."""
    url_file: Path | None = None
    """File with that URL, where it is a secret by itself; read again before each attempt."""
    secret_file: Path | None = None
    """File with the secret that bodies are signed with (HMAC-SHA256); read again before each attempt."""
    headers_file: Path | None = None
    """File with headers to send along, such as `Authorization: Bearer ...`, one a line; read again in the same way."""
    ca_file: Path | None = None
    """Certificates to trust (PEM); the system's by default."""
    cameras: Names = ()
    """Only events of these cameras: ids, or patterns such as yard-*; by default all."""
    labels: Names = ()
    """Only objects with these labels; by default all."""
    zones: Names = ()
    """Only objects that are or have been in one of these zones; by default all."""
    lines: Names = ()
    """Only objects that have crossed one of these lines; by default all."""
    types: Annotated[tuple[EventType, ...], BeforeValidator(parse_names)] = ()
    """Only events of these types: new, update, end; by default all."""
    causes: Annotated[tuple[Cause, ...], BeforeValidator(parse_names)] = ()
    """Only events with these causes, such as zone_entered, zone_dwelt, line_crossed; by default all."""
    severity: Literal["info", "warning", "alert"] = "info"
    """Only events of objects that matter at least so much, as their zones and lines say."""
    min_score: Annotated[float, Field(ge=0, le=1)] = 0.0
    """Only objects whose median score is at least so high."""
    times: Annotated[tuple[str, ...], BeforeValidator(_parse_times)] = ()
    """Only at these times: 22:00-06:00, or sat,sun, or mon-fri 22:00-06:00 (days are those on which it begins)."""
    time_zone: str = "UTC"
    """Whose clock these times are by, such as Europe/Berlin."""
    cool_down_s: Annotated[float, Field(ge=0, le=86_400)] = 0.0
    """After an event others like it are held back for so long, unless their severity is higher; 0 holds none back."""
    cool_down_per: Annotated[tuple[CoolDownPart, ...], BeforeValidator(parse_names)] = ("camera", "label")
    """What events have in common that are like each other: camera, label, zone."""
    picture: Literal["none", "link", "attach"] = "none"
    """The object's best picture: its address, or the JPEG itself as base64."""
    picture_url: str | None = None
    """That address, with {id} and {camera} in it, as https://groundcam.example/pictures/{id}; for `link`."""
    timeout_s: Annotated[float, Field(gt=0, le=300)] = 10.0
    """How long one attempt may take."""
    retry_s: Seconds = 1.0
    """How long to wait after the first attempt that failed; each time twice as long, and a part of it by chance."""
    max_retry_s: Seconds = 60.0
    """The longest wait between attempts, also where the receiver asks for a longer one."""
    give_up_s: Annotated[float, Field(gt=0, le=86_400)] = 300.0
    """An event that has not been taken for so long goes to the undelivered ones."""
    concurrent: Annotated[int, Field(ge=1, le=64)] = 4
    """Most requests at a time. The events of one object go one after the other."""
    queue_events: Annotated[int, Field(ge=1, le=100_000)] = 1000
    """Most events that wait for this webhook; more go to the undelivered ones."""

    @field_validator("url")
    @classmethod
    def _is_an_address(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None:
            address_of(value.get_secret_value())
        return value

    @field_validator("times")
    @classmethod
    def _are_windows(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        windows_of(value)
        return value

    @field_validator("time_zone")
    @classmethod
    def _is_a_time_zone(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise ValueError(f"no time zone {value[:100]!r} is known on this machine") from None
        return value

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if (self.url is None) == (self.url_file is None):
            raise ValueError("url or url_file is needed, and not both")
        if (self.picture == "link") != (self.picture_url is not None):
            raise ValueError("picture_url and `picture: link` need each other")
        if self.picture_url is not None:
            address_of(self.picture_url.replace("{id}", "x").replace("{camera}", "x"))
        if self.retry_s > self.max_retry_s:
            raise ValueError(f"retry_s ({self.retry_s:g}) is above max_retry_s ({self.max_retry_s:g})")
        return self

    @property
    def public_url(self) -> str | None:
        """What may be shown of the URL; None where it is in a file."""
        return address_of(self.url.get_secret_value()).shown if self.url else None


class NotifySettings(SettingsPart):
    """Which webhooks are told of events."""

    group: str = ""
    """Consumer group; empty: PREFIX-notifier. Its notifiers share the cameras."""
    hooks: dict[HookName, HookSettings] = Field(default_factory=dict)
    """The webhooks by name."""
