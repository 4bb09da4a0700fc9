"""Connect to Kafka, or say in one sentence why not.

kafka-python reports a wrong password, an untrusted certificate and a dead host alike, as "Unable to bootstrap"
after its time-out. The cause passes by in its log only: it is caught there.
"""

import logging
import re
import ssl
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, Self, TypeVar

import kafka.errors
import kafka.record.util
from kafka.net.compat import KafkaNetClient

from groundcam_runtime.kafka.errors import KafkaProblem, RefusedError, UnreachableError
from groundcam_runtime.kafka.oauth import token_provider
from groundcam_runtime.settings import KafkaSettings, SettingError, read_secret

T = TypeVar("T")

# One at a time listens to the client's logger, which is the whole process's.
_listening = threading.Lock()

HUNG_UP = re.compile("Connection lost: .*socket disconnected")
"""The client's words for a connection that the other side closed; our own closing reads otherwise."""
HANG_UPS = 2
"""So often a broker closes the connection at the login before that is taken for a refusal."""

ATTEMPT_S = 3.0
"""A refusal is final and is reported after one attempt; an absent broker is tried until `connect_timeout_s`."""


def require_crc32c() -> None:
    """Raise KafkaProblem where the C checksum is missing: in Python, 100 KB take 17 ms instead of 5 us."""
    if kafka.record.util.crc32c_c is None:
        raise KafkaProblem("the package crc32c is not installed: without it Kafka is 30 times slower")


def client_options(settings: KafkaSettings) -> dict[str, Any]:
    """Return the options that consumers, producers and admin clients share. Raises SettingError."""
    options: dict[str, Any] = {
        "bootstrap_servers": [address.strip() for address in settings.bootstrap_servers.split(",")],
        "security_protocol": settings.security_protocol,
        # By default a client may sleep 30 s after the broker is back.
        "reconnect_backoff_ms": 50,
        "reconnect_backoff_max_ms": 1000,
    }
    _require_files(settings)
    try:
        if settings.security_protocol in ("SSL", "SASL_SSL"):
            options["ssl_context"] = ssl_context(settings)
        if settings.sasl_mechanism == "OAUTHBEARER":
            options |= {
                "sasl_mechanism": "OAUTHBEARER",
                "sasl_oauth_token_provider": token_provider(settings),
            }
        elif settings.sasl_mechanism:
            options |= {
                "sasl_mechanism": settings.sasl_mechanism,
                "sasl_plain_username": settings.sasl_username,
                "sasl_plain_password": settings.password(),
            }
    except OSError as error:
        raise SettingError(f"kafka: {error.filename or 'a file'} cannot be read: {error.strerror}") from None
    return options


def _require_files(settings: KafkaSettings) -> None:
    """Name the setting whose file is missing: the errors of ssl name neither."""
    for name, value in settings:
        if isinstance(value, Path) and not value.is_file():
            raise SettingError(f"kafka.{name}: there is no file {value}")


def ssl_context(settings: KafkaSettings) -> ssl.SSLContext:
    """Build what TLS needs from the PEM files. Raises OSError, SettingError."""
    try:
        context = ssl.create_default_context(cafile=settings.tls_ca_file)
    except ssl.SSLError:
        raise SettingError(f"kafka.tls_ca_file: {settings.tls_ca_file} holds no PEM certificate") from None
    context.check_hostname = settings.tls_check_hostname
    if settings.tls_cert_file is not None:
        key_password = settings.tls_key_password_file
        try:
            context.load_cert_chain(
                settings.tls_cert_file,
                settings.tls_key_file,
                (lambda: read_secret(key_password)) if key_password else "",
            )
        except ssl.SSLError:
            raise SettingError(
                f"kafka.tls_cert_file: {settings.tls_cert_file} and its key are no matching PEM pair,"
                " or the key's password is wrong"
            ) from None
    return context


def connect(settings: KafkaSettings, build: Callable[..., T], **options: Any) -> T:
    """Build a client that is connected. Raises UnreachableError, RefusedError, SettingError."""
    shared = client_options(settings)
    deadline = time.monotonic() + settings.connect_timeout_s
    with _Overheard() as overheard:
        while True:
            left_s = max(0.1, min(ATTEMPT_S, deadline - time.monotonic()))
            opened: list[KafkaNetClient] = []
            overheard.begin()
            try:
                return build(
                    **shared,
                    **options,
                    bootstrap_timeout_ms=int(left_s * 1000),
                    kafka_client=partial(_remembered, opened),
                )
            except kafka.errors.KafkaTimeoutError:
                problem = explain(settings, overheard.cause)
            except kafka.errors.KafkaConfigurationError as wrong:
                raise SettingError(f"kafka: {wrong}") from None
            except kafka.errors.KafkaError as failed:
                problem = explain(settings, failed)
            for client in opened:
                client.close()  # a constructor that fails leaves its sockets open
            if isinstance(problem, RefusedError) or time.monotonic() >= deadline:
                raise problem


def _remembered(opened: list[KafkaNetClient], **config: Any) -> KafkaNetClient:
    opened.append(KafkaNetClient(**config))
    return opened[-1]


