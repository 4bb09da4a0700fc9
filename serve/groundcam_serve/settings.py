"""The service's settings."""

import ipaddress
from pathlib import Path
from typing import Annotated, Self

from pydantic import BeforeValidator, Field, model_validator

from groundcam_runtime.settings import SettingsPart, parse_names
from groundcam_schemas.limits import CameraId

MIB = 1024 * 1024
Names = Annotated[tuple[str, ...], BeforeValidator(parse_names)]


class ServeSettings(SettingsPart):
    """What the HTTP service does."""

    host: str = "127.0.0.1"
    """Address to listen on. Any but loopback needs keys_file, or open."""
    port: Annotated[int, Field(ge=1, le=65535)] = 8000
    """Port to listen on."""
    names: Names = ()
    """Host names that requests may be for, besides addresses and localhost; by default any, but none on loopback."""
    keys_file: Path | None = None
    """YAML file with who may do what (`groundcam keys new`); a change is taken over within a second."""
    open: bool = False
    """Serve everybody who reaches the address, without keys."""
    tls_cert_file: Path | None = None
    """Certificate to serve HTTPS with (PEM)."""
    tls_key_file: Path | None = None
    """Its private key (PEM)."""
    name: CameraId = "http"
    """What requests are called where cameras have their names: in traces, dead letters and `audit`."""
    timeout_s: Annotated[float, Field(gt=0, le=600)] = 10.0
    """How long a request waits for its answer where it does not say."""
    max_timeout_s: Annotated[float, Field(gt=0, le=600)] = 60.0
    """The longest that one may ask for."""
    max_pictures: Annotated[int, Field(ge=1, le=256)] = 32
    """Pictures of one request."""
    max_pixels: Annotated[int, Field(ge=1)] = 33_177_600
    """Of a picture; larger ones are refused before they are decoded."""
    max_body_bytes: Annotated[int, Field(ge=1024)] = 64 * MIB
    """Of one request."""
    body_timeout_s: Annotated[float, Field(gt=0, le=600)] = 30.0
    """How long a client may take to send a request's body."""
    max_waiting_pictures: Annotated[int, Field(ge=1)] = 1024
    """Pictures that wait for their answers; more are refused with 503."""
    max_waiting_bytes: Annotated[int, Field(ge=1024)] = 256 * MIB
    """Bytes of requests in memory; more are refused with 503."""
    max_streams: Annotated[int, Field(ge=0, le=1000)] = 32
    """Readers of /v1/detections and of streams of /v1/events at a time, each with a connection to Kafka."""
    max_job_bytes: Annotated[int, Field(ge=1024)] = 512 * MIB
    """Of one film for /v1/jobs."""
    max_jobs_bytes: Annotated[int, Field(ge=1024)] = 1024 * MIB
    """Of all films that lie in the temporary folder until they are decoded; more are refused with 503."""
    keep_jobs_s: Annotated[float, Field(gt=0)] = 3600.0
    """How long the results of a job are kept once it is through."""
    console: bool = False
    """Serve the console at /console/ and the pictures that it shows; frames are read while somebody looks at them."""
    max_viewers: Annotated[int, Field(ge=0, le=1000)] = 64
    """Pages that look at pictures at a time."""
    url_hosts: Names = ()
    """Hosts that pictures may be fetched from, as `pictures.example` or `.example` for all below it; by default none,
    and a request may not name its picture by URL."""

    @model_validator(mode="after")
    def _is_not_open_by_mistake(self) -> Self:
        if (self.tls_cert_file is None) != (self.tls_key_file is None):
            raise ValueError("tls_cert_file and tls_key_file need each other")
        if self.timeout_s > self.max_timeout_s:
            raise ValueError(f"timeout_s ({self.timeout_s:g}) is above max_timeout_s ({self.max_timeout_s:g})")
        if not (self.keys_file or self.open or self.is_loopback):
            raise ValueError(
                f"host {self.host} is reached from elsewhere: set keys_file (groundcam keys new),"
                " or open: true to serve everybody"
            )
        return self

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine reaches the address."""
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host.partition("%")[0]).is_loopback
        except ValueError:
            return False
