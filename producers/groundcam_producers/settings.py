"""A producer's settings."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import quote, urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, field_validator, model_validator

from groundcam_producers.films.decoded import WIDEST, Viewing
from groundcam_producers.placement import in_shard
from groundcam_producers.rtsp.tls import Trust
from groundcam_runtime import redaction
from groundcam_runtime.settings import SettingError, SettingsPart, Size, read_secret
from groundcam_schemas.limits import MAX_TEXT, CameraId, check_phrase

LIVE_SCHEMES = ("rtsp", "rtsps")


VARIABLE = re.compile(r"[A-Z][A-Z0-9_]*")
"""What may be the name of a variable, rather than the password itself."""
_SHARD = re.compile(r"^\s*(\d{1,5})\s*/\s*(\d{1,5})\s*$")


def _parse_shard(value: object) -> object:
    """Read `2/8`. Raises ValueError for text that is no shard."""
    if not isinstance(value, str):
        return value
    match = _SHARD.match(value)
    if match is None or not int(match[1]) < int(match[2]):
        raise ValueError(f"{value!r} is not like 2/8, the first number from 0 and smaller than the second")
    return int(match[1]), int(match[2])


Shard = Annotated[tuple[int, int], BeforeValidator(_parse_shard)]
"""A number from 0, and how many there are."""


def _fingerprint(value: str) -> str:
    """Return it in the form of hashlib. Raises ValueError."""
    digits = value.replace(":", "").strip().lower()
    if not re.fullmatch(r"[0-9a-f]{64}", digits):
        raise ValueError("it is not a SHA-256 in 64 hexadecimal digits")
    return digits


def _quarter(value: object) -> object:
    """Raise ValueError for what is no quarter of a turn."""
    number = int(value) if isinstance(value, str) and value.strip().lstrip("-").isdigit() else value
    if isinstance(number, bool) or not isinstance(number, int) or number % 90:
        raise ValueError("it is 0, 90, 180 or 270")
    return number % 360


def _aspect(value: str) -> str:
    """Return it as two numbers. Raises ValueError."""
    match = re.fullmatch(r"\s*([1-9]\d{0,4})\s*[:/xX]\s*([1-9]\d{0,4})\s*", value)
    if match is None or not 1 / WIDEST <= int(match[1]) / int(match[2]) <= WIDEST:
        raise ValueError("it is not like 4:3")
    return f"{match[1]}:{match[2]}"


@dataclass(frozen=True, slots=True)
class Tuning:
    """What of a camera may change while it stays open."""

    fps: float | None
    """Frames a second to keep; None keeps every frame."""
    max_size: tuple[int, int] | None
    """Largest width and height."""
    quality: int
    loops: bool
    """Whether a file is played again and again."""

    def __str__(self) -> str:
        """In words."""
        rate = f"{self.fps:g} frames a second" if self.fps else "every frame"
        size = "{}x{}".format(*self.max_size) if self.max_size else "its own size"
        return f"{rate}, at most {size}, quality {self.quality}{', again and again' if self.loops else ''}"


class CameraSettings(SettingsPart):
    """One camera, file or folder of pictures. What is left out is taken from the section around it."""

    url: SecretStr = Field(examples=["rtsp://viewer@192.0.2.7/stream1"])
    """rtsp://, rtsps://, a video file, or a folder of pictures. The user name may stand in it."""
    name: Annotated[str, Field(max_length=100), AfterValidator(check_phrase)] = ""
    """What people call it, as "Front gate": the console shows that in place of its id."""
    password_file: Path | None = None
    """File with the camera's password."""
    password_env: str | None = None
    """Environment variable with the camera's password."""
    tls_verify: bool = True
    """Whether an rtsps:// camera's certificate is verified; if not, whoever stands in between gets the login."""
    tls_ca_file: Path | None = None
    """Authorities to trust (PEM) for rtsps://, in place of the system's."""
    tls_fingerprint: Annotated[str, AfterValidator(_fingerprint)] | None = None
    """SHA-256 of the only certificate to trust for rtsps://, in hexadecimal digits, colons allowed."""
    fps: Annotated[float, Field(gt=0, le=240)] | None = None
    """Frames a second to publish, whatever the section says, `every_frame` too."""
    max_size: Size | None = None
    """Largest width and height to publish, as 960x544, whatever the section says; null leaves them as they are."""
    loop: bool | None = None
    """Play a file again and again, or once, whatever the section says."""
    transport: Literal["tcp", "udp", "auto"] = "tcp"
    """How an RTSP camera sends; auto is TCP, and UDP where the camera refuses that."""
    rotate: Annotated[int, BeforeValidator(_quarter)] = 0
    """Turn its pictures clockwise by 90, 180 or 270 degrees, on top of what the source itself says."""
    aspect: Annotated[str, AfterValidator(_aspect)] | None = None
    """Shape of its pictures before they are turned, as 4:3, where the source does not tell that of its pixels."""
    deinterlace: bool = True
    """Take one field of interlaced pictures."""
    keep_damaged: bool = False
    """Trust pictures at once after a damaged one, instead of from the next key frame on."""

    @property
    def viewing(self) -> Viewing:
        """How its pictures are shown."""
        aspect = Fraction(*map(int, self.aspect.split(":"))) if self.aspect else None
        return Viewing(self.rotate, aspect, self.deinterlace, self.keep_damaged)

    @model_validator(mode="after")
    def _can_be_opened(self) -> Self:
        url = self.url.get_secret_value()
        redaction.register_url(url)
        if not url.strip():
            raise ValueError("url: it is empty; it names an RTSP address, a file or a folder")
        if self.scheme is not None and self.scheme not in LIVE_SCHEMES:
            raise ValueError(f"url: {self.scheme}:// cannot be opened; use rtsp://, rtsps://, a file or a folder")
        if self.is_live:
            _check_live(url)
        if (self.password_file or self.password_env) and not self.is_live:
            raise ValueError("a password is of use for rtsp:// and rtsps:// only")
        if self.scheme != "rtsps" and (self.tls_ca_file or self.tls_fingerprint or not self.tls_verify):
            raise ValueError("tls_verify, tls_ca_file and tls_fingerprint are of use for rtsps:// only")
        if self.transport != "tcp" and not self.is_live:
            raise ValueError("transport is of use for rtsp:// and rtsps:// only")
        if self.is_live and self.loop:
            raise ValueError("loop: a live camera has no end to play again from")
        return self

    @property
    def scheme(self) -> str | None:
        """The URL's scheme, or None for a path."""
        scheme, separator, _ = self.url.get_secret_value().partition("://")
        return scheme.lower() if separator else None

    @property
    def is_live(self) -> bool:
        """Whether this is a camera rather than a file or folder."""
        return self.scheme in LIVE_SCHEMES

    @property
    def trust(self) -> Trust:
        """Which certificates of the camera are taken."""
        return Trust(self.tls_verify, self.tls_ca_file, self.tls_fingerprint)

    @property
    def public_url(self) -> str:
        """The URL as it may be shown; of a file only its name."""
        url = self.url.get_secret_value()
        return redaction.public_url(url)[:MAX_TEXT] if self.is_live else Path(url).name

    def full_url(self, environment: Mapping[str, str] = os.environ) -> str:
        """Return the URL with the password in it. Raises SettingError."""
        url = self.url.get_secret_value()
        password = self._password(environment)
        if password is None:
            return url
        parts = urlsplit(url)
        if not parts.username:
            raise SettingError("url: there is a password beside it, but no user name in it")
        host = parts.netloc.rpartition("@")[2]
        return parts._replace(netloc=f"{parts.username}:{quote(password, safe='')}@{host}").geturl()

    def _password(self, environment: Mapping[str, str]) -> str | None:
        if self.password_file is not None:
            # Somebody may have given the password itself: only what may be a file's path is shown.
            is_path = self.password_file.parent.is_dir() and len(self.password_file.parts) > 1
            shown = f"password_file: {self.password_file}" if is_path else "password_file"
            try:
                return read_secret(self.password_file)
            except OSError as error:
                raise SettingError(f"{shown}: {error.strerror}") from None
            except UnicodeDecodeError:
                raise SettingError(f"{shown}: there is no UTF-8 text in it") from None
        if self.password_env is not None:
            password = environment.get(self.password_env)
            if password is None:
                named = f" {self.password_env}" if VARIABLE.fullmatch(self.password_env) else " of this name"
                raise SettingError(f"password_env: there is no variable{named}")
            redaction.register(password)
            return password
        return None


