"""Send a picture to the HTTP service, and see whether it is answered: the whole path, workers and Kafka included."""

import hashlib
import http.client
import json
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from urllib.parse import SplitResult, quote, urlsplit

from groundcam_runtime.printable import printable
from groundcam_runtime.settings import SettingError

MOST_BYTES = 1_000_000
"""Of an answer."""
PAUSE_S = 1.0
COME_AGAIN = (503, 504)
"""No worker is ready yet, or none was in time."""
OK, NO_KEY = 200, 401
PORTS = {"http": 80, "https": 443}


class NotServedError(RuntimeError):
    """The service does not answer the picture; a sentence says why."""


class _TryAgainError(RuntimeError):
    """It may answer soon."""


@dataclass(frozen=True, slots=True)
class Served:
    """What came back."""

    seconds: float
    """Of the request that was answered."""
    model: str
    labels: tuple[str, ...]

    def __str__(self) -> str:
        found = ", ".join(printable(one) for one in self.labels) or "nothing found"
        return f"answered after {self.seconds * 1000:.0f} ms by {printable(self.model)}: {found}"


@dataclass(frozen=True, slots=True)
class Service:
    """Where the service is, and what it is asked with."""

    url: str
    """http:// or https://, with nothing behind host and port but the path before /v1, if any."""
    key: str | None = None
    certificate: Path | None = None
    """PEM: the very certificate that the server has to show, whatever its names; else one that this machine trusts."""


def probe_service(service: Service, question: str, timeout_s: float, *, wait: Callable[[float], bool]) -> Served:
    """Ask until there is an answer or the time is over. Raises NotServedError and SettingError.

    `wait` waits so many seconds, and returns true when it is to be given up. A key is sent to a server of the right
    certificate only, and redirections are not followed.
    """
    place = _place(service.url)
    expected = None if service.certificate is None else _fingerprint_in(service.certificate)
    deadline = time.monotonic() + timeout_s
    while True:
        try:
            return _ask(place, expected, service.key, question, max(0.1, deadline - time.monotonic()))
        except (_TryAgainError, ConnectionError, TimeoutError, OSError, http.client.HTTPException) as error:
            why = printable(str(error)) or type(error).__name__
        if time.monotonic() + PAUSE_S >= deadline or wait(PAUSE_S):
            raise NotServedError(f"{service.url} does not answer within {timeout_s:g} s: {why}")


def _place(url: str) -> SplitResult:
    try:
        place = urlsplit(url)
        is_one = place.scheme in PORTS and bool(place.hostname) and place.port != 0
    except ValueError:
        is_one = False
    if not is_one or place.query or place.fragment or "@" in place.netloc:
        raise SettingError("--url: it is not like https://groundcam.example:8000")
    return place


def _fingerprint_in(path: Path) -> bytes:
    try:
        text = path.read_text("ascii")
        first, end, _ = text.partition(ssl.PEM_FOOTER)
        return hashlib.sha256(ssl.PEM_cert_to_DER_cert(f"{first}{end}\n".lstrip())).digest()
    except OSError as error:
        raise SettingError(f"--certificate: {path}: {error.strerror}") from None
    except ValueError:
        raise SettingError(f"--certificate: {path} does not begin with a certificate in PEM") from None


def _ask(place: SplitResult, expected: bytes | None, key: str | None, question: str, timeout_s: float) -> Served:
    connection = _connected(place, expected, timeout_s)
    headers = {"Content-Type": "image/jpeg", "Accept": "application/json"}
    if key is not None:
        headers["Authorization"] = f"Bearer {key}"
    began_s = time.monotonic()
    try:
        path = f"{place.path.rstrip('/')}/v1/detect?question={quote(question, safe='')}"
        connection.request("POST", path, files("groundcam").joinpath("probe.jpg").read_bytes(), headers)
        response = connection.getresponse()
        status, body = response.status, response.read(MOST_BYTES)
    finally:
        connection.close()
    if status != OK:
        error = _TryAgainError if status in COME_AGAIN else NotServedError
        hint = "; --key FILE gives one" if status == NO_KEY and key is None else ""
        raise error(f"it answers {status}: {_detail(body)}{hint}")
    return _read(body, time.monotonic() - began_s)


def _connected(place: SplitResult, expected: bytes | None, timeout_s: float) -> http.client.HTTPConnection:
    host, port = place.hostname or "", place.port or PORTS[place.scheme]
    if place.scheme == "http":
        if expected is not None:
            raise SettingError("--certificate is of use with https:// only")
        return http.client.HTTPConnection(host, port, timeout=timeout_s)
    context = ssl.create_default_context()
    if expected is not None:
        # The certificate itself is compared below, before anything is sent.
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    connection = http.client.HTTPSConnection(host, port, timeout=timeout_s, context=context)
    try:
        connection.connect()
    except ssl.SSLCertVerificationError as error:
        raise NotServedError(f"its certificate is not trusted: {error.verify_message}") from None
    shown = connection.sock.getpeercert(binary_form=True) or b""
    if expected is not None and hashlib.sha256(shown).digest() != expected:
        connection.close()
        raise NotServedError("it shows another certificate than that of --certificate")
    return connection


def _detail(body: bytes) -> str:
    """Return a problem's sentence, or what else the answer begins with."""
    try:
        return printable(str(json.loads(body)["detail"]))
    except (ValueError, KeyError, TypeError):
        return printable(body[:200].decode("utf-8", "replace").strip()) or "without a word"


def _read(body: bytes, seconds: float) -> Served:
    try:
        (result,) = json.loads(body)["results"]
        labels = tuple(str(one["label"]) for one in result["objects"])
        return Served(seconds, str(result["model"]["name"]), labels)
    except (ValueError, KeyError, TypeError):
        raise NotServedError("it answers 200, but not with one result in JSON; is it groundcam?") from None
