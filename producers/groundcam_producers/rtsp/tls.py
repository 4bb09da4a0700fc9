"""Trust in a camera's certificate: by the system's or a given authority, or by the certificate's own fingerprint."""

import hashlib
import socket
import ssl
from dataclasses import dataclass
from pathlib import Path

from groundcam_producers.errors import SourceError, SourceRefusedError


@dataclass(frozen=True, slots=True)
class Trust:
    """Which certificates of a camera are taken."""

    verify: bool = True
    ca_file: Path | None = None
    """Authorities to trust (PEM) in place of the system's."""
    fingerprint: str | None = None
    """SHA-256 of the only certificate to trust, in hexadecimal digits; its names and dates do not matter then."""


def secured(connection: socket.socket, host: str, trust: Trust) -> ssl.SSLSocket:
    """Shake hands on an open connection. Raises SourceError, and SourceRefusedError for an untrusted certificate."""
    context = _context(trust)
    try:
        found = context.wrap_socket(connection, server_hostname=host)
    except ssl.SSLCertVerificationError as error:
        raise SourceRefusedError(
            f"its certificate is not trusted: {error.verify_message.rstrip('.')}; name its authority in tls_ca_file,"
            " or the certificate itself in tls_fingerprint",
            "CertificateError",
        ) from None
    except ssl.SSLError as error:
        raise SourceError(f"TLS fails: {error.reason or error.strerror or 'no reason is given'}", "SSLError") from None
    if trust.fingerprint is not None:
        shown = hashlib.sha256(found.getpeercert(binary_form=True) or b"").hexdigest()
        if shown != trust.fingerprint:
            found.close()
            raise SourceRefusedError(
                f"its certificate has the fingerprint {shown}, which is not that of tls_fingerprint",
                "CertificateError",
            )
    return found


def _context(trust: Trust) -> ssl.SSLContext:
    """Raises SourceError for a file of authorities that cannot be used."""
    try:
        context = ssl.create_default_context(cafile=str(trust.ca_file) if trust.ca_file else None)
    except (OSError, ssl.SSLError) as error:
        reason = error.strerror or "there is no certificate (PEM) in it"
        raise SourceError(f"tls_ca_file: {trust.ca_file}: {reason}", "SettingError") from None
    if trust.fingerprint is not None or not trust.verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context
