"""One POST, within a deadline for all of it, whatever answers. No redirect is followed, certificates are verified.

`http.client` bounds each wait, not their sum: who sends a byte now and then would keep a thread for ever. So the socket
that it reads from gives each wait what is left.
"""

import http.client
import io
import logging
import socket
import ssl
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from groundcam_events.notify.credentials import Credentials
from groundcam_events.notify.policy.answers import Answer, Failure, answer

log = logging.getLogger(__name__)

MOST_BODY_BYTES = 64 * 1024
BODY_S = 1.0
"""An answer's body decides nothing; it is waited for only so that its sender can end in order."""


def post(
    credentials: Credentials, body: bytes, headers: dict[str, str], *, timeout_s: float, ca_file: Path | None
) -> Answer:
    """Send a body; return what became of it. Raises nothing that depends on who answers."""
    deadline = time.monotonic() + timeout_s
    try:
        return _post(credentials, body, headers, deadline, ca_file)
    except TimeoutError:
        return Answer(Failure.TIMEOUT, f"no answer within {timeout_s:g} s")
    except ssl.SSLCertVerificationError as error:
        return Answer(Failure.TLS, f"its certificate is not trusted: {error.verify_message}")
    except ssl.SSLError as error:
        return Answer(Failure.TLS, f"no TLS with it ({error.reason or type(error).__name__})")
    except (http.client.HTTPException, ValueError) as error:
        # A text of theirs may be in the error; the class is enough.
        return Answer(Failure.NOT_HTTP, f"what it answers cannot be read ({type(error).__name__})")
    except OSError as error:
        return Answer(Failure.CONNECTION, f"no connection with it ({error.strerror or type(error).__name__})")


def _post(
    credentials: Credentials, body: bytes, headers: dict[str, str], deadline: float, ca_file: Path | None
) -> Answer:
    address = credentials.address
    with socket.create_connection((address.host, address.port), _left(deadline)) as plain:
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection: http.client.HTTPConnection
        reached: socket.socket = plain
        if address.scheme == "https":
            context = ssl.create_default_context(cafile=str(ca_file) if ca_file else None)
            plain.settimeout(_left(deadline))
            reached = context.wrap_socket(plain, server_hostname=address.host)
            connection = http.client.HTTPSConnection(address.host, address.port)
        else:
            connection = http.client.HTTPConnection(address.host, address.port)
        with reached:
            connection.sock = within = _Deadline(reached, deadline)
            connection.request(
                "POST", address.target, body=body, headers=dict(credentials.headers) | headers | {"Connection": "close"}
            )
            response = connection.getresponse()
            retry_after = response.getheader("Retry-After")
            return answer(response.status, retry_after, time.time(), _beginning(response, within))


def _beginning(response: http.client.HTTPResponse, on: "_Deadline") -> bytes:
    """Return the beginning of an answer's body, as far as it comes soon; what is wrong with it is no matter."""
    on.deadline = min(on.deadline, time.monotonic() + BODY_S)
    found = b""
    with suppress(OSError, http.client.HTTPException, ValueError):
        while len(found) < MOST_BODY_BYTES and (chunk := response.read1(MOST_BODY_BYTES - len(found))):
            found += chunk
    return found


def _left(deadline: float) -> float:
    """Return how many seconds there are. Raises TimeoutError where there are none."""
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left


class _Deadline:
    """As much of a socket as `http.client` needs, with one deadline for all of it."""

    def __init__(self, reached: socket.socket, deadline: float) -> None:
        self._reached = reached
        self.deadline = deadline

    def sendall(self, data: Any) -> None:
        self._reached.settimeout(_left(self.deadline))
        self._reached.sendall(data)

    def makefile(self, _mode: str) -> io.BufferedReader:
        return io.BufferedReader(_Reads(self))

    def close(self) -> None:
        """Whoever made the socket closes it."""

    def receive(self, buffer: Any) -> int:
        self._reached.settimeout(_left(self.deadline))
        return self._reached.recv_into(buffer)


class _Reads(io.RawIOBase):
    """What comes from it."""

    def __init__(self, on: _Deadline) -> None:
        super().__init__()
        self._on = on

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        return self._on.receive(buffer)
