"""Settings that every process has. Secrets are read from files where they are used, and never shown."""

import errno
import re
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, field_validator, model_validator

from groundcam_runtime import redaction
from groundcam_schemas import Topics


class SettingError(ValueError):
    """A setting that cannot be used; the sentence names it. Exit code 2."""


_SIZE = re.compile(r"^\s*(\d{2,5})\s*[xX]\s*(\d{2,5})\s*$")


def _parse_size(value: object) -> object:
    """Read `960x544`. Raises ValueError for text that is no size."""
    if not isinstance(value, str):
        return value
    match = _SIZE.match(value)
    if match is None:
        raise ValueError(f"{value!r} is not like 960x544")
    return int(match[1]), int(match[2])


_Side = Annotated[int, Field(ge=16, le=16_384)]
Size = Annotated[tuple[_Side, _Side], BeforeValidator(_parse_size)]
"""Width and height in pixels."""


def parse_names(value: object) -> object:
    """Read `one.example,other.example`."""
    return tuple(filter(None, (name.strip() for name in value.split(",")))) if isinstance(value, str) else value


class SettingsPart(BaseModel):
    """A section of the settings: unknown keys are errors, and nothing changes after the start."""

    # An error that shows what was given would show a password.
    # The text below a setting is its description, of which `groundcam config example` is made.
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True, use_attribute_docstrings=True)


class KafkaSettings(SettingsPart):
    """How to reach Kafka."""

    bootstrap_servers: str = "localhost:9092"
    """Addresses, comma separated: host:port,host:port."""
    topic_prefix: Annotated[str, Field(max_length=100, pattern=r"^[A-Za-z0-9._-]*$")] = "groundcam."
    """Begins every topic's name."""
    security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = "PLAINTEXT"
    """What the brokers speak."""
    sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER"] | None = None
    """How to log in, with SASL_PLAINTEXT and SASL_SSL."""
    sasl_username: str | None = None
    """User name for PLAIN and SCRAM."""
    sasl_password: SecretStr | None = None
    """Password for PLAIN and SCRAM; better from a file."""
    sasl_password_file: Path | None = None
    """File with that password."""
    oauth_token_file: Path | None = None
    """File with a bearer token for OAUTHBEARER, read again at each login."""
    oauth_token_url: str | None = None
    """Token endpoint for OAUTHBEARER by client credentials."""
    oauth_client_id: str | None = None
    """Client id at that endpoint."""
    oauth_client_secret_file: Path | None = None
    """File with the client's secret."""
    oauth_scope: str | None = None
    """Scope to ask for, if any."""
    tls_ca_file: Path | None = None
    """Certificates to trust (PEM); the system's by default."""
    tls_cert_file: Path | None = None
    """Own certificate (PEM), for mutual TLS."""
    tls_key_file: Path | None = None
    """Its private key (PEM), where it is not in the same file."""
    tls_key_password_file: Path | None = None
    """File with that key's password."""
    tls_check_hostname: bool = True
    """Whether the broker's certificate must be for its host name."""
    connect_timeout_s: Annotated[float, Field(gt=0, le=600)] = 10.0
    """How long to try at the start before giving up."""

    @field_validator("bootstrap_servers")
    @classmethod
    def _addresses(cls, value: str) -> str:
        for address in value.split(","):
            host, _, port = address.strip().rpartition(":")
            if not host or not port.isdigit() or not 0 < int(port) < 65536:
                raise ValueError(f"{address.strip()!r} is not host:port")
        return value

    @model_validator(mode="after")
    def _login_is_complete(self) -> Self:
        sasl = self.security_protocol.startswith("SASL_")
        if sasl and self.sasl_mechanism is None:
            raise ValueError(f"security_protocol {self.security_protocol} needs sasl_mechanism")
        if not sasl and self.sasl_mechanism is not None:
            raise ValueError(
                f"sasl_mechanism needs security_protocol SASL_PLAINTEXT or SASL_SSL, not {self.security_protocol}"
            )
        if self.sasl_mechanism == "OAUTHBEARER":
            by_client = (self.oauth_token_url, self.oauth_client_id, self.oauth_client_secret_file)
            if self.oauth_token_file is None and not all(by_client):
                raise ValueError(
                    "OAUTHBEARER needs oauth_token_file, or oauth_token_url with oauth_client_id and"
                    " oauth_client_secret_file"
                )
        elif sasl and not (self.sasl_username and (self.sasl_password or self.sasl_password_file)):
            raise ValueError(f"{self.sasl_mechanism} needs sasl_username and sasl_password_file (or sasl_password)")
        return self

    @property
    def topics(self) -> Topics:
        """The topics' names under this prefix."""
        return Topics(self.topic_prefix)

    def password(self) -> str | None:
        """Return the SASL password, kept out of the logs from now on. Raises OSError."""
        if self.sasl_password_file is not None:
            return read_secret(self.sasl_password_file)
        if self.sasl_password is None:
            return None
        redaction.register(self.sasl_password.get_secret_value())
        return self.sasl_password.get_secret_value()


class LogSettings(SettingsPart):
    """What the log looks like."""

    format: Literal["human", "json"] = "human"
    """`human` lines or `json` objects, on standard error."""
    level: Literal["debug", "info", "warning", "error"] = "info"
    """The least important lines to write."""


class HttpSettings(SettingsPart):
    """Where metrics and health are served."""

    host: str = "127.0.0.1"
    """Address to listen on; `::`, every IPv4 and IPv6 address, in a container."""
    port: Annotated[int, Field(ge=0, le=65535)] | None = None
    """Port of /metrics, /healthz and /readyz; 0 takes a free one, none serves nothing."""
    names: Annotated[tuple[str, ...], BeforeValidator(parse_names)] = ()
    """Host names that requests may be for, besides addresses and localhost; by default any, but none on loopback."""


class TraceSettings(SettingsPart):
    """Where traces go."""

    endpoint: Annotated[str, Field(pattern=r"^https?://[^/]+")] | None = None
    """Where traces of frames are sent by OTLP over HTTP, as http://collector:4318; none are made by default."""
    ratio: Annotated[float, Field(gt=0, le=1)] = 1.0
    """Share of the frames that are traced; the producer decides, workers follow."""


def read_secret(path: Path) -> str:
    """Return a secret from a file without its final newline, kept out of the logs from now on.

    Raises OSError, also for a file in which there is nothing.
    """
    secret = path.read_text(encoding="utf-8").rstrip("\r\n")
    if not secret:
        raise OSError(errno.ENODATA, "it is empty")
    redaction.register(secret)
    return secret