class ProduceSettings(SettingsPart):
    """What a producer does."""

    cameras: dict[CameraId, CameraSettings] = Field(default_factory=dict)
    """The cameras by id, in the order in which they were added: a new one at the end moves no other."""
    shard: Shard | None = None
    """Look after a part of the cameras only: 2/8 is the third of eight producers, since they count from 0."""
    only: tuple[CameraId, ...] | None = None
    """Look after these cameras only; the others are known, so that all producers agree on the partitions."""
    fps: Annotated[float, Field(gt=0, le=240)] = 5.0
    """Frames a second of each camera."""
    max_size: Size | None = (960, 544)
    """Largest width and height of a frame; larger pictures are scaled down."""
    quality: Annotated[int, Field(ge=20, le=100)] = 85
    """JPEG quality."""
    loop: bool = False
    """Play files again and again."""
    every_frame: bool = False
    """Publish every frame of files, as fast as Kafka takes them, on the recordings topic."""
    partitioner: Literal["balanced", "key"] = "balanced"
    """`balanced` spreads the cameras evenly over the partitions, `key` is Kafka's own hash."""
    max_waiting_bytes: Annotated[int, Field(ge=1024)] = 32 * 1024 * 1024
    """Unacknowledged frames that one camera keeps in memory; beyond it frames are dropped and reported."""
    timeout_s: Annotated[float, Field(gt=0, le=300)] = 10.0
    """How long a camera may be silent before it is opened again."""
    hang_s: Annotated[float, Field(gt=0, le=3600)] = 40.0
    """How long a camera's process may be stuck before it is ended and started again."""
    max_source_pixels: Annotated[int, Field(ge=256 * 256)] = 8192 * 4352
    """Largest picture of a camera or file, before it is scaled; a larger one is not decoded."""
    camera_memory_mib: Annotated[int, Field(ge=128)] = 512
    """Memory that one camera's process may take; what needs more is told, and no other camera notices."""
    json_reports: bool = False
    """Publish gaps and camera states as JSON instead of msgpack."""

    @property
    def own_cameras(self) -> dict[str, CameraSettings]:
        """The cameras of this shard, or those that are named."""
        return {
            name: one
            for name, one in self.cameras.items()
            if (self.shard is None or in_shard(name, *self.shard)) and (self.only is None or name in self.only)
        }

    @property
    def password_variables(self) -> set[str]:
        """Names of the environment's variables in which cameras' passwords are."""
        return {one.password_env for one in self.cameras.values() if one.password_env}

    @property
    def is_job(self) -> bool:
        """Whether there will be an end: every camera is a file that is played once, and no shard is to be kept."""
        ends = (not (one.is_live or self.loops(one)) for one in self.own_cameras.values())
        return self.shard is None and all(ends)

    def loops(self, camera: CameraSettings) -> bool:
        """Whether a file is played again and again: what is set of it beats what is set of all."""
        return not camera.is_live and (self.loop if camera.loop is None else camera.loop)

    def tuning(self, camera: CameraSettings) -> Tuning:
        """What holds of a camera: what is set of it, also to none, else what is set of all."""
        fps = camera.fps or (None if self.every_frame else self.fps)
        max_size = camera.max_size if "max_size" in camera.model_fields_set else self.max_size
        return Tuning(fps, max_size, self.quality, self.loops(camera))

    @field_validator("only", mode="before")
    @classmethod
    def _one_is_enough(cls, value: object) -> object:
        return tuple(name.strip() for name in value.split(",")) if isinstance(value, str) else value

    @field_validator("cameras", mode="before")
    @classmethod
    def _url_alone_is_enough(cls, value: object) -> object:
        if isinstance(value, dict):
            return {name: {"url": one} if isinstance(one, str) else one for name, one in value.items()}
        return value

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        # Opening waits for the connection and for the stream, each as long as this.
        if self.hang_s <= 2 * self.timeout_s:
            raise ValueError(f"hang_s ({self.hang_s:g}) must be more than twice timeout_s ({self.timeout_s:g})")
        if strangers := [name for name in self.only or () if name not in self.cameras]:
            raise ValueError(f"only: there is no camera {strangers[0]}")
        live = [name for name, camera in self.cameras.items() if camera.is_live]
        if self.every_frame and live:
            raise ValueError(f"every_frame is for files; {', '.join(live)} cannot be asked to wait")
        return self


def _check_live(url: str) -> None:
    """Raise ValueError, never with a part of the URL in it, which may be a password."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        raise ValueError("url: it cannot be read; percent-encode what is special in its user and password") from None
    if not host:
        raise ValueError("url: there is no host name in it")
    if "@" in url.partition("://")[2] and "@" not in parts.netloc:
        raise ValueError("url: percent-encode /, ? and # in its user and password")