def explain(settings: KafkaSettings, cause: BaseException | None) -> KafkaProblem:
    """Turn the client's last error into a sentence that names what to change."""
    where = f"Kafka at {settings.bootstrap_servers}"
    text = describe(cause)
    chain = _chain(cause)
    who = f"user {settings.sasl_username!r}" if settings.sasl_username else "the token"
    if any(isinstance(link, kafka.errors.SaslAuthenticationFailedError) for link in chain):
        return RefusedError(f"{where} refused {who}: wrong name, password or mechanism ({settings.sasl_mechanism})")
    if any(isinstance(link, kafka.errors.UnsupportedSaslMechanismError) for link in chain):
        return RefusedError(f"{where} does not offer kafka.sasl_mechanism {settings.sasl_mechanism}")
    if isinstance(cause, _HungUpError) and settings.sasl_mechanism:
        return RefusedError(
            f"{where} refused {who} without a word: wrong name or password, or it does not offer"
            f" kafka.sasl_mechanism {settings.sasl_mechanism}"
        )
    for link in chain:
        if isinstance(link, ssl.SSLCertVerificationError):
            return RefusedError(
                f"the certificate of {where} is not trusted ({link.verify_message}): see kafka.tls_ca_file"
            )
    if "CERTIFICATE_VERIFY_FAILED" in text:
        return RefusedError(f"the certificate of {where} is not trusted: see kafka.tls_ca_file")
    if "ALERT" in text.upper() and "CERTIFICATE" in text.upper():
        return RefusedError(f"{where} wants a client certificate that it trusts: see kafka.tls_cert_file")
    if any(isinstance(link, ssl.SSLError) for link in chain):
        return RefusedError(f"{where} does not speak TLS as kafka.security_protocol says ({text})")
    return UnreachableError(f"{where} does not answer ({text}){_hint(settings, text)}")


def _hint(settings: KafkaSettings, text: str) -> str:
    """Where something listens and hangs up, or sends nothing at all, it may expect another protocol."""
    nobody = any(word in text for word in ("REFUSED", "UNREACH", "unreachable", "resolve", "Name or service"))
    return "" if nobody else f"; does it speak {settings.security_protocol}?"


def describe(error: BaseException | None) -> str:
    """Return an error's class and text; kafka-python's own texts begin with the class already."""
    if error is None:
        return "no answer"
    name = type(error).__name__
    return f"{name}: {str(error).removeprefix(f'{name}: ')}"


def _chain(error: BaseException | None) -> list[BaseException]:
    chain = []
    while error is not None and error not in chain:
        chain.append(error)
        error = error.__cause__ or error.__context__
    return chain


class _HungUpError(Exception):
    """A broker that said hello closed the connection, again and again.

    A broker is meant to answer that it does not know a SASL mechanism, or that a password is wrong, but may close the
    connection before its answer has left.
    """


class _Overheard(logging.Handler):
    """Remembers the last error that the client logged while it tried to connect."""

    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self.last: BaseException | None = None
        self._greeted = False
        self._hang_ups = 0

    def begin(self) -> None:
        """Count hang-ups anew, for another attempt."""
        self._greeted, self._hang_ups = False, 0

    @property
    def cause(self) -> BaseException | None:
        """What most likely keeps us from connecting."""
        if self._hang_ups >= HANG_UPS and not _is_refusal(self.last):
            return _HungUpError()
        return self.last

    def emit(self, record: logging.LogRecord) -> None:
        if record.levelno < logging.WARNING:
            self._greeted |= "Broker version identified" in record.getMessage()
            return
        self._hang_ups += self._greeted and HUNG_UP.search(record.getMessage()) is not None
        if kafka.errors.UnsupportedSaslMechanismError.__name__ in record.getMessage():
            self.last = kafka.errors.UnsupportedSaslMechanismError()
        candidates = [record.exc_info[1] if record.exc_info else None, *_arguments(record)]
        for candidate in candidates:
            # A later "connection closed" is less specific than the refusal before it.
            if (
                isinstance(candidate, BaseException)
                and not isinstance(candidate, kafka.errors.KafkaTimeoutError)
                and not _is_refusal(self.last)
            ):
                self.last = candidate

    def __enter__(self) -> Self:
        _listening.acquire()
        self._logger = logging.getLogger("kafka")
        self._before = self._logger.level, self._logger.propagate
        self._logger.addHandler(self)
        # While we connect, its own lines would only repeat what is reported in the end.
        self._logger.setLevel(logging.INFO)
        self._logger.propagate = False
        return self

    def __exit__(self, *_exception: object) -> None:
        self._logger.removeHandler(self)
        level, self._logger.propagate = self._before
        self._logger.setLevel(level)  # forgets what loggers below it remember of the level
        _listening.release()


def _arguments(record: logging.LogRecord) -> tuple[object, ...]:
    return record.args if isinstance(record.args, tuple) else ()


def _is_refusal(error: BaseException | None) -> bool:
    refusals = (
        kafka.errors.SaslAuthenticationFailedError,
        kafka.errors.UnsupportedSaslMechanismError,
        ssl.SSLError,
    )
    return any(isinstance(link, refusals) for link in _chain(error))
