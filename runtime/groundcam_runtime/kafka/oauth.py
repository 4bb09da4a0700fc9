"""Bearer tokens for SASL/OAUTHBEARER: from a file that a sidecar renews, or by client credentials."""

import json
import time
import urllib.parse
import urllib.request
from pathlib import Path

from kafka.net.sasl.oauth import AbstractTokenProvider

from groundcam_runtime import redaction
from groundcam_runtime.settings import KafkaSettings, read_secret

# A token is renewed this long before it ends, and asked for within this time.
RENEW_S = 60.0
TIMEOUT_S = 10.0


def token_provider(settings: KafkaSettings) -> AbstractTokenProvider:
    """Return where the settings say that tokens come from."""
    if settings.oauth_token_file is not None:
        return FileToken(settings.oauth_token_file)
    return ClientCredentialsToken(settings)


class FileToken(AbstractTokenProvider):  # type: ignore[misc] # kafka-python has no types
    """The file's content at each login."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def token(self) -> str:
        """Return the token. Raises OSError."""
        token = self._path.read_text(encoding="utf-8").strip()
        redaction.register_token(token)
        return token


class ClientCredentialsToken(AbstractTokenProvider):  # type: ignore[misc] # kafka-python has no types
    """A token from an endpoint (RFC 6749, section 4.4), kept until shortly before it ends."""

    def __init__(self, settings: KafkaSettings) -> None:
        self._settings = settings
        self._token = ""
        self._good_until = 0.0

    def token(self) -> str:
        """Return a token that is still good. Raises OSError, ValueError."""
        if time.monotonic() >= self._good_until:
            self._renew()
        return self._token

    def _renew(self) -> None:
        settings = self._settings
        if settings.oauth_token_url is None or settings.oauth_client_secret_file is None:
            raise ValueError("oauth_token_url and oauth_client_secret_file are both needed")
        form = {
            "grant_type": "client_credentials",
            "client_id": settings.oauth_client_id or "",
            "client_secret": read_secret(settings.oauth_client_secret_file),
        }
        if settings.oauth_scope:
            form["scope"] = settings.oauth_scope
        request = urllib.request.Request(  # noqa: S310 - the scheme is the operator's choice
            settings.oauth_token_url, data=urllib.parse.urlencode(form).encode()
        )
        with urllib.request.urlopen(request, timeout=TIMEOUT_S) as answer:  # noqa: S310 - the same
            content = json.load(answer)
        self._token = str(content["access_token"])
        redaction.register_token(self._token)
        self._good_until = time.monotonic() + float(content.get("expires_in", 0)) - RENEW_S
