"""Connect to Kafka, or say in one sentence why not.

kafka-python reports a wrong password, an untrusted certificate and a dead host alike, as "Unable to bootstrap"
after its time-out. Which it is, each connection that it tries knows: there it is asked.
"""

import logging
import ssl
import threading
import time
import weakref
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, Self, TypeVar

import kafka.errors
import kafka.record.util
from kafka.net.compat import KafkaNetClient

import groundcam_runtime.kafka.batches  # noqa: F401 - no client of ours reads batches otherwise
from groundcam_runtime import logs
from groundcam_runtime.kafka.errors import KafkaProblem, RefusedError, UnreachableError
from groundcam_runtime.kafka.oauth import token_provider
from groundcam_runtime.settings import KafkaSettings, SettingError, read_secret

T = TypeVar("T")

HUNG_UP = "socket disconnected"
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
    while True:
        left_s = max(0.1, min(ATTEMPT_S, deadline - time.monotonic()))
        with _Attempt() as attempt:
            try:
                return build(
                    **shared, **options, bootstrap_timeout_ms=int(left_s * 1000), kafka_client=attempt.open
                )  # fmt: skip
            except kafka.errors.KafkaTimeoutError:
                problem = explain(settings, attempt.cause)
            except kafka.errors.KafkaConfigurationError as wrong:
                raise SettingError(f"kafka: {wrong}") from None
            except kafka.errors.KafkaError as failed:
                problem = explain(settings, failed)
            attempt.abandon()
        if isinstance(problem, RefusedError) or time.monotonic() >= deadline:
            raise problem


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


class _Attempt(logging.Handler):
    """One try to build a client: why its connections fail, of which the client says nothing but "Unable to bootstrap".

    What it logs meanwhile would only repeat what is reported in the end, and is marked to be left out. That is of this
    client alone: others of the process go on, and what they have to say is heard.
    """

    def __init__(self) -> None:
        super().__init__()
        self._caller = threading.get_ident()
        self._clients: list[KafkaNetClient] = []
        self._last: BaseException | None = None
        self._hang_ups = 0

    @property
    def cause(self) -> BaseException | None:
        """What most likely keeps us from connecting."""
        if self._hang_ups >= HANG_UPS and not _is_refusal(self._last):
            return _HungUpError()
        return self._last

    def open(self, **config: Any) -> KafkaNetClient:
        """Return the network client for the one that is built, and see what becomes of its connections."""
        # The client warns of each step of its own that takes a tenth of a second: on a busy machine, all the time.
        client = KafkaNetClient(slow_task_threshold_secs=0, **config)
        connections = client._manager  # noqa: SLF001 - there is no public way to any of this
        get, seen = connections.get_connection, weakref.WeakSet[Any]()

        def watched(*arguments: Any, **options: Any) -> Any:
            connection = get(*arguments, **options)
            if connection not in seen:
                seen.add(connection)
                connection.init_future.add_errback(partial(self._failed, connection))
            return connection

        connections.get_connection = watched
        self._clients.append(client)
        return client

    def abandon(self) -> None:
        """Close what was opened: a constructor that fails leaves its sockets open."""
        for client in self._clients:
            client.close()

    def _failed(self, connection: Any, error: BaseException) -> None:
        self._hang_ups += connection.broker_version_data is not None and HUNG_UP in str(error)
        # A later "connection closed" is less specific than the refusal before it.
        if not isinstance(error, kafka.errors.KafkaTimeoutError) and not _is_refusal(self._last):
            self._last = error

    def emit(self, record: logging.LogRecord) -> None:
        """Mark a line of this client's."""
        loops = [client._net._io_thread for client in self._clients]  # noqa: SLF001
        if record.thread in {self._caller, *(loop.ident for loop in loops if loop is not None)}:
            logs.leave_out(record)

    def __enter__(self) -> Self:
        logging.getLogger("kafka").addHandler(self)
        return self

    def __exit__(self, *_exception: object) -> None:
        logging.getLogger("kafka").removeHandler(self)


def _is_refusal(error: BaseException | None) -> bool:
    refusals = (
        kafka.errors.SaslAuthenticationFailedError,
        kafka.errors.UnsupportedSaslMechanismError,
        ssl.SSLError,
    )
    return any(isinstance(link, refusals) for link in _chain(error))
