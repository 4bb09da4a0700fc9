"""The service's settings."""

import ipaddress
from pathlib import Path
from typing import Annotated, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from groundcam_runtime.settings import SettingsPart, parse_names
from groundcam_schemas.limits import CameraId
from groundcam_serve.proxies import network_of
from groundcam_serve.users import Role

MIB = 1024 * 1024
Names = Annotated[tuple[str, ...], BeforeValidator(parse_names)]
HeaderName = Annotated[
    Annotated[str, Field(pattern="^[A-Za-z0-9-]{1,100}$")] | None, BeforeValidator(lambda given: given or None)
]
"""None also where it is empty, as a variable of the environment can be."""


def _networks(texts: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(str(network_of(one)) for one in texts)


class ServeSettings(SettingsPart):
    """What the HTTP service does."""

    host: str = "127.0.0.1"
    """Address to listen on. Any but loopback needs users_file, keys_file or trusted_proxies, or open."""
    port: Annotated[int, Field(ge=1, le=65535)] = 8000
    """Port to listen on."""
    names: Names = ()
    """Host names that requests may be for, besides addresses and localhost; by default any, but none on loopback."""
    keys_file: Path | None = None
    """YAML file with who may do what (`groundcam keys new`); a change is taken over within a second."""
    users_file: Path | None = None
    """YAML file with people who log in, and their roles (`groundcam users add`); taken over as keys_file is."""
    session_hours: Annotated[float, Field(gt=0, le=31 * 24)] = 12.0
    """How long somebody who has logged in stays so."""
    trusted_proxies: Annotated[Names, AfterValidator(_networks)] = ()
    """Addresses and networks of proxies whose word counts: who a request is from, where it comes from (the header
    X-Forwarded-For), and whether it was encrypted (X-Forwarded-Proto)."""
    proxy_user_header: HeaderName = "X-Forwarded-User"
    """In which header these proxies say who it is; empty where they do not, or where clients could set it."""
    proxy_role_header: HeaderName = None
    """In which header they say the role: viewer, operator or admin."""
    proxy_role: Role = "viewer"
    """The role of those of whom they say none."""
    open: bool = False
    """Serve everybody who reaches the address, without keys and without a login."""
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
        if not (self.asks_who or self.open or self.is_loopback):
            raise ValueError(
                f"host {self.host} is reached from elsewhere: set users_file (groundcam users add), keys_file"
                " (groundcam keys new) or trusted_proxies, or open: true to serve everybody"
            )
        return self

    @model_validator(mode="after")
    def _does_not_contradict_itself(self) -> Self:
        if self.open and (self.users_file or self.proxies_name_people):
            other = "users_file" if self.users_file else "trusted_proxies"
            raise ValueError(f"open: true serves everybody, and {other} is about who it is: leave one of them out")
        if self.proxy_role_header and not self.proxy_user_header:
            raise ValueError("proxy_role_header needs proxy_user_header")
        if self.proxy_role_header and self.proxy_role_header.lower() == (self.proxy_user_header or "").lower():
            raise ValueError(f"proxy_role_header and proxy_user_header are both {self.proxy_role_header}")
        if not self.trusted_proxies and (self.proxy_role_header or self.proxy_role != "viewer"):
            name = "proxy_role_header" if self.proxy_role_header else "proxy_role"
            raise ValueError(f"{name} needs trusted_proxies: nobody else is believed")
        return self

    @property
    def asks_who(self) -> bool:
        """Whether it has to be known who asks."""
        return bool(self.users_file or self.keys_file or self.proxies_name_people)

    @property
    def proxies_name_people(self) -> bool:
        """Whether there are proxies that say who asks."""
        return bool(self.trusted_proxies and self.proxy_user_header)

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine reaches the address."""
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host.partition("%")[0]).is_loopback
        except ValueError:
            return False
